"""Is a written life sound? Ids, balance, and how many words a question shares."""

from __future__ import annotations

import itertools
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from psm_core.store.words import stems
from psm_core.train.corpus import (
    CHATS,
    RELATIONS,
    SORTS,
    Life,
    Question,
    lives,
    read,
)

TURNS_MIN = 110
SESSIONS_MIN = 8
SPAN_MIN = timedelta(days=90)
QUESTIONS_MIN = 32
SORTS_MIN = {
    "single-hop": 8,
    "multi-hop": 6,
    "temporal": 5,
    "preference": 2,
    "update": 2,
    "who": 2,
    "unanswerable": 4,
}
"""Least questions of each sort in one life."""

SHARES = {"none": (0.25, 0.45), "some": (0.2, 0.45), "most": (0.2, 0.45)}
"""Share of the answerable questions, by how many words their evidence has of them."""

RELATIONS_MIN = {
    "update": 7,
    "contradiction": 5,
    "duplicate": 5,
    "compatible": 14,
    "hedge": 4,
}
CORRECTIONS_MIN = 2
KEEP_SHARE = (0.3, 0.75)
MOST = 0.5
"""Share of a question's content words from which on it shares most of them."""

REPEATED_WORDS = 7
"""So many words in a row in two turns of one life look like a template."""

SHARED_WORDS = 10
"""So many in two lives; in 330,000 words nine plain ones meet by chance (a dozen times:
"my blood pressure is back to normal, the doctor"), captions of photos left out."""

_WORD = re.compile(r"\w+(?:'\w+)?")
_CAPTION = re.compile(r"\[[^\]]*\]")


def overlap(question: Question, life: Life) -> str:
    """How many of a question's words stand in its evidence: none, some, most."""
    names = {stem for name in life.people for stem in stems(name)}
    asked = {s for s in stems(question.text) if s not in names}
    turns = {turn.id: turn for turn in life.turns}
    known = [turns[i].text for i in question.evidence if i in turns]
    found = {s for text in known for s in stems(text)}
    shared = len(asked & found) / max(len(asked), 1)
    if not shared:
        return "none"
    return "most" if shared >= MOST else "some"


def faults(life: Life) -> list[str]:
    """All that is wrong with a life, each in one line; empty where all is well."""
    return [*_form(life), *_references(life), *_balance(life), *_repeats(life)]


def _form(life: Life) -> Iterable[str]:
    if life.chat not in CHATS:
        yield f"chat is {life.chat!r}; one of {', '.join(CHATS)}"
    turns = life.turns
    twice = [i for i, n in Counter(t.id for t in turns).items() if n > 1]
    if twice:
        yield f"ids used twice: {', '.join(twice)}"
    strangers = {t.speaker for t in turns} - set(life.people)
    if strangers:
        yield f"speakers that the first line doesn't name: {', '.join(strangers)}"
    if any(a.at > b.at for a, b in itertools.pairwise(turns) if a.at and b.at):
        yield "the sessions aren't in the order of their times"
    for said in life.said:
        if not (-1 <= said.valence <= 1 and 0 <= said.arousal <= 1):
            yield f"{said.turn.id}: valence lies in [-1, 1], arousal in [0, 1]"


def _references(life: Life) -> Iterable[str]:
    known = {t.id for t in life.turns}
    for question in life.questions:
        yield from _question(question, known)
    speaker = {t.id: t.speaker for t in life.turns}
    for pair in life.pairs:
        if pair.relation not in RELATIONS:
            yield f"unknown relation {pair.relation}: {pair.new}"
        if pair.ids and {speaker[i] for i in pair.ids} != {pair.speaker}:
            yield f"a pair of two speakers: {pair.ids}"
    for correction in life.corrections:
        if not {correction.turn, correction.of} <= known:
            yield f"a correction of unknown turns: {correction}"


def _question(question: Question, known: Collection[str]) -> Iterable[str]:
    text, sort, evidence = question.text, question.sort, question.evidence
    missing = set(evidence) - set(known)
    if missing:
        yield f"unknown turns {', '.join(sorted(missing))}: {text}"
    if sort not in SORTS:
        yield f"unknown sort {sort}: {text}"
    if (sort == "unanswerable") == bool(evidence):
        yield f"{sort} with {len(evidence)} turns: {text}"
    if sort == "multi-hop" and len(evidence) < 2:
        yield f"multi-hop with one turn: {text}"


def _balance(life: Life) -> Iterable[str]:
    turns, questions = life.turns, life.questions
    sessions = {t.session for t in turns}
    yield from _least("turns", len(turns), TURNS_MIN)
    yield from _least("sessions", len(sessions), SESSIONS_MIN)
    yield from _least("questions", len(questions), QUESTIONS_MIN)
    yield from _least("corrections", len(life.corrections), CORRECTIONS_MIN)
    first, last = turns[0].at, turns[-1].at
    if first and last and last - first < SPAN_MIN:
        yield f"spans {(last - first).days} days; at least {SPAN_MIN.days}"
    yield from _each("questions", Counter(str(q.sort) for q in questions), SORTS_MIN)
    found = Counter(str(p.relation) for p in life.pairs)
    yield from _each("pairs", found, RELATIONS_MIN)
    kept = sum(s.keep for s in life.said) / len(turns)
    if not KEEP_SHARE[0] <= kept <= KEEP_SHARE[1]:
        yield f"{kept:.0%} of the turns are worth keeping; {KEEP_SHARE} expected"
    answerable = [q for q in questions if q.evidence]
    shares = Counter(overlap(q, life) for q in answerable)
    for name, (low, high) in SHARES.items():
        share = shares[name] / max(len(answerable), 1)
        if not low <= share <= high:
            yield (
                f"{share:.0%} of the questions share {name} of their words; "
                f"{low:.0%} to {high:.0%}"
            )


def _each(
    what: str, found: Mapping[str, int], at_least: Mapping[str, int]
) -> Iterable[str]:
    for name, least in at_least.items():
        yield from _least(f"{name} {what}", found.get(name, 0), least)


def _least(what: str, found: int, least: int) -> Iterable[str]:
    if found < least:
        yield f"{found} {what}; at least {least}"


def _repeats(life: Life) -> Iterable[str]:
    seen: dict[tuple[str, ...], str] = {}
    for turn in life.turns:
        for run in _runs(turn.text, REPEATED_WORDS):
            if seen.setdefault(run, turn.id) != turn.id:
                yield f"{turn.id} repeats {seen[run]}: {' '.join(run)}"
                break


def shared_runs(all_lives: Sequence[Life]) -> list[str]:
    """Runs of `SHARED_WORDS` words that stand in two lives, as a template's would."""
    seen: dict[tuple[str, ...], str] = {}
    return [
        f"{life.name} and {seen[run]}: {' '.join(run)}"
        for life in all_lives
        for turn in life.turns
        for run in _runs(_CAPTION.sub(" ", turn.text), SHARED_WORDS)
        if seen.setdefault(run, life.name) != life.name
    ]


def _runs(text: str, length: int) -> Iterable[tuple[str, ...]]:
    said = [word.lower() for word in _WORD.findall(text)]
    for n in range(len(said) - length + 1):
        yield tuple(said[n : n + length])


def summary(life: Life) -> str:
    """The life in one line of figures."""
    shares = Counter(overlap(q, life) for q in life.questions if q.evidence)
    kept = sum(s.keep for s in life.said) / len(life.said)
    length = sum(len(t.text.split()) for t in life.turns) / len(life.turns)
    return (
        f"{life.name}: {len(life.turns)} turns, {len(life.questions)} questions "
        f"(none {shares['none']}, some {shares['some']}, most {shares['most']}), "
        f"{len(life.pairs)} pairs, keep {kept:.0%}, {length:.0f} words a turn"
    )


def report(paths: Iterable[Path]) -> tuple[list[str], int]:
    """What is to be said of the lives in *paths*, line by line, and how many faults."""
    lines, wrong = [], 0
    for life in map(read, paths):
        found = faults(life)
        wrong += len(found)
        lines += [summary(life), *(f"  {fault}" for fault in found)]
        lines += [
            f"    {overlap(question, life):5s} {question.sort:12s} {question.text}"
            for question in life.questions
            if question.evidence
        ]
    return lines, wrong


def figures(all_lives: Sequence[Life]) -> str:
    """What stands in docs/corpus.md: a row for each split, and counts of all labels."""
    rows = [
        f"| {split} | {' | '.join(f'{n:,}' for n in counts(of).values())} |"
        for split in ("train", "validation", "test", "all")
        if (of := [x for x in all_lives if split in ("all", x.split)])
    ]
    labels: dict[str, Counter[str]] = {
        "kinds": Counter(str(s.kind) for x in all_lives for s in x.said),
        "sorts": Counter(q.sort for x in all_lives for q in x.questions),
        "relations": Counter(p.relation for x in all_lives for p in x.pairs),
        "overlap": Counter(
            overlap(q, x) for x in all_lives for q in x.questions if q.evidence
        ),
        "chats": Counter(x.chat for x in all_lives),
    }
    told = [
        f"{what}: {', '.join(f'{name} {n:,}' for name, n in found.most_common())}"
        for what, found in labels.items()
    ]
    return "\n".join([*rows, *told])


def counts(some: Sequence[Life]) -> dict[str, int]:
    """How many lives, turns, questions, pairs and corrections there are."""
    return {
        "lives": len(some),
        "turns": sum(len(life.said) for life in some),
        "questions": sum(len(life.questions) for life in some),
        "pairs": sum(len(life.pairs) for life in some),
        "corrections": sum(len(life.corrections) for life in some),
    }


if __name__ == "__main__":
    said, faulty = report(map(Path, sys.argv[1:]))
    print("\n".join(said) or figures(lives()))  # noqa: T201
    sys.exit(bool(faulty))
