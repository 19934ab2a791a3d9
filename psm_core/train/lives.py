"""More lives out of the written ones, seeded: crowded, shortened, changed, and long."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from psm_core.train.corpus import Life, Pair, Question, Said
from psm_core.types import Turn

YEAR = timedelta(days=365)

_THING = re.compile(r"\b(?:the|a|an|my|our|his|her|their) ([a-z]{4,})\b")
_NUMBER = re.compile(r"\b\d{1,4}\b")
_WORD = re.compile(r"[a-z]+")


def crowded(life: Life, others: Sequence[Life], seed: int) -> Life:
    """The same life in a fuller store: the others' sessions happen to its people too.

    What others told each other is put into the mouths of this life's people, with
    their names, at times spread over this life's months.  Questions and pairs stay
    those of *life*.

    Args:
        life: Whose questions are asked.
        others: Lives of the same sort of chat.
        seed: Orders the sessions.

    Returns:
        A life with the turns of all; ids of the others carry their life's name.
    """
    draw = random.Random(seed)  # noqa: S311 - not a secret
    sessions = [*_sessions(life)]
    start, end = _when(sessions[0]), _when(sessions[-1])
    for other in others:
        names = _renaming(other, life)
        for session in _sessions(other):
            at = start + (end - start) * draw.random()
            sessions.append([_moved(s, at, other.name, names) for s in session])
    sessions.sort(key=_when)
    return replace(life, said=tuple(s for session in sessions for s in session))


def without(life: Life, turn_id: str) -> Life:
    """The same life with one thing never said; what rested on it can't be answered.

    Args:
        life: The life as it was.
        turn_id: The turn that is left out.

    Returns:
        A life whose questions about that turn are unanswerable, save those that
        other turns answer in part, which are left out.
    """
    return replace(
        life,
        said=tuple(s for s in life.said if s.turn.id != turn_id),
        questions=tuple(_reasked(life.questions, turn_id)),
        pairs=tuple(p for p in life.pairs if not p.ids or turn_id not in p.ids),
        corrections=tuple(c for c in life.corrections if turn_id not in (c.turn, c.of)),
    )


def changed(life: Life, pair: Pair) -> Life:
    """The same life with one fact otherwise: the old statement gives way to the new.

    Args:
        life: The life as it was.
        pair: Two of its turns; the old one's words are replaced by the new one's.

    Raises:
        ValueError: The pair doesn't stand in the life.
    """
    if pair.ids is None:
        raise ValueError("the pair has no turns; take one whose ids are given")
    old, _ = pair.ids
    return replace(
        life,
        said=tuple(
            s._replace(turn=replace(s.turn, text=pair.new)) if s.turn.id == old else s
            for s in life.said
        ),
    )


def long(lives: Sequence[Life], turns: int, span: timedelta, seed: int) -> list[Turn]:
    """One person's chat over years: sessions of all lives, told in one voice after all.

    Args:
        lives: What is told; the first gives the names.
        turns: At least so many turns.
        span: From the first session to the last.
        seed: Orders the sessions, and changes what is told in each retelling: numbers
            are others, and things stand where other things stood.

    Returns:
        Turns in the order of their times, with ids of their own.
    """
    draw = random.Random(seed)  # noqa: S311 - not a secret
    heard: list[list[Said]] = []
    told = 0
    for retelling in range(turns):
        for life in draw.sample(list(lives), len(lives)):
            if told >= turns:
                break
            names = _renaming(life, lives[0])
            other = _swapped(life, draw) if retelling else {}
            for session in _sessions(life):
                prefix = f"{life.name}.{retelling}"
                moved = [_moved(s, _when(session), prefix, names) for s in session]
                heard.append([_retold(s, other, retelling) for s in moved])
                told += len(session)
        if told >= turns:
            break
    draw.shuffle(heard)
    start = min(_when(session) for session in heard)
    return [
        said.turn
        for n, session in enumerate(heard)
        for said in _at(session, start + span * (n / max(len(heard) - 1, 1)))
    ]


# -------------------------------------------------------------------- the pieces


def _sessions(life: Life) -> Iterable[list[Said]]:
    found: dict[str, list[Said]] = {}
    for said in life.said:
        found.setdefault(said.turn.session, []).append(said)
    return found.values()


def _when(session: Sequence[Said]) -> datetime:
    at = session[0].turn.at
    assert at is not None
    return at


def _renaming(other: Life, life: Life) -> Mapping[str, str]:
    return dict(zip(other.people, life.people, strict=False))


def _moved(said: Said, at: datetime, prefix: str, names: Mapping[str, str]) -> Said:
    turn = said.turn
    pattern = rf"\b({'|'.join(map(re.escape, names))})\b"
    return said._replace(
        turn=replace(
            turn,
            text=re.sub(pattern, lambda m: names[m[1]], turn.text),
            speaker=names.get(turn.speaker, turn.speaker),
            at=at,
            session=f"{prefix}/{turn.session}",
            id=f"{prefix}/{turn.id}",
        )
    )


def _swapped(life: Life, draw: random.Random) -> Mapping[str, str]:
    """Each thing of a life, and which other one stands for it in a retelling."""
    told = " ".join(turn.text for turn in life.turns)
    things = sorted({m[1] for m in _THING.finditer(told)})
    return dict(zip(things, draw.sample(things, len(things)), strict=True))


def _retold(said: Said, other: Mapping[str, str], retelling: int) -> Said:
    """The same turn of another time: told twice, nothing is said before."""
    text = _NUMBER.sub(lambda m: str(int(m[0]) + retelling), said.turn.text)
    text = _WORD.sub(lambda m: other.get(m[0], m[0]), text)
    return said._replace(turn=replace(said.turn, text=text))


def _at(session: Sequence[Said], at: datetime) -> Iterable[Said]:
    start = _when(session)
    for said in session:
        assert said.turn.at is not None
        yield said._replace(turn=replace(said.turn, at=at + (said.turn.at - start)))


def _reasked(questions: Iterable[Question], turn_id: str) -> Iterable[Question]:
    for question in questions:
        if turn_id not in question.evidence:
            yield question
        elif len(question.evidence) == 1:
            yield question._replace(sort="unanswerable", evidence=(), answer="")
