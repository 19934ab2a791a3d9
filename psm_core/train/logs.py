"""Logged interactions as numbers: what a recall showed, and what became of it.

They come from people who are simulated on the written lives, and from the journals of
real stores.  Neither holds a word, and nobody learns from anything else in stage 3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psm_core.model.logged import Logged, of_list, together
from psm_core.model.pool import LEARNED_HASH
from psm_core.model.ranking import chances
from psm_core.store.journals import journals
from psm_core.strength import REWARD
from psm_core.train.corpus import Life
from psm_core.train.pools import Asked
from psm_core.types import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psm_core.train.pools import Table

    Column = NDArray[np.float32]
    Codes = NDArray[np.int64]

SHOWN = 10
"""Memories that a recall shows; as ``Config.recall_limit``."""

FLIPPED = 0.1
"""Share of the outcomes that come out wrong: people praise and blame by mistake."""

OUTCOMES = (Outcome.IGNORED, Outcome.USED, Outcome.CORRECTED)
"""In the order in which a simulated person counts them."""

_IGNORED, _USED, _CORRECTED = range(3)
_REWARDS = np.array([REWARD[outcome] for outcome in OUTCOMES], np.float32)


class Journals(NamedTuple):
    """What the journals of a home hold.

    Args:
        people: By person, their recalls in the order of time.
        rows: Rows in all.
        foreign: Rows that hold other features than this release computes.
        alone: Rows of recalls of which no two rows are left, or of showings that were
            forgotten; they tell of no order.
    """

    people: Sequence[Sequence[Logged]]
    rows: int
    foreign: int
    alone: int


# ----------------------------------------------------------------------- real stores


def journalled(home: Path) -> Journals:
    """The recalls that the journals of all people in *home* tell of.

    Args:
        home: The folder that holds the people's folders; nothing in it is changed.
    """
    people, rows, foreign, alone = [], 0, 0, 0
    for journal in journals(home):
        known = [row for row in journal if of_list(row, LEARNED_HASH)]
        recalls = together(known)
        rows += len(journal)
        foreign += len(journal) - len(known)
        alone += len(known) - sum(len(one.rewards) for one in recalls)
        if recalls:
            people.append(recalls)
    return Journals(people, rows, foreign, alone)


# ------------------------------------------------------------------ simulated people


def simulated(
    questions: Sequence[Asked],
    points: Callable[[Table], Column],
    episodes: int,
    seed: int,
    *,
    misleading: Mapping[str, Mapping[str, Collection[str]]] | None = None,
    flipped: float = FLIPPED,
) -> list[Logged]:
    """What a policy would log that shows people memories and sees them react.

    Each episode asks one of the questions.  The policy draws what it shows, one after
    the other, so that its propensities are real.  Evidence is used; what *misleading*
    names is corrected; the rest is ignored.

    Args:
        questions: What is asked, each as often as chance has it.
        points: From (K, F) features to the policy's (K,) points.
        episodes: How many recalls.
        seed: Of all chance.
        misleading: By person and needed turn, the turns that tell it wrongly; see
            `outdated`.  None means nobody ever corrects.
        flipped: Share of the outcomes that come out wrong.

    Source:
        Drawing without replacement by Gumbel noise: Yellott (1977); the orders that
        come of it are those of Plackett (1975) and Luce (1959).
    """
    draw = np.random.default_rng(seed)
    found = {
        row: (chances(points(questions[row].features)), _earned(questions[row], wrong))
        for row, wrong in enumerate(_wrong(one, misleading or {}) for one in questions)
        if len(questions[row].candidates)
    }
    rows = list(found)
    logged = []
    for row in draw.choice(rows, size=episodes):
        likely, outcomes = found[row]
        noisy = np.log(likely) + draw.gumbel(size=len(likely))
        shown = np.argsort(-noisy)[:SHOWN]
        seen = _misjudged(outcomes[shown], draw.random(len(shown)) < flipped)
        features = questions[row].features[shown]
        logged.append(Logged(features, likely[shown], _REWARDS[seen]))
    return logged


def outdated(lives: Iterable[Life]) -> dict[str, dict[str, set[str]]]:
    """By person and turn, the turns that it brings up to date or takes back."""
    found: dict[str, dict[str, set[str]]] = {}
    for life in lives:
        by_new = found.setdefault(life.name, {})
        updates = [p.ids for p in life.pairs if p.ids and p.relation == "update"]
        for old, new in (*updates, *((c.of, c.turn) for c in life.corrections)):
            by_new.setdefault(new, set()).add(old)
    return found


def _wrong(
    one: Asked, misleading: Mapping[str, Mapping[str, Collection[str]]]
) -> set[str]:
    own = misleading.get(one.person, {})
    return {old for new in one.sources for old in own.get(new, ())} - one.sources


def _earned(one: Asked, wrong: Collection[str]) -> Codes:
    """(K,) what becomes of each candidate if it is shown, as places in `OUTCOMES`."""
    told = [set(candidate.entry.sources) for candidate in one.candidates]
    misled = np.array([bool(turns) and turns <= set(wrong) for turns in told])
    rest = np.where(misled, _CORRECTED, _IGNORED)
    return np.where(one.relevant, _USED, rest)


def _misjudged(outcomes: Codes, flips: NDArray[np.bool_]) -> Codes:
    """The outcomes, where *flips* is set the wrong way round."""
    other = np.where(outcomes == _USED, _IGNORED, _USED)
    return np.where(flips, other, outcomes)
