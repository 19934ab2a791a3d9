"""What an agent's state keeps of a turn, by names alone, and what that tells later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from langchain_core.messages import BaseMessage

from psm_core import showing
from psm_core.memory import Memory
from psm_core.showing import Showing
from psm_langchain import turns


class Note(TypedDict):
    """One turn: never what somebody said, since words may have to be forgotten.

    ``of`` is whose memory it is, ``session`` and ``turn`` where it was recalled,
    ``recall`` and ``memories`` what was shown, ``refuted`` what the person took back
    in this thread, and ``left`` the turns that the thread went back behind.  ``before``
    and ``answer`` are the answers before and after it.
    """

    of: str
    session: str
    turn: str
    recall: str
    memories: list[str]
    refuted: list[str]
    left: list[str]
    before: str
    answer: str


def last(state: Any, memory: Memory) -> Note | None:
    """The last note of a thread; None where it is another person's."""
    note: Note | None = state.get("psm_note")
    return note if note and note["of"] == memory.user else None


def is_of(note: Note, said: Sequence[BaseMessage]) -> bool:
    """Whether *said* is what the note's turn said."""
    return bool(said) and turns.turn_id(said[-1], note["session"]) == note["turn"]


def shown(note: Note) -> Showing:
    """What was shown in the note's turn."""
    return Showing(note["recall"], tuple(note["memories"]))


def asked(note: Note, messages: Sequence[BaseMessage]) -> str:
    """What the note's turn said; "" where a summary has taken its place."""
    said = turns.split(messages).said
    return turns.cue(said) if is_of(note, said) else ""


def refuted(
    memory: Memory, note: Note, before: Sequence[BaseMessage], words: str
) -> list[str]:
    """What the person took back in this thread, by *words* or earlier; learns of it.

    Args:
        memory: Whose.
        note: Of the turn before.
        before: The messages that *words* follow.
        words: What the person says now.
    """
    answer = turns.last_answer(before)
    # In a thread that was cut or forked, the note may be of another answer.
    if answer is None or turns.turn_id(answer, note["session"]) != note["answer"]:
        return note["refuted"]
    cue, answered = asked(note, before), turns.words(answer)
    found = showing.taken_back(memory, shown(note), cue, answered, words)
    return list(dict.fromkeys([*note["refuted"], *found]))
