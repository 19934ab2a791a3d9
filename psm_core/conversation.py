"""One conversation, as an adapter needs it: what to show, to keep and to learn."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from psm_core.acts.context import Context, count_tokens, unfenced
from psm_core.acts.remember import ECHO
from psm_core.acts.wellformed import wellformed
from psm_core.attribution import attribute, takes_back
from psm_core.errors import PluginError
from psm_core.memory import Memory
from psm_core.protocols import CountTokens
from psm_core.types import Entry, Hit, Outcome, Recall, Turn


class View(NamedTuple):
    """What the model should see: fenced memories, and the recent turns in order."""

    context: str
    recent: list[Turn]


class _Exchange(NamedTuple):
    recall: Recall
    answer: str


class _Said(NamedTuple):
    words: str
    id: str


class Conversation:
    """A conversation that recalls, remembers, and learns by itself.

    Framework adapters call `hear` when the person has spoken and `answered` when the
    model has; between the two, `said`, where words shouldn't wait for their answer.

    What the memories were worth is learned at once, so that no kill of the process can
    lose it; where the person then takes the answer back, that outcome takes the place
    of the first one, in the ledger too.  A memory has one outcome for each time it was
    shown.

    Args:
        memory: Whose conversation it is; stays the caller's to close.
        session: Its name.  An earlier one's goes on where that was left, in another
            process too.
        count_tokens: What a text costs the reader's model, where a budget is given;
            None leaves that to the memory's own count.
    """

    def __init__(
        self,
        memory: Memory,
        session: str,
        *,
        count_tokens: CountTokens | None = None,
    ) -> None:
        self.memory = memory
        self.session = session
        self._count = count_tokens
        self._said: _Said | None = None
        self._shown: Recall | None = None
        self._last: _Exchange | None = None
        self._refuted: set[str] = set()

    def hear(
        self,
        words: str,
        *,
        limit: int | None = None,
        budget: int | None = None,
        in_view: Collection[str] | None = None,
    ) -> View:
        """What the model should see before it answers *words*.

        A correction is learned before anything is recalled, and what was taken back
        isn't shown again in this conversation.  Words that are heard twice before
        they are answered count once.

        Args:
            words: What the person says; blank brings the recent turns alone.
            limit: Most memories; None means as the settings say.
            budget: Most tokens of memories; None means as the settings say.
            in_view: What the reader sees of this conversation anyway, text by text,
                up to its end; None means as many turns as the settings say.

        Returns:
            Memories that aren't in view already, and the recent turns that are.
        """
        words = unfenced(words)
        recent = self._recent(in_view)
        if not words.strip():
            return View("", recent)
        recall = self._shown
        if recall is None or recall.cue != words:
            self._hear_correction(words, recent)
            recall = self._recall(words, recent, limit, budget)
        fit = None if self._count is None else budget
        self._shown, context = self._out_of_view(recall, recent, fit)
        return View(context, recent)

    def again(self, budget: int | None = None) -> str:
        """What was shown last, as far as it still holds; nothing is recalled.

        For a reader who looks again after the answer, or has less room than before.
        What no longer fits isn't held against the memories that were left out.

        Args:
            budget: Most tokens; None means all that was shown.
        """
        recall = self._shown or (self._last.recall if self._last else None)
        if recall is None:
            return ""
        kept, context = self._out_of_view(recall, (), budget)
        if self._shown is not None:
            self._shown = kept
        return context

    def said(self, words: str) -> None:
        """Remember the person's half of an exchange before it is answered.

        An answer that never comes then loses none of it; `answered` with the same
        words adds the other half alone.  Words that are said twice before they are
        answered count once.

        Args:
            words: What the person said; blank is left out.
        """
        words = unfenced(words)
        if _blank(words) or (self._said and self._said.words == words):
            return
        turn = Turn(words, session=self.session)
        self._said = _Said(words, self.memory.remember(turn).id)

    def answered(self, words: str, answer: str) -> None:
        """Remember both halves of an exchange, and learn which memories served it.

        Args:
            words: What the person said.
            answer: What the model said.  Of either, a blank one is left out.
        """
        words, answer = unfenced(words), unfenced(answer)
        halves = [("user", words), ("assistant", answer)]
        if self._said and self._said.words == words:
            halves.pop(0)
        self.memory.remember_many(
            [
                Turn(text, role=role, session=self.session)
                for role, text in halves
                if not _blank(text)
            ]
        )
        self._said = None
        shown, self._shown, self._last = self._shown, None, None
        if shown is not None and shown.cue == words:
            self._last = _Exchange(shown, answer)
            self.memory.learn(attribute(shown, answer))

    # ------------------------------------------------------------------- showing

    def _recall(
        self,
        cue: str,
        recent: Sequence[Turn],
        limit: int | None = None,
        budget: int | None = None,
    ) -> Recall:
        config = self.memory.config
        return self.memory.recall(
            cue,
            limit=config.recall_limit if limit is None else limit,
            budget=config.recall_budget if budget is None else budget,
            without=self._in_view(recent),
        )

    def _recent(self, in_view: Collection[str] | None) -> list[Turn]:
        """The turns that the reader sees, without the words that wait for an answer."""
        if in_view is None:
            turns = self.memory.working(self.session)
        else:
            seen = {as_stored(self.memory, text) for text in in_view}
            # Two more: an exchange may be stored that the reader doesn't see yet.
            turns = self.memory.working(self.session, len(in_view) + 2)
            turns = [turn for turn in turns if one_spaced(turn.text) in seen]
        said = self._said.id if self._said else None
        return [turn for turn in turns if turn.id != said]

    def _in_view(self, recent: Sequence[Turn]) -> set[str]:
        said = {self._said.id} if self._said else set()
        return said | {turn.id for turn in recent}

    def _out_of_view(
        self, recall: Recall, recent: Sequence[Turn], budget: int | None = None
    ) -> tuple[Recall, str]:
        """What of *recall* the recent turns don't say already, as context.

        What was forgotten since it was recalled isn't shown either.
        """
        in_view = self._in_view(recent)
        wanted = {
            hit.id: hit
            for hit in recall.hits
            if hit.id not in self._refuted and not in_view.issuperset(hit.sources)
        }
        # Without a budget: what fitted it together still fits without some.
        context = Context(self.memory.user, budget, self._count or count_tokens)
        kept: list[tuple[Hit, Entry]] = []
        for entry in self.memory.known(wanted):
            if context.offer(entry):
                kept.append((wanted[entry.id], entry))
        while kept and not context.fits():
            context.withdraw(kept.pop()[1])
        return replace(recall, hits=tuple(hit for hit, _ in kept)), context.text()

    # ------------------------------------------------------------------ learning

    def _hear_correction(self, words: str, recent: Sequence[Turn]) -> None:
        last = self._last.answer if self._last else _last_answer(recent)
        if not takes_back(words, last):
            return
        exchange = self._last or self._remembered(recent)
        if exchange is None:
            return
        self._last = exchange
        feedback = attribute(exchange.recall, exchange.answer, words)
        if feedback.corrected:
            self._refuted.update(feedback.corrected)
            self.memory.learn(feedback)

    def _remembered(self, recent: Sequence[Turn]) -> _Exchange | None:
        """The last exchange, where another object or process held it.

        What was shown then isn't known here, so the same question is asked again.
        What was corrected since is left out: it has had its outcome.
        """
        pair = recent[-2:]
        if [turn.role for turn in pair] != ["user", "assistant"]:
            return None
        question, answer = pair
        assert question.at is not None
        recall, _ = self._out_of_view(self._recall(question.text, recent), recent)
        hits = [
            hit
            for hit in recall.hits
            if not any(
                change.what == Outcome.CORRECTED and change.at >= question.at
                for change in self.memory.history(hit.id)
            )
        ]
        return _Exchange(replace(recall, hits=tuple(hits)), answer.text)


def as_stored(memory: Memory, text: str) -> str:
    """*text* as a turn of *memory* tells it: redacted, and spaced by `one_spaced`."""
    clean = unfenced(wellformed(text)).strip() or ECHO
    # What can't be redacted was never stored, so it is like nothing that was.
    with suppress(PluginError):
        clean = memory.redacted(clean)
    return one_spaced(clean)


def one_spaced(text: str) -> str:
    """*text* with one space for any: what differs in space alone is the same."""
    return " ".join(text.split())


def _blank(text: str) -> bool:
    return not text.strip(" \t\r\n\0")


def _last_answer(recent: Sequence[Turn]) -> str:
    return recent[-1].text if recent and recent[-1].role == "assistant" else ""
