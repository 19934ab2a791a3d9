"""Does a memory bring back the turns that answer a question? Beside its baselines.

Evidence recall, not answer accuracy: no language model is asked.
"""

from __future__ import annotations

import json
import math
import random
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from psm_core.acts import bm25
from psm_core.errors import TranscriptError
from psm_core.memory import Memory
from psm_core.model.encoder import SentenceEncoder
from psm_core.transcripts import read
from psm_core.types import Turn

Step: TypeAlias = Callable[[str], None]
Ranking: TypeAlias = list[str]

ADVERSARIAL = 5
"""LoCoMo's category of questions about what was never said; they have no evidence."""

FUSED = 60
"""Constant of reciprocal-rank fusion: Cormack et al. (2009)."""

_TURN = re.compile(r"D\d+:\d+")

DRAWS = 500
"""Bootstrap samples behind a confidence interval."""


class Question(NamedTuple):
    """A question and the ids of the turns that answer it."""

    text: str
    sources: frozenset[str]


class Score(NamedTuple):
    """How one system did: means over questions, R@10 with its 95 % interval.

    ``won`` counts the conversations in which no other system had a higher R@10.
    """

    system: str
    questions: int
    recall_5: float
    recall_10: float
    low: float
    high: float
    ndcg_10: float
    won: int


def recall(data: Path | None = None, on_step: Step | None = None) -> list[Score]:
    """Ask each conversation its questions, of cosine, BM25, their fusion, and PSM.

    Args:
        data: A file in LoCoMo's format; None means the life that ships as the demo.
        on_step: Is told which conversation is being asked.

    Returns:
        One score for each system; PSM is the last.

    Raises:
        TranscriptError: *data* can't be read, or has no questions.
    """
    say = on_step or (lambda _: None)
    encoder = SentenceEncoder()
    found: dict[str, list[list[tuple[float, float, float]]]] = defaultdict(list)
    for name, (turns, questions) in _lives(data).items():
        say(f"{name}: {len(turns)} turns, {len(questions)} questions")
        with (
            tempfile.TemporaryDirectory(prefix="psm-bench-") as home,
            Memory(name, home=home, encoder=encoder) as memory,
        ):
            memory.remember_many(turns)
            baselines = _Baselines(turns, memory, encoder)
            rows = defaultdict(list)
            for question in questions:
                for system, ranking in baselines.rankings(question.text).items():
                    rows[system].append(_judged(ranking, question))
                rows["psm"].append(_judged(_psm(memory, question.text), question))
        for system, judged in rows.items():
            found[system].append(judged)
    if not found:
        raise TranscriptError(f"{data} has no questions with evidence")
    return [_score(system, found) for system in found]


def _psm(memory: Memory, cue: str) -> Ranking:
    hits = memory.recall(cue, limit=50, budget=None).hits
    return list(dict.fromkeys(source for hit in hits for source in hit.sources))


class _Baselines:
    """What others do with the same turns: cosine, BM25, and the fusion of both."""

    def __init__(
        self, turns: Sequence[Turn], memory: Memory, encoder: SentenceEncoder
    ) -> None:
        self._ids = [turn.id for turn in turns]
        self._memory = memory
        self._encoder = encoder
        self._vectors = encoder.encode([f"{t.speaker}: {t.text}" for t in turns])

    def rankings(self, cue: str) -> dict[str, Ranking]:
        """The ids that each proposes, best first."""
        near = np.argsort(-(self._vectors @ self._encoder.encode([cue])[0]))
        cosine = [self._ids[n] for n in near.tolist()]
        words = self._by_words(cue)
        fused: dict[str, float] = defaultdict(float)
        for ranking in (cosine, words):
            for rank, name in enumerate(ranking):
                fused[name] += 1 / (FUSED + rank)
        best = sorted(fused, key=fused.__getitem__, reverse=True)
        return {"cosine": cosine, "BM25": words, "RRF of both": best}

    def _by_words(self, cue: str) -> Ranking:
        with self._memory._open() as store:
            terms = store.terms(cue)
            scores = bm25.lexical(store.postings(terms, len(self._ids) * 20)).turn
            entries = store.entries(scores.keys.tolist())
            return [entries[seq].sources[0] for seq in scores.best(50)]


# ---------------------------------------------------------------- what is asked


def _lives(data: Path | None) -> dict[str, tuple[list[Turn], list[Question]]]:
    if data is not None:
        return _locomo(data)
    with resources.as_file(resources.files("psm_core.demo")) as folder:
        turns = list(read(folder / "life.jsonl").turns)
        asked = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    questions = [Question(q["cue"], frozenset(q["sources"])) for q in asked]
    return {"demo": (turns, [q for q in questions if q.sources])}


def _locomo(data: Path) -> dict[str, tuple[list[Turn], list[Question]]]:
    transcript = read(data)
    if transcript.format != "locomo":
        raise TranscriptError(
            f"{data.name} is {transcript.format}; questions come with LoCoMo's format"
        )
    heard: dict[str, list[Turn]] = defaultdict(list)
    for turn in transcript.turns:
        heard[turn.id.rpartition("/")[0]].append(turn)
    lives = {}
    for item in json.loads(data.read_text(encoding="utf-8")):
        name = item["sample_id"]
        known = {turn.id for turn in heard[name]}
        asked = [_question(q, name, known) for q in item["qa"]]
        lives[name] = heard[name], [q for q in asked if q.sources]
    return lives


def _question(asked: dict[str, object], name: str, known: set[str]) -> Question:
    evidence = asked.get("evidence")
    named = {f"{name}/{i}" for i in evidence} if isinstance(evidence, list) else set()
    answerable = asked.get("category") != ADVERSARIAL
    return Question(
        str(asked["question"]), frozenset(named & known if answerable else ())
    )


# ------------------------------------------------------------------- how it did


def _judged(ranking: Ranking, question: Question) -> tuple[float, float, float]:
    """R@5, R@10 and nDCG@10 of one question."""
    gains = [name in question.sources for name in ranking[:10]]
    ideal = sum(1 / math.log2(n + 2) for n in range(min(10, len(question.sources))))
    gained = sum(gain / math.log2(n + 2) for n, gain in enumerate(gains))
    wanted = len(question.sources)
    return sum(gains[:5]) / wanted, sum(gains) / wanted, gained / ideal


def _score(
    system: str, found: dict[str, list[list[tuple[float, float, float]]]]
) -> Score:
    rows = [row for conversation in found[system] for row in conversation]
    tens = [row[1] for row in rows]
    draw = random.Random(1)  # noqa: S311 - not a secret
    means = sorted(
        statistics.fmean(draw.choices(tens, k=len(tens))) for _ in range(DRAWS)
    )
    by_conversation = {
        name: [statistics.fmean(r[1] for r in rows) for rows in conversations]
        for name, conversations in found.items()
    }
    best = [max(each) for each in zip(*by_conversation.values(), strict=True)]
    return Score(
        system=system,
        questions=len(rows),
        recall_5=statistics.fmean(row[0] for row in rows),
        recall_10=statistics.fmean(tens),
        low=means[int(DRAWS * 0.025)],
        high=means[int(DRAWS * 0.975)],
        ndcg_10=statistics.fmean(row[2] for row in rows),
        won=sum(
            own == top for own, top in zip(by_conversation[system], best, strict=True)
        ),
    )
