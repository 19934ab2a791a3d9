"""The package psm_langgraph: its plugin, its laziness, its example."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("langgraph")

from psm_core.plugins import Plugins
from psm_langgraph import __all__ as names
from psm_langgraph import _plugin, psm_graph

ROOT = Path(__file__).parents[2]


def run(code, *arguments, **environ):
    """What a fresh interpreter prints on running *code*."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langgraph")])
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_plugin_offers_the_graph():
    """`psm_langgraph._plugin` says where psm_graph is, and which extra brings it."""
    offers = Plugins([_plugin], autoload=False).offers

    assert offers.names("integration") == ["langgraph"]
    assert offers.get("integration", "langgraph") is psm_graph
    assert {o.extra for o in offers.all() if o.kind == "integration"} == {"langgraph"}


def test_importing_the_package_loads_nothing_heavy():
    """Neither the package nor its plugin loads LangGraph, torch or Chroma."""
    done = run(
        """
        import sys, psm_core, psm_langgraph, psm_langgraph._plugin
        heavy = {"langgraph", "langchain_core", "torch", "chromadb", "pydantic"}
        print(sorted(heavy & set(sys.modules)), dir(psm_langgraph))
        """
    )

    assert done.stdout.strip() == f"[] {sorted(names)}", done.stderr


def test_every_public_name_is_there():
    """`from psm_langgraph import *` brings what __all__ promises, and no other."""
    import psm_langgraph

    for name in names:
        assert getattr(psm_langgraph, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Psm'"):
        psm_langgraph.Psm  # noqa: B018 - the asking is what is tested


@pytest.mark.parametrize("name", ["psm_graph", "PSMStore", "turn_id"])
def test_without_langgraph_one_line_says_what_to_install(name):
    """The error names the missing package and the extra, and is our own."""
    done = run(
        """
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("langgraph", "langchain_core"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Absent())
        import psm_langgraph
        from psm_core.errors import MissingExtraError
        try:
            getattr(psm_langgraph, sys.argv[1])
        except MissingExtraError as fault:
            print(fault)
        from psm_core.plugins import Plugins
        from psm_langgraph import _plugin
        try:
            Plugins([_plugin], autoload=False).offers.get("integration", "langgraph")
        except MissingExtraError as fault:
            print("[langgraph]" in str(fault))
        """,
        name,
    )

    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith(f"{name} needs lang")
    assert lines[0].endswith("; pip install 'psm-memory[langgraph]'")
    assert lines[1] == "True"


def test_the_example_runs_as_printed(tmp_path):
    """examples/langgraph_sleep.py: the third run opens on what sleep made of two."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langgraph")])
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "langgraph_sleep.py")],
        env={**os.environ, "PYTHONPATH": path, "PSM_ENCODER": "hash"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    monday, rest = done.stdout.split("--- Wednesday")
    wednesday, friday = rest.split("--- Friday")
    assert "<memories" not in monday
    assert "asleep: 2 episodes read, 1 fact written" in monday
    assert "- Ada lives in Lyon." in wednesday
    assert "superseded: two places of residence" in wednesday
    assert "- Ada lives in Lyon. (until 4 March 2026)" in friday
    assert "- Ada moved from Lyon to Paris." in friday
    assert [*tmp_path.iterdir()] == []
