"""LoCoMo's conversations as lives, to measure on. Nothing is ever learned from them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from psm_core.errors import TranscriptError
from psm_core.train.corpus import Life, Question, Said, Sort
from psm_core.transcripts import read
from psm_core.types import Kind, Turn

SORT = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "unanswerable",
}
"""LoCoMo's categories by number; the last asks for what was never said."""

NOWHERE = 5
"""The category whose evidence is that of another question, and counts as none."""

_TURN = re.compile(r"D:?(\d+):(\d+)")


def conversations(data: Path) -> list[Life]:
    """The conversations of a file in LoCoMo's format, as unlabelled lives.

    Args:
        data: The file.

    Returns:
        One life a conversation, with the questions whose evidence is known and those
        that have none; every label of a turn is empty.

    Raises:
        TranscriptError: It can't be read, or is in another format.
    """
    transcript = read(data)
    if transcript.format != "locomo":
        raise TranscriptError(
            f"{data.name} is {transcript.format}; questions come with LoCoMo's format"
        )
    heard: dict[str, list[Turn]] = defaultdict(list)
    for turn in transcript.turns:
        heard[turn.session.rpartition("/")[0]].append(turn)
    items = json.loads(data.read_text(encoding="utf-8"))
    return [_life(item, heard[item["sample_id"]]) for item in items]


def _life(item: Mapping[str, Any], turns: Sequence[Turn]) -> Life:
    known = {turn.id for turn in turns}
    asked = [_question(row, item["sample_id"], known) for row in item["qa"]]
    return Life(
        name=item["sample_id"],
        chat="two people",
        people=dict.fromkeys((turn.speaker for turn in turns), ""),
        said=tuple(
            Said(turn, keep=False, kind=Kind.TALK, valence=0.0, arousal=0.0)
            for turn in turns
        ),
        questions=tuple(question for question in asked if question),
        pairs=(),
        corrections=(),
    )


def _question(row: Mapping[str, Any], name: str, known: set[str]) -> Question | None:
    """The question, or None where nobody wrote down what answers it."""
    # Its sorts are not ours; what is measured by sort goes by the name alone.
    sort = cast("Sort", SORT.get(row["category"], "other"))
    if row["category"] == NOWHERE:
        return Question(row["question"], sort, (), "")
    named = " ".join(row.get("evidence") or ())
    ids = [f"{name}/D{int(a)}:{int(b)}" for a, b in _TURN.findall(named)]
    evidence = tuple(i for i in dict.fromkeys(ids) if i in known)
    answer = str(row.get("answer", ""))
    return Question(row["question"], sort, evidence, answer) if evidence else None
