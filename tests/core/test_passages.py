"""Long texts are cut into passages, and nothing is lost on the way."""

from hypothesis import given
from hypothesis import strategies as st

from psm_core.acts.passages import passages


def test_a_short_text_is_one_passage():
    """Nothing is cut that needn't be."""
    assert passages(" I moved.  To Lyon. ", 160) == ["I moved.  To Lyon."]


def test_sentences_are_kept_whole():
    """The cut comes before the sentence that wouldn't fit."""
    assert passages("A b c. D e f? G h.", 5) == ["A b c.", "D e f? G h."]


def test_a_sentence_that_is_too_long_is_cut_at_a_word():
    """A text without a full stop is cut too."""
    assert passages("a b c d e f g", 3) == ["a b c", "d e f", "g"]


@given(st.text(min_size=1).filter(str.strip), st.integers(1, 20))
def test_every_word_is_in_a_passage_once_and_in_order(text, words):
    """Joined, the passages are the text, white space aside."""
    pieces = passages(text, words)

    assert " ".join(pieces).split() == text.split()
    assert all(len(piece.split()) <= words for piece in pieces)
    assert all(piece in text for piece in pieces)


def test_a_megabyte_is_cut_quickly():
    """A pasted megabyte becomes passages of at most 160 words."""
    text = "The quick brown fox jumps over the lazy dog. " * 23_000

    pieces = passages(text, 160)

    assert len(pieces) > 1000
    assert max(len(p.split()) for p in pieces) <= 160
