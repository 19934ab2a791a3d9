"""BM25 at three widths is what the textbook says."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.acts.bm25 import K1, B, by_session, lexical, spot
from psm_core.content import Postings, SessionSize

texts = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8)
lives = st.lists(st.lists(texts, min_size=1, max_size=5), min_size=1, max_size=4)
cues = st.lists(st.sampled_from("abcdxyz"), min_size=1, max_size=4, unique=True)


def postings_of(life, cue):
    """What the lexical index would answer for *cue* over sessions of turns."""
    rows, df, seq, words = [], Counter(), 0, 0
    for session, turns in enumerate(life, start=1):
        for place, turn in enumerate(turns):
            seq += 1
            words += len(turn)
            for n, term in enumerate(cue):
                if term in turn:
                    df[term] += 1
                    rows.append((n, seq, turn.count(term), len(turn), session, place))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    frequency = np.array([df[t] for t in cue], dtype=np.int64)
    return Postings(tuple(cue), frequency, *columns, seq, words / seq)


def sizes(life):
    return {
        n: SessionSize(len(turns), sum(map(len, turns)))
        for n, turns in enumerate(life, start=1)
    }


@given(life=lives, cue=cues)
def test_a_turn_scores_as_the_textbook_says(life, cue):
    """The sum over terms of idf and saturated frequency, lengths accounted for."""
    found = lexical(postings_of(life, cue))
    turns = [turn for session in life for turn in session]
    mean = sum(map(len, turns)) / len(turns)

    for seq, turn in enumerate(turns, start=1):
        expected = 0.0
        for term in cue:
            df = sum(term in t for t in turns)
            idf = math.log(1 + (len(turns) - df + 0.5) / (df + 0.5))
            tf = turn.count(term)
            expected += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(turn) / mean))
        assert found.turn.at([seq])[0] == pytest.approx([expected])


@given(life=lives, cue=cues)
def test_a_window_covers_what_its_turns_cover(life, cue):
    """A cue's word in the turn before or after counts for the window, once."""
    found = lexical(postings_of(life, cue))
    whole = sum(found.idf.values())

    for session, turns in enumerate(life, start=1):
        for place in range(len(turns)):
            window = {w for t in turns[max(0, place - 1) : place + 2] for w in t}
            expected = sum(found.idf[t] for t in cue if t in window) / whole
            _, got = found.window.at([spot(session, place)])
            assert got == pytest.approx([expected])


@given(life=lives, cue=cues)
def test_a_session_is_a_long_text(life, cue):
    """Its score is the textbook's over sessions; one that isn't asked for has none."""
    asked = {n: size for n, size in sizes(life).items() if n != 2}
    found = by_session(postings_of(life, cue), asked, len(life))
    texts = [[w for turn in turns for w in turn] for turns in life]
    mean = sum(map(len, texts)) / len(texts)

    for number, text in enumerate(texts, start=1):
        expected = 0.0
        for term in cue if number != 2 else ():
            df = sum(term in t for t in texts)
            idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
            tf = text.count(term)
            expected += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(text) / mean))
        assert found.at([number])[0] == pytest.approx([expected])


def test_a_word_that_nobody_said_still_counts_for_coverage():
    """Half of a cue's rarity is missing when one of two unseen words is."""
    found = lexical(postings_of([[["a"], ["b"]]], ["a", "x"]))

    assert found.idf["x"] > found.idf["a"] > 0
    _, (covered,) = found.turn.at([1])
    assert covered == pytest.approx(found.idf["a"] / (found.idf["a"] + found.idf["x"]))


def test_nothing_found_is_nothing():
    """A cue without known words scores nobody."""
    found = lexical(postings_of([[["a"]]], ["x"]))

    assert found.turn.best(5) == found.window.best(5) == []
    assert found.turn.at([1, 2]) == ([0.0, 0.0], [0.0, 0.0])


@given(life=lives, cue=cues, k=st.integers(1, 5))
def test_the_best_come_first(life, cue, k):
    """The k best turns are those with the highest scores, in order."""
    found = lexical(postings_of(life, cue))

    scores, _ = found.turn.at(found.turn.best(k))

    assert scores == sorted(found.turn.bm25.tolist(), reverse=True)[:k]
