"""Lives cut short and a tiny model, so that a whole training takes seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from psm_core.train.corpus import Life


def _shortened(life: Life, sessions: int, questions: int) -> Life:
    first = list(dict.fromkeys(turn.session for turn in life.turns))[:sessions]
    said = tuple(s for s in life.said if s.turn.session in first)
    told = {s.turn.id for s in said}
    asked = [q for q in life.questions if q.evidence and told.issuperset(q.evidence)]
    silent = [q for q in life.questions if not q.evidence]
    return replace(
        life,
        said=said,
        questions=(*asked[:questions], *silent[: -(-questions // 4)]),
        pairs=tuple(p for p in life.pairs if not p.ids or told.issuperset(p.ids)),
        corrections=tuple(
            c for c in life.corrections if told.issuperset((c.turn, c.of))
        ),
    )


@pytest.fixture(scope="session")
def shortened():
    """A life's first sessions, what is asked of them, and what nothing answers.

    `shortened(life, sessions=3, questions=8)`: a fourth as many questions again have
    no answer.
    """

    def short(life, *, sessions=3, questions=8):
        return _shortened(life, sessions, questions)

    return short
