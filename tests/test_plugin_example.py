"""The plugin of examples/plugin: installed for real, loaded by itself, and it redacts."""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "examples" / "plugin"
SAID = "Write to ada@example.org, card 4111 1111 1111 1111."
STORED = "Write to [email], card [card]."


def buildable(folder):
    """A copy of the package that can be built here, by hatchling where that is there.

    What the package says of itself is built either way; only who builds it differs.
    """
    copy = shutil.copytree(SOURCE, folder / "source")
    if importlib.util.find_spec("hatchling") is None:
        told = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))
        assert told["build-system"]["build-backend"] == "hatchling.build"
        text = (copy / "pyproject.toml").read_text(encoding="utf-8")
        text = text.replace("hatchling.build", "setuptools.build_meta")
        text = text.replace("hatchling>=1.26", "setuptools")
        (copy / "pyproject.toml").write_text(text, encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that pip has installed the plugin into, from its source."""
    folder = tmp_path_factory.mktemp("plugin")
    options = "--quiet --no-index --no-deps --no-build-isolation --no-cache-dir"
    command = [sys.executable, "-m", "pip", "install", *options.split()]
    done = subprocess.run(
        [*command, "--target", str(folder / "target"), str(buildable(folder))],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "target"


def run(arguments, path, home, **environ):
    """What a fresh interpreter prints that finds the plugin, as any program would."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    env.pop("PSM_DISABLE_PLUGIN_AUTOLOAD", None)
    env |= {"PSM_HOME": str(home), "PSM_ENCODER": "hash"} | environ
    done = subprocess.run(
        [sys.executable, *arguments],
        env=env,
        cwd=home.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


REMEMBER = textwrap.dedent(
    f"""
    from psm_core import Memory, Turn
    with Memory("ada") as memory:
        memory.remember(Turn({SAID!r}))
        print(memory.entries()[0].text)
    """
)


def test_the_installed_plugin_redacts_what_is_stored(installed, tmp_path):
    """Nobody names it: being installed is enough, and no file holds the secrets."""
    home = tmp_path / "home"

    assert run(["-c", REMEMBER], installed, home) == f"{STORED}\n"

    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert b"4111" not in path.read_bytes(), path
        assert b"example.org" not in path.read_bytes(), path


def test_installed_plugins_stay_out_where_they_are_not_wanted(installed, tmp_path):
    """PSM_DISABLE_PLUGIN_AUTOLOAD leaves the built-in parts alone."""
    off = {"PSM_DISABLE_PLUGIN_AUTOLOAD": "1"}

    assert run(["-c", REMEMBER], installed, tmp_path / "home", **off) == f"{SAID}\n"


def test_psm_plugins_names_it_and_where_it_comes_from(installed, tmp_path):
    """Distribution, version and hook, in JSON and on the screen."""
    psm = ["-m", "psm_core.cli", "plugins"]

    listing = json.loads(run([*psm, "--json"], installed, tmp_path / "home"))
    screen = run(psm, installed, tmp_path / "home")

    (mine,) = (p for p in listing["plugins"] if p["distribution"] == "psm-redact-pii")
    assert mine == {
        "name": "psm_redact_pii",
        "distribution": "psm-redact-pii",
        "version": "0.1.0",
        "hooks": ["psm_redact"],
    }
    (row,) = (row for row in screen.splitlines() if row.startswith("psm_redact_pii"))
    assert row.split() == ["psm_redact_pii", "psm-redact-pii", "0.1.0", "psm_redact"]


@pytest.fixture(scope="module")
def redact():
    """The hook, from the source."""
    place = SOURCE / "psm_redact_pii.py"
    spec = importlib.util.spec_from_file_location("psm_redact_pii", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.psm_redact


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        (SAID, STORED),
        ("4111111111111111", "[card]"),
        ("My Amex: 3782-822463-10005!", "My Amex: [card]!"),
        ("4111 1111 1111 1111 12/27 123", "[card] 12/27 123"),
        ("1234 4111 1111 1111 1111", "1234 [card]"),
        ("either 4111111111111111 or 5500005555555559", "either [card] or [card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("It was 1772366400000 then.", "It was 1772366400000 then."),
        ("Call +33 6 12 34 56 78.", "Call +33 6 12 34 56 78."),
        ("a.b+c@mail.example.co.uk, x@y", "[email], x@y"),
        ("ü@müller.example", "[email]"),
        ("", ""),
    ],
)
def test_cards_and_addresses_become_marks(redact, said, stored):
    """A number is a card where its check digit says so, whatever stands beside it."""
    assert redact(said) == stored


@pytest.mark.parametrize("text", ["a" * 60_000, "7" * 60_000, "4 " * 30_000])
def test_a_long_turn_costs_no_more_than_reading_it(redact, text):
    """No text can make it search for minutes."""
    started = time.process_time()

    redact(text)

    assert time.process_time() - started < 3


def test_the_plugin_is_small():
    """At most twenty lines of code, docstrings and blank lines aside."""
    text = (SOURCE / "psm_redact_pii.py").read_text(encoding="utf-8")
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.stmt)]
    said = {n.lineno for n in nodes if isinstance(n, ast.Expr)}
    rows = enumerate(text.splitlines(), 1)
    code = [r for n, r in rows if r.strip() and r.strip()[0] != "#" and n not in said]

    assert len(code) <= 20
    assert len((SOURCE / "README.md").read_text(encoding="utf-8").splitlines()) <= 12
