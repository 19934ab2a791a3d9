"""Each integration's tests, with the oldest and the newest release of its framework.

    make test-matrix                             all six, in .matrix/
    python tests/matrix.py langgraph-oldest      one of them

The oldest is what pyproject.toml allows, the newest what the index has.  Each stands in
a venv that is made anew, over one that holds all but the frameworks; the first run makes
that one, and loads some hundred megabytes.
"""

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
MATRIX = ROOT / ".matrix"
TOOLS = ["hypothesis", "pytest", "pytest-asyncio", "pytest-socket", "sybil"]
BESIDE = {
    "langchain": ["langchain-tests", "langgraph-checkpoint-sqlite>=2"],
    "langgraph": ["langmem", "langgraph-checkpoint-sqlite>=2"],
    "llamaindex": [],
}
CELLS = [f"{framework}-{age}" for framework in BESIDE for age in ("oldest", "newest")]


def run(name, *arguments):
    environ = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    python = MATRIX / name / "bin" / "python"
    return subprocess.run([python, *arguments], cwd=ROOT, env=environ, check=False)


def install(name, *packages):
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(name, *pip, *packages).check_returncode()


def make_base():
    if not (MATRIX / "base" / "done").exists():
        venv.create(MATRIX / "base", clear=True, with_pip=True)
        install("base", "-c", "constraints.txt", "torch")
        install("base", "-c", "constraints.txt", "-e", ".", *TOOLS)
        (MATRIX / "base" / "done").touch()
    return next((MATRIX / "base" / "lib").glob("python*/site-packages"))


def passes(cell, base):
    framework, _, age = cell.partition("-")
    venv.create(MATRIX / cell, clear=True, with_pip=True)
    own = next((MATRIX / cell / "lib").glob("python*/site-packages"))
    (own / "base.pth").write_text(f"import site; site.addsitedir({str(base)!r})\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["optional-dependencies"][framework]
    if age == "oldest":
        wanted = [re.sub(r">=([^,]+),.*", r"==\1", one) for one in wanted]
    install(cell, *wanted, *BESIDE[framework])
    tests = sorted((ROOT / "tests" / "integrations").glob(f"test_{framework}*.py"))
    print(f"--- {cell}: {', '.join(wanted)}", flush=True)
    return run(cell, "-m", "pytest", "-q", *tests).returncode == 0


if __name__ == "__main__":
    base = make_base()
    failed = [cell for cell in sys.argv[1:] or CELLS if not passes(cell, base)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
