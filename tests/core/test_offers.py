"""What plugins offer: found by name, imported on use, and told what it lacks."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from psm_core import hookimpl
from psm_core.errors import MissingExtraError, PluginError
from psm_core.plugins import Plugins

ROOT = Path(__file__).parents[2]


def plugins(*given):
    return Plugins(given, autoload=False)


def test_two_offers_of_one_name_are_refused():
    """Which one is meant can't be guessed."""

    class Twice:
        @hookimpl
        def psm_register(self, registry):
            registry.add("encoder", "hash", object)

    with pytest.raises(PluginError, match="two plugins offer the encoder 'hash'"):
        plugins(Twice())


def test_an_unknown_offer_names_the_known_ones():
    """The error lists what could have been meant."""
    with pytest.raises(
        PluginError, match="the policy 'magic'; offered: psm-mini, rules"
    ):
        plugins().offers.get("policy", "magic")


def test_a_missing_extra_is_named():
    """What isn't installed is an ImportError with the command that brings it."""

    class Exotic:
        @hookimpl
        def psm_register(self, registry):
            target = "psm_no_such_module:Thing"
            registry.add("integration", "exotic", target, extra="exotic")

    offers = plugins(Exotic()).offers

    with pytest.raises(MissingExtraError, match=r"pip install 'psm-memory\[exotic\]'"):
        offers.get("integration", "exotic")
    assert issubclass(MissingExtraError, ImportError)


def test_an_offer_that_is_not_there_names_its_plugin():
    """A module without the attribute is the plugin's fault, and said so."""

    class Wrong:
        @hookimpl
        def psm_register(self, registry):
            registry.add("policy", "wrong", "psm_core.model.rules:Nothing")

    with pytest.raises(PluginError, match="psm_core.model.rules:Nothing, which isn't"):
        plugins(Wrong()).offers.get("policy", "wrong")


def test_built_ins_are_ordinary_plugins():
    """What ships with the package stands in the same registry as everything else."""
    offers = plugins().offers

    assert offers.names("encoder") == ["all-MiniLM-L6-v2", "hash", "psm-mini"]
    assert offers.names("policy") == ["psm-mini", "rules"]
    assert offers.names("abstractor") == ["causal-lm"]
    assert offers.names("index") == ["chroma"]
    assert all(isinstance(offer.target, str) for offer in offers.all())


# ------------------------------------------------------------------- what is missing


def offer(**options):
    """One offer, as a plugin made it that was passed by hand."""

    class Offering:
        @hookimpl
        def psm_register(self, registry):
            target = options.pop("target", "psm_core.model.rules:RulePolicy")
            registry.add("policy", "mine", target, **options)

    (mine,) = (o for o in plugins(Offering()).offers.all() if o.name == "mine")
    return mine


@pytest.mark.parametrize(
    ("options", "missing", "install"),
    [
        ({}, (), ""),
        ({"needs": ["numpy", "os.path"]}, (), ""),
        ({"needs": ["numpy", "psm_no_such"]}, ("psm_no_such",), ""),
        ({"needs": ["psm_no_such.part"]}, ("psm_no_such.part",), ""),
        ({"target": "psm_no_such.part:Thing"}, ("psm_no_such",), ""),
        ({"target": dict}, (), ""),
        ({"extra": "langchain"}, (), "pip install 'psm-memory[langchain]'"),
        ({"extra": "no-such"}, (), "pip install 'psm-memory[no-such]'"),
        (
            {"extra": "train", "needs": ["psm_no_such"]},
            ("psm_no_such",),
            "pip install 'psm-memory[train]'",
        ),
    ],
)
def test_an_offer_tells_what_it_lacks(options, missing, install):
    """By the modules that it names, else by what its extra stands for."""
    mine = offer(**options)

    assert (mine.missing(), mine.install) == (missing, install)


def test_looking_for_what_is_missing_imports_nothing_heavy():
    """Neither torch nor Chroma nor a framework is loaded to see whether it is there."""
    code = """
        import sys
        from psm_core.plugins import Plugins
        offers = Plugins(autoload=True).offers.all()
        assert {"integration", "index"} <= {offer.kind for offer in offers}
        assert all(isinstance(offer.missing(), tuple) for offer in offers)
        heavy = {"torch", "chromadb", "numpy", "transformers", "sentence_transformers",
                 "langchain", "langchain_core", "langgraph", "llama_index"}
        print(sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PSM_DISABLE_PLUGIN_AUTOLOAD": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.strip() == "[]", done.stderr


METADATA = """\
Metadata-Version: 2.1
Name: Made-Up
Version: 3.1
Requires-Dist: chromadb ; extra == 'fast'
Requires-Dist: psm-no-such-thing >=2 ; extra == "fast"
Requires-Dist: psm-no-such-either ; extra == 'slow'
Provides-Extra: fast
Provides-Extra: slow
"""
MODULE = """\
from psm_core import hookimpl

class Policy: ...

@hookimpl
def psm_register(registry):
    registry.add("policy", "quick", "made_up_parts:Policy", extra="fast")
    registry.add("policy", "plain", Policy)
    registry.add("policy", "bare", "psm_no_such_module:Policy")
"""


@pytest.fixture
def folder(tmp_path):
    """A folder on the path with a distribution in it, as pip leaves one behind."""
    told = tmp_path / "made_up-3.1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(METADATA)
    (told / "entry_points.txt").write_text("[psm]\nmade-up = made_up\n")
    (tmp_path / "made_up.py").write_text(MODULE)
    (tmp_path / "made_up_parts.py").write_text("raise SystemExit('imported')")
    return tmp_path


def psm(folder, *arguments):
    """What `psm plugins` says where *folder* is on the path."""
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "PSM_DISABLE_PLUGIN_AUTOLOAD": "",
        "COLUMNS": "80",
    }
    command = [sys.executable, "-m", "psm_core.cli", "plugins", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_psm_plugins_says_what_is_missing_and_what_brings_it(folder):
    """Of a plugin of another distribution: its own extra, and its own name; nothing of
    it is imported that isn't used."""
    done = psm(folder, "--json")
    told = json.loads(done.stdout)

    (mine,) = (p for p in told["plugins"] if p["distribution"] == "Made-Up")
    assert mine == {
        "name": "made_up",
        "distribution": "Made-Up",
        "version": "3.1",
        "hooks": ["psm_register"],
    }
    theirs = {o["name"]: o for o in told["offers"] if o["distribution"] == "Made-Up"}
    assert theirs["quick"]["missing"] == ["psm-no-such-thing"]
    assert theirs["quick"]["install"] == "pip install 'Made-Up[fast]'"
    assert theirs["plain"]["missing"] == []
    assert theirs["plain"]["target"] == "made_up:Policy"
    assert theirs["bare"]["missing"] == ["psm_no_such_module"]
    assert theirs["bare"]["install"] == "pip install Made-Up"
    ours = [o for o in told["offers"] if o["distribution"] == "psm-memory"]
    assert {o["name"] for o in ours} >= {"chroma", "psm-mini", "langchain"}


def test_psm_plugins_shows_a_person_what_is_missing(folder):
    """The command stands whole under what is missing, in 80 columns."""
    rows = psm(folder).stdout.splitlines()

    at = next(n for n, row in enumerate(rows) if " quick " in row)
    assert rows[at].split(maxsplit=2) == [
        "policy",
        "quick",
        "missing: psm-no-such-thing",
    ]
    assert rows[at + 1].strip() == "pip install 'Made-Up[fast]'"
    assert any(row.split() == ["policy", "plain", "ready"] for row in rows)
    assert any(row.startswith("made_up ") and "Made-Up 3.1" in row for row in rows)


def test_a_plugin_that_cannot_be_loaded_is_named_with_all_others(folder):
    """It might be the redactor, so nothing goes on without it; the way out is said."""
    (folder / "made_up.py").write_text("raise RuntimeError('words')")
    told = folder / "made_up-3.1.dist-info" / "entry_points.txt"
    told.write_text("[psm]\nmade-up = made_up\nother = psm_no_such_module\n")

    done = psm(folder)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "psm: plugins can't be loaded: made-up (made_up) of Made-Up raises "
        "RuntimeError; other (psm_no_such_module) of Made-Up raises "
        "ModuleNotFoundError; uninstall what is broken, or set "
        "PSM_DISABLE_PLUGIN_AUTOLOAD=1\n"
    )
