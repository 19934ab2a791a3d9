"""The nouns refuse what can't be."""

from datetime import datetime

import pytest

from psm_core import Feedback, PSMError, Turn
from psm_core.errors import (
    FeedbackError,
    StoreFullError,
    TurnError,
    UnknownMemoryError,
)
from psm_core.errors import (
    PSMError as Base,
)
from psm_core.types import TURN_CHARS_MAX, Outcome


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\0"])
def test_a_turn_says_something(text):
    """Blank text is refused with the way out."""
    with pytest.raises(TurnError, match="empty; leave the turn out"):
        Turn(text)


def test_a_turn_is_a_text():
    """Bytes are refused by name instead of failing deep inside."""
    with pytest.raises(TurnError, match="is bytes; it must be a str"):
        Turn(b"hello")


def test_a_turn_has_an_end():
    """Four million characters fit, one more is refused."""
    assert Turn("x" * TURN_CHARS_MAX)
    with pytest.raises(TurnError, match="4,000,001 characters; at most 4,000,000"):
        Turn("x" * (TURN_CHARS_MAX + 1))


def test_an_unknown_role_is_refused_with_the_known_ones():
    """'human' is LangChain's word; the error names ours."""
    with pytest.raises(TurnError, match="'human'; it must be one of user, assistant"):
        Turn("hi", role="human")


def test_a_naive_time_is_refused():
    """A time without a zone would be a guess."""
    with pytest.raises(TurnError, match="naive.*give it a timezone"):
        Turn("hi", at=datetime(2026, 3, 1))  # noqa: DTZ001 - that is the fault


def test_one_memory_has_one_outcome():
    """Feedback can't call a memory used and ignored at once."""
    with pytest.raises(FeedbackError, match="names t1 under two outcomes"):
        Feedback("r1", used=["t1"], ignored=["t1"])


def test_feedback_names_each_outcome():
    """Lists in, outcomes out."""
    given = Feedback("r1", used=["a"], ignored=["b"], corrected=["c"])

    assert given.outcomes() == {
        "a": Outcome.USED,
        "b": Outcome.IGNORED,
        "c": Outcome.CORRECTED,
    }


def test_every_error_is_a_psm_error_and_a_builtin():
    """Whoever catches ours or Python's catches it."""
    import psm_core.errors as module

    kinds = [v for v in vars(module).values() if isinstance(v, type)]
    builtin = (ValueError, KeyError, OSError, RuntimeError, ImportError)
    for kind in kinds:
        assert issubclass(kind, Base)
        assert kind is PSMError or issubclass(kind, builtin), kind


@pytest.mark.parametrize("kind", [UnknownMemoryError, StoreFullError])
def test_errors_print_as_sentences(kind):
    """A KeyError would quote its message; ours don't."""
    assert str(kind("no memory t9")) == "no memory t9"
