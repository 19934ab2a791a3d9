"""The documents name what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = ["docs/glossary.md", "docs/architecture.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_is_named_exists(document):
    """A newcomer who follows a name finds the file, or the noun in its module."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|md|toml))`", text)

    for name in named:
        places = [ROOT / name, ROOT / "psm_core" / name]
        assert any(place.exists() for place in places), name
    for module, noun in re.findall(r"`([a-z]+)\.([A-Z][a-zA-Z]+)", text):
        source = (ROOT / "psm_core" / f"{module}.py").read_text(encoding="utf-8")
        assert f"class {noun}" in source, f"{module}.{noun}"


def test_every_decision_says_what_it_cost():
    """Each has context or decision, what was given up or its evidence, in 40 lines."""
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert len(decisions) >= 10
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert "**Decision.**" in text, path.name
        assert "**Evidence.**" in text or "**What we gave up.**" in text, path.name
        assert len(text.splitlines()) <= 40, path.name


def test_the_changelog_names_every_command():
    """What can be typed stands in the list of what is new."""
    from psm_core.cli import COMMANDS

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name, *_ in COMMANDS:
        assert re.search(rf"\b{name}\b", text), name


def test_every_example_stands_in_a_page_as_it_is():
    """Whoever reads a page reads the program that is run, to the letter."""
    pages = [p.read_text(encoding="utf-8") for p in (ROOT / "docs").glob("*.md")]
    programs = sorted((ROOT / "examples").rglob("*.py"))

    assert len(programs) >= 6
    for program in programs:
        text = program.read_text(encoding="utf-8").rstrip()
        assert any(text in page for page in pages), program.name
