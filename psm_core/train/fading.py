"""How fast should each memory fade? Lives go on with questions, and the head learns."""

from __future__ import annotations

import bisect
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from psm_core.model import fading as rules
from psm_core.model.heads import FADING, LOG_FACTOR_MAX, Fading, Reading
from psm_core.model.kinds import LASTING_FIRST
from psm_core.model.network import PSM
from psm_core.model.signs import SIGN_NAMES, Heard, known_names, signs
from psm_core.strength import (
    CORRECTED_LOSS,
    FLOOR,
    HALF_LIFE_MAX,
    HALF_LIFE_MIN,
    IGNORED_LOSS,
    USED_GAIN,
    judged,
)
from psm_core.train.corpus import Life
from psm_core.train.material import Material, Remembered, Say
from psm_core.types import Entry, Kind, Outcome, Tier, Trace, Turn

DAY = timedelta(days=1)

ASKED_EARLY = 0.5
"""Share of the questions that are asked soon after their evidence; the rest are asked
when the life has been told."""

ASKED_AGAIN = 0.3
"""Share of the questions asked before the moment that come up again after it.  Whoever
wrote the lives asked each thing once; people don't: what was needed once is needed
sooner again (Anderson and Schooler, 1991).  Set by hand."""

DELAYS = (timedelta(hours=1), timedelta(days=365))
"""Shortest and longest time from evidence to question; its log is drawn evenly."""

IN_VAIN = (3, 5)
"""Fewest and most memories that are shown with the evidence and not used."""

MOMENTS = (0.6, timedelta(days=180))
"""The moment lies between this share of a life's months and this time after it."""

COURSES = 3
"""Courses of each training person's life; validation people have twice as many."""

BUDGETS = (0.1, 0.2, 0.4)
"""Shares of the turns that are kept, by retention; what is needed should be in them."""

EPOCHS = 120
EVERY = 20
"""Epochs between two looks at the validation people."""

RATE = 5e-3
"""Learning rate of Adam."""

SHRINK = 1e-2
"""Weight of the squared weights in the loss: a pull towards the rules' half-life."""

VAIN_MOST = -math.log(1 - rules.SHOWN_IN_VAIN) / LOG_FACTOR_MAX
"""Largest weight on showings in vain that can't outweigh what the rules take."""


class Judged(NamedTuple):
    """When which memory (its row in the life) was shown, and what became of it."""

    at: datetime
    row: int
    outcome: Outcome


class Course(NamedTuple):
    """How a life went until a moment, and what is needed after it.

    ``heard`` counts the turns heard by *now*; ``needed`` gives, by question (its place
    in the life), the rows of its evidence heard by then.
    """

    life: Life
    now: datetime
    heard: int
    judged: tuple[Judged, ...]
    needed: dict[int, tuple[int, ...]]


def course(
    life: Life, encoder: Remembered, seed: int, again: float = ASKED_AGAIN
) -> Course:
    """One way in which a life may go on with its questions, drawn by *seed*.

    Evidence of what was asked was used; the nearest other turns were shown in vain.
    What corrected an earlier turn is an outcome of that turn.

    Args:
        life: Turns, questions and corrections; turns in the order of their times.
        encoder: Says which turns are near to a question.
        seed: Of all chance; the life's name is part of it.
        again: Share in [0, 1] of what was asked that is asked again.
    """
    draw = random.Random(f"{seed}/{life.name}")  # noqa: S311 - not a secret
    times = [_at(turn) for turn in life.turns]
    row = {turn.id: n for n, turn in enumerate(life.turns)}
    vectors = encoder.encode([turn.text for turn in life.turns])  # (N, D)
    start, end = times[0], times[-1]
    earliest, latest = start + MOMENTS[0] * (end - start), end + MOMENTS[1]
    now = earliest + (latest - earliest) * draw.random()
    heard = bisect.bisect_right(times, now)
    events: list[Judged] = []
    needed: dict[int, tuple[int, ...]] = {}
    for number, question in enumerate(life.questions):
        evidence = tuple(row[i] for i in question.evidence if i in row)
        if not evidence:
            continue
        early, returns = draw.random() < ASKED_EARLY, draw.random() < again
        at = times[max(evidence)] + DELAYS[0] * _log_even(draw)
        shown = draw.randint(*IN_VAIN)
        past = early and at <= now
        if past:
            own = encoder.encode([question.text])[0]  # (D,)
            near = np.argsort(-vectors[: bisect.bisect_right(times, at)] @ own)
            vain = [int(n) for n in near if n not in evidence][:shown]
            events += [Judged(at, n, Outcome.USED) for n in evidence]
            events += [Judged(at, n, Outcome.IGNORED) for n in vain]
        if returns or not past:
            known = tuple(n for n in evidence if n < heard)
            needed.update({number: known} if known else {})
    for by, of in life.corrections:
        if max(row[by], row[of]) < heard:
            events.append(Judged(times[row[by]], row[of], Outcome.CORRECTED))
    return Course(life, now, heard, tuple(sorted(events)), needed)


def lived(
    entries: Sequence[Entry], course: Course, half_life: Callable[[Entry], timedelta]
) -> list[Entry]:
    """Those of *entries* that were heard, after all that became of them.

    Args:
        entries: One for each turn of the life, as it was heard.
        course: What became of them.
        half_life: Decides anew after each outcome, as `Policy.half_life` does.
    """
    found = list(entries[: course.heard])
    for event in course.judged:
        entry = _counted(found[event.row], event)
        trace = replace(entry.trace, half_life=half_life(entry))
        found[event.row] = replace(entry, trace=trace)
    return found


def kept(retained: Sequence[float], course: Course, budget: float) -> dict[int, float]:
    """By needed question, the share of its evidence among what is retained most.

    Args:
        retained: (N,) by row, for the turns that were heard.
        course: What is needed.
        budget: Share in [0, 1] of the turns that are kept.
    """
    draw = random.Random(course.heard)  # noqa: S311 - ties fall by chance
    order = sorted(range(course.heard), key=lambda n: (-retained[n], draw.random()))
    top = set(order[: round(budget * course.heard)])
    return {q: len(top & set(n)) / len(n) for q, n in course.needed.items()}


def train_fading(network: PSM, material: Material, say: Say) -> dict[str, float]:
    """Train the head of half-lives on top of a trained reader, in place.

    It starts at the rules' half-life.  What was needed at a moment should have
    retained more than the rest: a softmax over the log retention of all that was
    heard.  The text's own state is left out, for it fits the people and not the task.

    Args:
        network: Its reader is trained and stays as it is.
        material: Lives, encoder and seed.
        say: Told how much is kept, every `EVERY` epochs.

    Returns:
        Nothing: the head acts always, from no threshold on.

    Source:
        Half-life regression: Settles and Meeder (2016), with a ranking loss.
    """
    torch.manual_seed(material.seed)
    first = material.seed * 100
    train = _batch(network, material.train, material.encoder, first, COURSES)
    held = _batch(network, material.validation, material.encoder, first, 2 * COURSES)
    head = network.fading
    weight, bias = head.out.weight, head.out.bias
    _set(head, torch.zeros_like(weight), torch.zeros_like(bias))
    seen = torch.zeros_like(weight)
    seen[:, -len(SIGN_NAMES) - len(FADING) :] = 1
    sharpness = nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.Adam([weight, bias, sharpness], lr=RATE)
    best = (math.inf, weight.detach().clone(), bias.detach().clone())
    for epoch in range(EPOCHS + 1):
        if epoch % EVERY == 0:
            # The loss chooses: shares within a budget move by a question or two.
            missed = float(_missed(head, held, sharpness).detach())
            say(
                f"fading, epoch {epoch}: {missed:.3f} nats missed, "
                f"{_share(head, held):.3f} of what was needed is kept"
            )
            if missed < best[0]:
                best = (missed, weight.detach().clone(), bias.detach().clone())
        optimizer.zero_grad()
        pull = weight[:, : -len(FADING)].square().sum() + bias.square().sum()
        loss = _missed(head, train, sharpness) + SHRINK * pull
        loss.backward()  # type: ignore[no-untyped-call]
        assert weight.grad is not None
        weight.grad *= seen
        optimizer.step()
        _within(head)
    _set(head, *best[1:])
    return {}


# ------------------------------------------------------------------ as numbers


class _Batch(NamedTuple):
    """Courses as tensors; N rows are the turns heard in all, K the most outcomes."""

    courses: list[Course]
    strength: Tensor  # (N,) as heard
    floor: Tensor  # (N,)
    state: Tensor  # (N, H)
    days: Tensor  # (N, K + 1) half-life by rule, before and after each outcome
    became: Tensor  # (N, K + 1, F) see `FADING`
    elapsed: Tensor  # (N, K + 1) days from each anchor to the next, then to the moment
    outcome: Tensor  # (N, K) 0 where none
    needed: Tensor  # (N,) sums to 1 over each course

    @property
    def sizes(self) -> list[int]:
        """Rows of each course."""
        return [course.heard for course in self.courses]


_CODE = {Outcome.USED: 1, Outcome.IGNORED: 2, Outcome.CORRECTED: 3}


class _Steps(NamedTuple):
    """What became of one memory, step by step, the last step repeated."""

    entries: list[Entry]
    outcomes: list[int]
    elapsed: list[float]


def _batch(
    network: PSM, lives: Sequence[Life], encoder: Remembered, first: int, count: int
) -> _Batch:
    courses: list[Course] = []
    steps: list[_Steps] = []
    states: list[Tensor] = []
    between: list[Tensor] = []
    for life in lives:
        entries, reading = heard(network, life, encoder)
        doubt = network.fading.between(reading.kind, [e.kind for e in entries]).exp()
        for seed in range(first, first + count):
            drawn = course(life, encoder, seed)
            courses.append(drawn)
            steps += _steps(entries, drawn)
            states.append(reading.state[: drawn.heard])
            between.append(doubt[: drawn.heard])
    most = max(len(s.outcomes) for s in steps)
    rows = [_padded(s, most) for s in steps]
    began = [s.entries[0].trace for s in rows]
    return _Batch(
        courses,
        strength=torch.tensor([trace.strength for trace in began]),
        floor=torch.tensor([trace.floor for trace in began]),
        state=torch.cat(states),
        days=torch.tensor([[_days(e) for e in s.entries] for s in rows])
        * torch.cat(between).unsqueeze(1),
        became=torch.tensor([[Fading.became(e) for e in s.entries] for s in rows]),
        elapsed=torch.tensor([s.elapsed for s in rows]),
        outcome=torch.tensor([s.outcomes for s in rows]),
        needed=torch.cat([_needed(drawn) for drawn in courses]),
    )


def heard(network: PSM, life: Life, encoder: Remembered) -> tuple[list[Entry], Reading]:
    """A life's turns as the network takes them in, and what it reads in them."""
    known = known_names(list(life.people))
    before: dict[str, Turn] = {}
    rows = []
    for turn in life.turns:
        told = before.get(turn.session)
        rows.append(signs(Heard(turn.text, turn.speaker, turn.role, told, known)))
        before[turn.session] = turn
    vectors = encoder.encode([turn.text for turn in life.turns])
    network.eval()
    with torch.no_grad():
        reading = network.reader(torch.tensor(vectors), torch.tensor(np.stack(rows)))
        worth = network.calibrated("keep", reading.worth)
    entries = [
        as_heard(turn, LASTING_FIRST[kind], strength, moved)
        for turn, kind, strength, moved in zip(
            life.turns,
            reading.kind.argmax(1).tolist(),
            worth.tolist(),
            reading.emotion.tolist(),
            strict=True,
        )
    ]
    return entries, reading


def as_heard(turn: Turn, kind: Kind, strength: float, emotion: float) -> Entry:
    """The memory that a kept turn becomes, with the half-life that the rules give it.

    Args:
        turn: With a time.
        kind: What sort of thing it says.
        strength: In [0, 1].
        emotion: Emotional weight in [0, 1].
    """
    floor = min(FLOOR.get(kind, 0.0), strength)
    trace = Trace(strength, HALF_LIFE_MAX, _at(turn), floor)
    entry = Entry(
        id=turn.id,
        tier=Tier.EPISODIC,
        kind=kind,
        text=turn.text,
        speaker=turn.speaker,
        role=turn.role,
        session=turn.session,
        said_at=_at(turn),
        sources=(turn.id,),
        trace=trace,
        emotion=emotion,
    )
    return replace(entry, trace=replace(trace, half_life=rules.half_life(entry)))


def _steps(entries: Sequence[Entry], course: Course) -> list[_Steps]:
    found = [_Steps([e], [], []) for e in entries[: course.heard]]
    anchors = [e.said_at for e in entries[: course.heard]]
    for event in course.judged:
        step = found[event.row]
        step.entries.append(_counted(step.entries[-1], event))
        step.outcomes.append(_CODE[event.outcome])
        step.elapsed.append(_since(anchors[event.row], event.at))
        anchors[event.row] = max(event.at, anchors[event.row])
    for step, anchor in zip(found, anchors, strict=True):
        step.elapsed.append(_since(anchor, course.now))
    return found


def _padded(step: _Steps, most: int) -> _Steps:
    """The same with *most* outcomes: nothing happens, after no time, at its end."""
    short = most - len(step.outcomes)
    return _Steps(
        step.entries + step.entries[-1:] * short,
        step.outcomes + [0] * short,
        step.elapsed + [0.0] * short,
    )


def _needed(course: Course) -> Tensor:
    """(heard,) which rows are needed, each question counting the same; sums to 1."""
    weight = torch.zeros(course.heard)
    for rows in course.needed.values():
        weight[list(rows)] += 1 / len(rows)
    return weight / max(len(course.needed), 1)


# -------------------------------------------------------------------- learning


def _retained(head: Fading, batch: _Batch) -> Tensor:
    """(N,) strength left at the moment, by the arithmetic of `psm_core.strength`."""
    strength, floor = batch.strength, batch.floor
    for k in range(batch.days.shape[1]):
        factor = head(batch.state, batch.became[:, k]).exp()  # (N,)
        days = (batch.days[:, k] * factor).clamp(
            HALF_LIFE_MIN / DAY, HALF_LIFE_MAX / DAY
        )
        above = (strength - floor).clamp_min(0)
        strength = strength - above * (1 - 2 ** -(batch.elapsed[:, k] / days))
        if k == batch.outcome.shape[1]:
            break
        became = batch.outcome[:, k]
        used = strength + (1 - strength) * USED_GAIN
        ignored = torch.maximum(strength * (1 - IGNORED_LOSS), floor)
        corrected = strength * (1 - CORRECTED_LOSS)
        floor = torch.where(became == _CODE[Outcome.CORRECTED], 0.0, floor)
        strength = torch.where(became == _CODE[Outcome.USED], used, strength)
        strength = torch.where(became == _CODE[Outcome.IGNORED], ignored, strength)
        strength = torch.where(became == _CODE[Outcome.CORRECTED], corrected, strength)
    return strength


def _missed(head: Fading, batch: _Batch, sharpness: Tensor) -> Tensor:
    """Cross entropy between what is needed and what is retained, mean over courses."""
    points = sharpness * _retained(head, batch).clamp_min(1e-6).log()  # (N,)
    rows = zip(
        torch.split(points, batch.sizes),
        torch.split(batch.needed, batch.sizes),
        strict=True,
    )
    losses = [-(needed * own.log_softmax(0)).sum() for own, needed in rows]
    return torch.stack(losses).mean()


def _share(head: Fading, batch: _Batch) -> float:
    """The share of what is needed that is kept, mean over `BUDGETS` and questions."""
    with torch.no_grad():
        retained = torch.split(_retained(head, batch), batch.sizes)
    return statistics.fmean(
        share
        for own, drawn in zip(retained, batch.courses, strict=True)
        for budget in BUDGETS
        for share in kept(own.tolist(), drawn, budget).values()
    )


def _within(head: Fading) -> None:
    """Whatever was learned: a use shortens no half-life, other outcomes lengthen none.

    Few corrections are told in the lives, so that they could teach the opposite.
    """
    used, vain, corrected = (FADING.index(n) for n in ("used", "vain", "corrected"))
    with torch.no_grad():
        became = head.out.weight[0, -len(FADING) :]
        became[used].clamp_(min=0.0)
        became[vain].clamp_(max=VAIN_MOST)
        became[corrected].clamp_(max=0.0)


def _set(head: Fading, weight: Tensor, bias: Tensor) -> None:
    with torch.no_grad():
        head.out.weight.copy_(weight)
        head.out.bias.copy_(bias)


# ------------------------------------------------------------------ the pieces


def _counted(entry: Entry, event: Judged) -> Entry:
    """*entry* after one outcome, its half-life not yet decided anew."""
    return replace(
        entry,
        trace=judged(entry.trace, event.outcome, event.at),
        recalled=entry.recalled + 1,
        used=entry.used + (event.outcome is Outcome.USED),
        corrected=entry.corrected + (event.outcome is Outcome.CORRECTED),
    )


def _at(turn: Turn) -> datetime:
    assert turn.at is not None
    return turn.at


def _since(before: datetime, after: datetime) -> float:
    """Days between two moments; 0 where they are the other way round."""
    return max((after - before) / DAY, 0.0)


def _days(entry: Entry) -> float:
    return rules.half_life(entry) / DAY


def _log_even(draw: random.Random) -> float:
    """How many times the shortest delay a question waits, its log drawn evenly."""
    return math.exp(draw.uniform(0.0, math.log(DELAYS[1] / DELAYS[0])))
