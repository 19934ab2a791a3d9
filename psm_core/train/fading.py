"""How fast should each memory fade? Lives go on with questions, and the head learns."""

from __future__ import annotations

import bisect
import math
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from psm_core.model import fading as rules
from psm_core.model.heads import FADING, Fading
from psm_core.model.kinds import LASTING_FIRST
from psm_core.model.network import PSM
from psm_core.model.signs import Heard, known_names, signs
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
from psm_core.types import Entry, Outcome, Tier, Trace, Turn

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

VAIN_MOST = -math.log(1 - rules.SHOWN_IN_VAIN) / 2
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


def kept(
    retained: Sequence[float], course: Course, budget: float
) -> dict[int, float]:
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
    seen = torch.ones_like(weight)
    seen[:, : network.shape.state] = 0
    sharpness = nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.Adam([weight, bias, sharpness], lr=RATE)
    best = (-1.0, weight, bias)
    for epoch in range(EPOCHS + 1):
        if epoch % EVERY == 0:
            share = _share(head, held)
            say(f"fading, epoch {epoch}: {share:.3f} of what was needed is kept")
            if share > best[0]:
                best = (share, weight.detach().clone(), bias.detach().clone())
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
    days: Tensor  # (N, K + 1) the rules' half-life, before and after each outcome
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
    for life in lives:
        entries, state = heard(network, life, encoder)
        for seed in range(first, first + count):
            drawn = course(life, encoder, seed)
            courses.append(drawn)
            steps += _steps(entries, drawn)
            states.append(state[: drawn.heard])
    most = max(len(s.outcomes) for s in steps)
    rows = [_padded(s, most) for s in steps]
    began = [s.entries[0].trace for s in rows]
    return _Batch(
        courses,
        strength=torch.tensor([trace.strength for trace in began]),
        floor=torch.tensor([trace.floor for trace in began]),
        state=torch.cat(states),
        days=torch.tensor([[_days(e) for e in s.entries] for s in rows]),
        became=torch.tensor([[Fading.became(e) for e in s.entries] for s in rows]),
        elapsed=torch.tensor([s.elapsed for s in rows]),
        outcome=torch.tensor([s.outcomes for s in rows]),
        needed=torch.cat([_needed(drawn) for drawn in courses]),
    )


def heard(
    network: PSM, life: Life, encoder: Remembered
) -> tuple[list[Entry], Tensor]:
    """A life's turns as the network takes them in, and what it reads, (N, H)."""
    known = known_names(list(life.people))
    before: dict[str, Turn] = {}
    rows = []
    for turn in life.turns:
        told = before.get(turn.session)
        rows.append(signs(Heard(turn.text, turn.speaker, turn.role, told, known)))
        before[turn.session] = turn
    vectors = encoder.encode([turn.text for turn in life.turns])
    network.eval()
    with torch.inference_mode(False), torch.no_grad():
        reading = network.reader(torch.tensor(vectors), torch.tensor(np.stack(rows)))
    worth = ((reading.keep + reading.needed) / 2).sigmoid()
    emotion = (reading.feeling[:, 0].abs() + reading.feeling[:, 1]) / 2
    entries = [
        entry(turn, LASTING_FIRST[kind], strength, moved)
        for turn, kind, strength, moved in zip(
            life.turns,
            reading.kind.argmax(1).tolist(),
            worth.tolist(),
            emotion.tolist(),
            strict=True,
        )
    ]
    return entries, reading.state
