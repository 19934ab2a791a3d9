"""Each integration's tests, with the oldest and the newest release of its framework.

`make test-matrix` runs all six, `python tests/matrix.py langgraph-oldest` one.  The
oldest is what pyproject.toml allows, the newest what pip finds.  Each gets a venv in
.matrix/, over one that has all but the frameworks and is made by the first run.
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
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
TOOLS = ["hypothesis", "pytest", "pytest-asyncio", "pytest-socket", "sybil"]
SAVER = "langgraph-checkpoint-sqlite>=2"
FRAMEWORKS = ("langchain", "langgraph", "llamaindex")
TOO = {"langchain": ["langchain-tests", SAVER], "langgraph": ["langmem", SAVER]}


def run(name, *arguments):
    environ = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [MATRIX / name / "bin" / "python", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode == 0


def install(name, *packages):
    if not run(name, "-m", "pip", "install", "--quiet", *packages):
        sys.exit(f"{name}: {' '.join(packages)} can't be installed")


def passes(cell):
    framework, _, age = cell.partition("-")
    venv.create(MATRIX / cell, clear=True, with_pip=True)
    base = f"import site; site.addsitedir({str(MATRIX / 'base' / SITE)!r})\n"
    (MATRIX / cell / SITE / "base.pth").write_text(base)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["optional-dependencies"][framework]
    if age == "oldest":
        wanted = [re.sub(r">=([^,]+),.*", r"==\1", one) for one in wanted]
    install(cell, *wanted, *TOO.get(framework, []))
    tests = sorted((ROOT / "tests" / "integrations").glob(f"test_{framework}*.py"))
    print(f"--- {cell}: {', '.join(wanted)}", flush=True)  # noqa: T201
    return run(cell, "-m", "pytest", "-q", *tests)


if __name__ == "__main__":
    if not (MATRIX / "base" / "done").exists():
        venv.create(MATRIX / "base", clear=True, with_pip=True)
        install("base", "-c", "constraints.txt", "torch")
        install("base", "-c", "constraints.txt", "-e", ".", *TOOLS)
        (MATRIX / "base" / "done").touch()
    every = [f"{one}-{age}" for one in FRAMEWORKS for age in ("oldest", "newest")]
    failed = [cell for cell in sys.argv[1:] or every if not passes(cell)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
