"""Runs the Python of README.md and docs/ as tests, in a home of their own."""

import os
from collections.abc import Iterator

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home that the documents may write to."""
    before = os.environ.get("PSM_HOME")
    os.environ["PSM_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    os.environ.pop("PSM_HOME")
    if before is not None:
        os.environ["PSM_HOME"] = before


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md"],
    fixtures=["own_home"],
).pytest()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first, so that no worker is left alone with one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
