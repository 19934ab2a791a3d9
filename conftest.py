"""Runs the Python of README.md and docs/ as tests, in a home of their own."""

import os

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser


@pytest.fixture(scope="module")
def own_home(tmp_path_factory):
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
