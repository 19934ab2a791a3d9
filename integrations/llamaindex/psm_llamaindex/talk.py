"""What both memories of this package share: one person, and their conversations."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from psm_core.conversation import Conversation, as_stored, one_spaced
from psm_core.errors import ClosedError
from psm_core.memory import Memory
from psm_core.people import People
from psm_core.types import Erasure
from psm_llamaindex.translate import Said

Tokenizer = Callable[[str], list[Any]]
"""What LlamaIndex counts tokens with: from a text to its tokens."""

LOOKED_UP = 1000
"""Turns of a session that are looked up to tell which ones were heard before."""


class Person:
    """Whose memory it is, and how it was opened.

    Args:
        user: Whose; None means the owner of *psm*, or "default" where one is served.
        home: The folder of the people's folders; None means as the settings say.
        psm: Their open memory, which stays the caller's to close.
        people: Opens many people's memories; stays the caller's to close.
        tokenizer: Counts the tokens of a memory that is opened here.
        asks: The class that asks, for errors.

    Raises:
        ValueError: It isn't told who is meant, or it is told twice and differently.
        PSMError: As `psm_core.Memory` does.
    """

    def __init__(
        self,
        user: str | None,
        *,
        home: str | Path | None,
        psm: Memory | None,
        people: People | None,
        tokenizer: Tokenizer,
        asks: str,
    ) -> None:
        if people is not None and psm is None and user is None:
            raise ValueError(
                f"people= serves many, and {asks} wasn't told whose memory this is; "
                f"name them: {asks}(user=..., people=...), or give their open memory: "
                f"{asks}(psm=people.memory(...))"
            )
        if psm is not None and user not in (None, psm.user):
            raise ValueError(
                f"the open memory is that of {psm.user}, not of {user}; leave user= "
                "out, or give that one's"
            )
        if user is None:
            user = psm.user if psm is not None else "default"
        self.user = user
        self._home, self._people, self._tokenizer = home, people, tokenizer
        self._given, self._asks, self._closed = psm, asks, False
        self.memory = psm or self._open()

    def _open(self) -> Memory:
        if self._people is not None:
            return self._people.memory(self.user)
        count = self._tokenizer
        return Memory(
            self.user, home=self._home, count_tokens=lambda text: len(count(text))
        )

    def require_open(self) -> None:
        """Raise ClosedError where this was closed, or the memory that was given."""
        if self._closed or self.memory.closed:
            raise ClosedError(
                f"this {self._asks} of {self.user} was closed, or its memory was; make "
                f"another one: {self._asks}(user={self.user!r})"
            )

    def erase(self) -> Erasure:
        """Delete the person everywhere; a memory that was given stays closed."""
        self.require_open()
        proof = self.memory.erase()
        if self._given is None:
            self.memory = self._open()
        return proof

    def close(self) -> None:
        """Serve no more; let go of files and lock, where they were opened here."""
        self._closed = True
        if self._given is None and self._people is None:
            self.memory.close()


class Talk:
    """One conversation; any thread may call, and they take turns.

    Args:
        memory: Whose conversation it is.
        session: Its name.
        tokenizer: Counts tokens as LlamaIndex does.
    """

    def __init__(self, memory: Memory, session: str, tokenizer: Tokenizer) -> None:
        self.session = session
        self.context = ""
        """What was shown last."""
        self._conversation = Conversation(
            memory, session, count_tokens=lambda text: len(tokenizer(text))
        )
        self._words = ""
        self._taking_turns = threading.RLock()

    def show(
        self, words: str, seen: Sequence[Said], *, limit: int | None, budget: int | None
    ) -> str:
        """The memories that belong before the answer to *words*.

        Args:
            words: What the person said; after they were answered, "" shows the same
                memories again, and recalls nothing.
            seen: What the model sees of this conversation anyway.
            limit: Most memories; None means as the settings say.
            budget: Most tokens; None means as the settings say.

        Returns:
            Fenced text, or "".
        """
        with self._taking_turns:
            if not words:
                self.context = self._conversation.again(budget)
            else:
                view = self._conversation.hear(
                    words,
                    limit=limit,
                    budget=budget,
                    in_view=[one.text for one in seen],
                )
                self.context = view.context
            return self.context

    def shorten(self, budget: int) -> str:
        """What was shown last, its strongest within *budget* tokens."""
        with self._taking_turns:
            self.context = self._conversation.again(budget)
            return self.context

    def hear(self, said: Sequence[Said]) -> None:
        """Remember what was said, and learn which memories served each answer.

        What the person said is kept at once; of several answers, the last one counts.
        """
        with self._taking_turns:
            answer = ""
            for role, text in said:
                if role == "assistant":
                    answer = text
                    continue
                self._answered(answer)
                answer, self._words = "", text
                self._conversation.said(text)
            self._answered(answer)

    def expect(self, words: str) -> None:
        """Take the next answer for one to *words*, which weren't heard here."""
        with self._taking_turns:
            self._words = words

    def _answered(self, answer: str) -> None:
        if answer:
            self._conversation.answered(self._words, answer)
            self._words = ""


class Heard:
    """Which turns were heard, of those that are seen through a window that moves.

    LlamaIndex's messages have no ids, so those that are stored alike are counted.

    Args:
        memory: What heard them, before this object was made too.
        session: Which conversation.
    """

    def __init__(self, memory: Memory, session: str) -> None:
        self._memory = memory
        turns = memory.working(session, LOOKED_UP)
        self._heard = Counter(Said(t.role, one_spaced(t.text)) for t in turns)
        self._gone: Counter[Said] = Counter()

    def new(self, seen: Sequence[Said]) -> list[Said]:
        """What of the window's turns wasn't heard yet; it is from now on."""
        times = Counter(self._gone)
        fresh = []
        for one in seen:
            known = self._stored(one)
            times[known] += 1
            if times[known] > self._heard[known]:
                self._heard[known] = times[known]
                fresh.append(one)
        return fresh

    def leave(self, seen: Sequence[Said]) -> None:
        """Take it that these turns left the window for good."""
        self._gone.update(self._stored(one) for one in seen)

    def _stored(self, said: Said) -> Said:
        return Said(said.role, as_stored(self._memory, said.text))
