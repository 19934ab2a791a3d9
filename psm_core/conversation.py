"""One conversation, as an adapter needs it: what to show, to keep and to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from psm_core.acts.context import Context, count_tokens, unfenced
from psm_core.attribution import attribute, takes_back
from psm_core.errors import UnknownMemoryError
from psm_core.memory import Memory
from psm_core.types import Entry, Outcome, Recall, Turn


class View(NamedTuple):
    """What the model should see: fenced memories, and the recent turns in order."""

    context: str
    recent: list[Turn]


class _Exchange(NamedTuple):
    recall: Recall
    answer: str


class Conversation:
    """A conversation that recalls, remembers, and learns by itself.

    Framework adapters call `hear` when the person has spoken and `answered` when the
    model has.  What the memories were worth is learned at once, so that no kill of the
    process can lose it; where the person then takes the answer back, that outcome
    takes the place of the first one, in the ledger too.  A memory has one outcome for
    each time it was shown.

    Args:
        memory: Whose conversation it is; stays the caller's to close.
        session: Its name.  An earlier one's goes on where that was left, in another
            process too.
    """

    def __init__(self, memory: Memory, session: str) -> None:
        self.memory = memory
        self.session = session
        self._shown: Recall | None = None
        self._last: _Exchange | None = None
        self._refuted: set[str] = set()

    def hear(
        self, words: str, *, limit: int | None = None, budget: int | None = None
    ) -> View:
        """What the model should see before it answers *words*.

        A correction is learned before anything is recalled, and what was taken back
        isn't shown again in this conversation.  Words that are heard twice before
        they are answered count once.

        Args:
            words: What the person says; blank brings the recent turns alone.
            limit: Most memories; None means as the settings say.
            budget: Most tokens of memories; None means as the settings say.

        Returns:
            Memories that aren't in view already, and the recent turns.
        """
        words = unfenced(words)
        recent = self.memory.working(self.session)
        if not words.strip():
            return View("", recent)
        recall = self._shown
        if recall is None or recall.cue != words:
            self._hear_correction(words, recent)
            recall = self._recall(words, recent, limit, budget)
        self._shown, context = self._out_of_view(recall, recent)
        return View(context, recent)

    def answered(self, words: str, answer: str) -> None:
        """Remember both halves of an exchange, and learn which memories served it.

        Args:
            words: What the person said.
            answer: What the model said.  Of either, a blank one is left out.
        """
        words, answer = unfenced(words), unfenced(answer)
        turns = [
            Turn(text, role=role, session=self.session)
            for role, text in (("user", words), ("assistant", answer))
            if text.strip(" \t\r\n\0")
        ]
        self.memory.remember_many(turns)
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
            without={turn.id for turn in recent},
        )

    def _out_of_view(
        self, recall: Recall, recent: Sequence[Turn]
    ) -> tuple[Recall, str]:
        """What of *recall* the recent turns don't say already, as context.

        What was forgotten since it was recalled isn't shown either.
        """
        in_view = {turn.id for turn in recent}
        found = {
            hit.id: self._entry(hit.id)
            for hit in recall.hits
            if hit.id not in self._refuted and not in_view.issuperset(hit.sources)
        }
        context = Context(self.memory.user, None, count_tokens)
        for entry in found.values():
            # No budget here: what fitted it together still fits without some.
            if entry is not None:
                context.offer(entry)
        kept = tuple(hit for hit in recall.hits if found.get(hit.id) is not None)
        return replace(recall, hits=kept), context.text()

    def _entry(self, memory_id: str) -> Entry | None:
        try:
            return self.memory.entry(memory_id)
        except UnknownMemoryError:
            return None

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


def _last_answer(recent: Sequence[Turn]) -> str:
    return recent[-1].text if recent and recent[-1].role == "assistant" else ""
