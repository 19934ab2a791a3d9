"""The package psm_llamaindex: its plugin, its laziness, its example."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("llama_index.core")

from psm_core.plugins import Plugins
from psm_llamaindex import PSMMemory, _plugin

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join([str(ROOT), str(ROOT / "integrations" / "llamaindex")])


def run(code, **environ):
    """What a fresh interpreter prints on running *code*."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": PATH, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_plugin_offers_the_memory():
    """`psm_llamaindex._plugin` says where PSMMemory is, and which extra brings it."""
    offers = Plugins([_plugin], autoload=False).offers

    assert offers.names("integration") == ["llamaindex"]
    assert offers.get("integration", "llamaindex") is PSMMemory
    assert "llamaindex" in {o.extra for o in offers.all() if o.kind == "integration"}


def test_importing_the_package_loads_nothing_heavy():
    """Neither the package nor its plugin loads LlamaIndex, torch or Chroma."""
    done = run(
        """
        import sys, psm_core, psm_llamaindex, psm_llamaindex._plugin
        heavy = {"llama_index", "llama_index.core", "torch", "chromadb", "pydantic"}
        print(sorted(heavy & set(sys.modules)), psm_llamaindex.__all__)
        """
    )

    assert done.stdout.strip() == "[] ['PSMMemory', 'PSMMemoryBlock']", done.stderr


def test_without_llamaindex_one_line_says_what_to_install():
    """The error names the missing package and the extra, and is our own."""
    done = run(
        """
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "llama_index":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Absent())
        from psm_core.errors import MissingExtraError
        import psm_llamaindex
        for name in psm_llamaindex.__all__:
            try:
                getattr(psm_llamaindex, name)
            except MissingExtraError as fault:
                print(fault)
        from psm_core.plugins import Plugins
        from psm_llamaindex import _plugin
        try:
            Plugins([_plugin], autoload=False).offers.get("integration", "llamaindex")
        except MissingExtraError as fault:
            print("[llamaindex]" in str(fault))
        """
    )

    assert done.stdout.splitlines() == [
        "PSMMemory needs llama_index; pip install 'psm-memory[llamaindex]'",
        "PSMMemoryBlock needs llama_index; pip install 'psm-memory[llamaindex]'",
        "True",
    ], done.stderr


def test_counting_tokens_downloads_nothing():
    """LlamaIndex's own tokenizer comes with it: with no network, it counts."""
    done = run(
        """
        import socket
        def refuse(*args, **kwargs):
            raise OSError("no network here")
        socket.socket.connect = socket.getaddrinfo = refuse
        from llama_index.core.llms import ChatMessage
        from psm_llamaindex import PSMMemory, PSMMemoryBlock
        with PSMMemory(user="ada") as memory, PSMMemoryBlock(user="ada") as block:
            memory.put(ChatMessage(role="user", content="I moved to Lyon."))
            print(len(memory.tokenizer_fn("Lyon")), memory.get()[0].content)
        """
    )

    assert done.stdout.strip() == "2 I moved to Lyon.", done.stderr


def test_the_example_runs_as_printed(tmp_path):
    """examples/llamaindex_chat.py shows a memory of an earlier session in a prompt."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "examples" / "llamaindex_chat.py")],
        env={**os.environ, "PYTHONPATH": PATH},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    today = done.stdout.partition("--- today")[2]
    assert "ada: I'm allergic to peanuts" in today.partition("</memories>")[0]
    assert "What it keeps" in today
    assert done.stderr == ""
