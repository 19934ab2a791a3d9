"""Memory: one person's memory, and the four walks through it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from psm_core.acts import (
    consolidate,
    context,
    expire,
    explain,
    forget,
    learn,
    pin,
    recall,
    remember,
    resolve,
    undo,
    working,
)
from psm_core.clock import SystemClock
from psm_core.config import Config
from psm_core.content import Store
from psm_core.errors import ClosedError, ConfigError
from psm_core.plugins import Plugins
from psm_core.protocols import Abstractor, Clock, CountTokens, Encoder, Parts, Policy
from psm_core.store.home import Home
from psm_core.store.session import Sensory
from psm_core.strength import retained
from psm_core.twins import in_thread
from psm_core.types import (
    Change,
    Conflict,
    Entry,
    Erasure,
    Fault,
    Feedback,
    GateDecision,
    Recall,
    SleepReport,
    Tier,
    Turn,
)

FROM_CONFIG: Any = object()
"""Default of an argument whose default stands in the settings; None means no end."""


class Memory:
    """One person's memory: opens it, or begins a new one.

    No method takes a user, so two people's memories can't be mixed.  Any thread may
    call any method, and several processes may open the same person.

    Args:
        user: Whose memory it is: any readable name, e-mail address or number.
        home: The folder that holds the people's folders; ``~/.psm`` by default.
        config: All settings at once; None means psm.toml and PSM_*.
        encoder: Instead of the one that the settings name.
        policy: Instead of the one that the settings name.
        abstractor: Words the facts of a sleep, instead of the one that the settings
            name; an object with ``word(pattern, said)``.
        clock: Where the present comes from; the machine's clock by default.
        count_tokens: What a text costs the reader's model; counts words and marks
            by default.
        plugins: Further plugins for this memory.
        settings: Single fields of `Config`, by name; they come before *config*.

    Raises:
        UserError: *user* can't name a person.
        ConfigError: A setting is unknown or out of range.
        StoreError: The folder can't be read or written.
        EncoderMismatchError: The store was written with another encoder.

    >>> import tempfile
    >>> with Memory("ada", home=tempfile.mkdtemp(), encoder="hash") as memory:
    ...     decision = memory.remember(Turn("I moved to Lyon last week."))
    ...     memory.recall("moved to Lyon?").hits[0].text
    'I moved to Lyon last week.'
    """

    def __init__(
        self,
        user: str = "default",
        *,
        home: str | Path | None = None,
        config: Config | None = None,
        encoder: Encoder | str | None = None,
        policy: Policy | str | None = None,
        abstractor: Abstractor | str | None = None,
        clock: Clock | None = None,
        count_tokens: CountTokens | None = None,
        plugins: Iterable[object] = (),
        **settings: Any,
    ) -> None:
        named: dict[str, Any] = {
            "home": home,
            "encoder": encoder if isinstance(encoder, str) else None,
            "policy": policy if isinstance(policy, str) else None,
            "abstractor": abstractor if isinstance(abstractor, str) else None,
        }
        given = {**named, **settings}
        self.config = config.but(**given) if config else Config.load(**given)
        self.user = user
        self._plugins = Plugins(plugins)
        encoder_ = self._plugins.encoder(self.config.encoder, encoder)
        self._parts = Parts(
            encoder=encoder_,
            policy=self._plugins.policy(self.config.policy, policy, encoder_),
            clock=clock or SystemClock(),
            count_tokens=count_tokens or context.count_tokens,
            abstractor=self._plugins.abstractor(self.config.abstractor, abstractor),
        )
        index = self._plugins.index(self.config.index)
        self._home = Home(self.config, encoder_.name, encoder_.width, index)
        self._sensory = Sensory(self.config.sensory_turns)
        self._asleep = threading.Lock()
        self._closed = False
        # Whatever is wrong with the folder is said now, not at the first turn.
        with self._open():
            pass

    @property
    def encoder(self) -> Encoder:
        """What turns this memory's texts into vectors."""
        return self._parts.encoder

    @property
    def policy(self) -> Policy:
        """What decides for this memory."""
        return self._parts.policy

    @property
    def closed(self) -> bool:
        """Whether it was closed or erased."""
        return self._closed or not self._home.has(self.user)

    def _open(self) -> AbstractContextManager[Store]:
        if self._closed:
            raise ClosedError(
                f"the memory of {self.user} was closed or erased; open it again with "
                f"Memory({self.user!r}, home=...)"
            )
        return self._home.open(self.user)

    # ------------------------------------------------------------ the four walks

    def remember(self, turn: Turn) -> GateDecision:
        """Hear one turn; when this returns, a kill of the process can't lose it.

        Args:
            turn: What was said.

        Returns:
            What the gate made of it, and why.

        Raises:
            TurnError: It is no `Turn`, or its id was used before for other words.
            PluginError: A redactor failed; nothing was stored.
            StoreError: The disk is full, or the folder can't be written.
        """
        return self.remember_many([turn])[0]

    def remember_many(self, turns: Sequence[Turn]) -> list[GateDecision]:
        """Hear many turns at once: one transaction, batched encoding.

        Args:
            turns: In the order in which they were said.

        Returns:
            One decision for each turn, in their order.

        Raises:
            TurnError: One is no `Turn`, or its id was used before for other words;
                nothing was stored.
            PluginError: A redactor failed; nothing was stored.
            StoreError: The disk is full, or the folder can't be written.
        """
        with self._open() as store:
            decisions = remember.remember(
                turns,
                store=store,
                parts=self._parts,
                config=self.config,
                redact=lambda text: self._plugins.redact(text, self.user),
                verdict=lambda turn: self._plugins.gate(turn, self.user),
                sensory=self._sensory,
            )
        for decision in decisions:
            self._plugins.notify("psm_remembered", user=self.user, decision=decision)
        return decisions

    def recall(
        self,
        cue: str,
        *,
        limit: int | None = FROM_CONFIG,
        budget: int | None = FROM_CONFIG,
        deep: bool = False,
        without: Collection[str] = (),
        among: Collection[str] | None = None,
    ) -> Recall:
        """What surfaces for *cue*, best first.

        Args:
            cue: A question, or whatever the person just said.
            limit: Most memories; None means no end; 10 by default.
            budget: Most tokens of `Recall.as_context`; None means no end; 1,000 by
                default.
            deep: Whether the archive is searched too.
            without: Ids of turns that the reader sees anyway; what rests on them
                alone is left out.
            among: Ids of turns; what rests on none of them is left out.  None means
                all.

        Returns:
            Hits and the context for a prompt; empty where nothing fits.
        """
        with self._open() as store:
            found = recall.recall(
                cue,
                store=store,
                parts=self._parts,
                config=self.config,
                limit=self.config.recall_limit if limit is FROM_CONFIG else limit,
                budget=self.config.recall_budget if budget is FROM_CONFIG else budget,
                deep=deep,
                without=without,
                among=among,
            )
        self._plugins.notify("psm_recalled", user=self.user, recall=found)
        return found

    def learn(self, feedback: Feedback) -> None:
        """Take in what became of the memories that a recall showed.

        Args:
            feedback: What was used, ignored and corrected, by the hits' ids.

        Raises:
            UnknownMemoryError: No recall of this id showed anything.
            FeedbackError: It names a memory that this recall didn't show.
        """
        with self._open() as store:
            learn.learn(feedback, store=store, parts=self._parts)
        for memory_id in feedback.corrected:
            self._plugins.notify("psm_corrected", user=self.user, memory_id=memory_id)

    def consolidate(self) -> SleepReport:
        """Sleep once.  Cut off at any moment, it is slept again and ends the same.

        Returns:
            What was done, change by change.
        """
        with self._asleep, self._open() as store:
            before = {c.id for c in store.conflicts(status=None)}
            report = consolidate.consolidate(
                store=store, parts=self._parts, config=self.config
            )
            found = [c for c in store.conflicts(status=None) if c.id not in before]
        for conflict in found:
            self._plugins.notify("psm_conflict", user=self.user, conflict=conflict)
        self._plugins.notify("psm_slept", user=self.user, report=report)
        return report

    # ------------------------------------------------------------------- looking

    def working(self, session: str, limit: int | None = None) -> list[Turn]:
        """The turns of *session* that stay in view, oldest first.

        Args:
            session: Which conversation.
            limit: Most turns, at least 1; None means as many as the settings say.

        Raises:
            ConfigError: *limit* is below 1.
        """
        most = self.config.working_turns if limit is None else limit
        if most < 1:
            raise ConfigError(f"limit is {most}; it must be at least 1")
        with self._open() as store:
            return working.working(session, most, store=store)

    def entries(
        self, *tiers: Tier, limit: int | None = None, as_heard: bool = False
    ) -> list[Entry]:
        """Memories of these tiers (of all, where none is named), in their order.

        Args:
            tiers: Which.
            limit: Most memories; None means all.
            as_heard: Whether those of which a sleep left fewer words in the index
                come in the words that were heard.
        """
        with self._open() as store:
            found = store.listing(tiers=tiers or None, limit=limit)
            return store.as_heard(found) if as_heard else found

    def counts(self) -> dict[Tier, int]:
        """How many memories each tier holds."""
        with self._open() as store:
            return store.counts()

    def entry(self, memory_id: str) -> Entry:
        """One memory with all that is known of it.  Raises `UnknownMemoryError`."""
        with self._open() as store:
            return store.find(memory_id)

    def known(self, ids: Iterable[str]) -> list[Entry]:
        """Those of *ids* that are remembered, in their order; see `entry`."""
        with self._open() as store:
            there = store.known(ids := [*ids])
        return [there[i] for i in ids if i in there]

    def forgotten(self, ids: Iterable[str]) -> set[str]:
        """Those of *ids* that the person had forgotten on purpose."""
        with self._open() as store:
            return store.forgotten(ids)

    def strength(self, entry: Entry) -> float:
        """What *entry* has retained by now, in [0, 1]."""
        return retained(entry, self._parts.clock.now())

    def redacted(self, text: str) -> str:
        """*text* as this memory's redactors leave it.  Raises `PluginError`."""
        return self._plugins.redact(text, self.user)

    def history(self, memory_id: str) -> list[Change]:
        """All that happened to one memory, oldest first.

        Raises:
            UnknownMemoryError: There is no memory of this id.
        """
        with self._open() as store:
            entry = store.find(memory_id)
            first = Change(entry.said_at, memory_id, "remembered", entry.reason)
            return [first, *store.history(memory_id)]

    def explain(self, memory_id: str) -> str:
        """Why a memory is here, how strong it is and when it will have faded.

        Raises:
            UnknownMemoryError: There is no memory of this id.
        """
        return explain.explain(self.entry(memory_id), self._parts.clock.now())

    # ------------------------------------------------------------------ deciding

    def pin(self, memory_id: str, *, pinned: bool = True) -> None:
        """Keep a memory as strong as it is now, for good, or let go of it again.

        Raises:
            UnknownMemoryError: There is no memory of this id.
        """
        with self._open() as store:
            pin.pin(memory_id, pinned=pinned, store=store, parts=self._parts)

    def expire(self, memory_id: str, at: datetime | None) -> None:
        """Let a memory surface no more from *at* on; None takes that back.

        Facts that rest on it alone go the same way.

        Args:
            memory_id: Which memory.
            at: Aware datetime; None means never.

        Raises:
            UnknownMemoryError: There is no memory of this id.
            ConfigError: *at* is naive, or no datetime.
        """
        if at is not None and (not isinstance(at, datetime) or at.tzinfo is None):
            raise ConfigError(
                f"expire takes an aware datetime or None, and this is {at!r}; give it "
                "a timezone, for example at.replace(tzinfo=datetime.UTC)"
            )
        with self._open() as store:
            expire.expire(memory_id, at, store=store, parts=self._parts)

    def forget(self, memory_id: str) -> None:
        """Delete one memory everywhere, and the facts that were drawn from it.

        Raises:
            UnknownMemoryError: There is no memory of this id.
        """
        with self._open() as store:
            forget.forget(memory_id, store=store, parts=self._parts)
        self._sensory.clear()
        self._plugins.notify("psm_forgot", user=self.user, memory_id=memory_id)

    def conflicts(self, *, status: str | None = "open") -> list[Conflict]:
        """Pairs of memories that may not both hold, oldest first; None means all."""
        with self._open() as store:
            return store.conflicts(status=status)

    def resolve(self, conflict_id: str, *, keep: str) -> Conflict:
        """Settle a conflict; what a person decides is the strongest feedback.

        Args:
            conflict_id: As `conflicts` names it.
            keep: "new", "old", "both", or a sentence that is true instead of the two.

        Raises:
            UnknownMemoryError: There is no such conflict.
            FeedbackError: *keep* is none of the three and no sentence.
            PluginError: A redactor failed; nothing was settled.
        """
        if isinstance(keep, str) and len(keep.split()) > 1:
            keep = self._plugins.redact(keep, self.user)
        with self._open() as store:
            return resolve.resolve(conflict_id, keep, store=store, parts=self._parts)

    def undo(self, number: int) -> Entry:
        """Take back one change of one memory; no sleep does it to it again.

        Args:
            number: Of the change, as `history` gives it.

        Returns:
            The memory as it is now.

        Raises:
            UnknownMemoryError: There is no such change.
            FeedbackError: It is an undoing itself, or a later change rests on it.
        """
        with self._open() as store:
            return store.find(undo.undo(number, store=store, parts=self._parts))

    def retract(self, fact_id: str) -> None:
        """Take back a fact that a sleep wrote; what it stood for comes back.

        It isn't written again from the same turns.

        Raises:
            UnknownMemoryError: There is no memory of this id.
            FeedbackError: It is no fact.
        """
        with self._open() as store:
            undo.retract(fact_id, store=store, parts=self._parts)
        self._plugins.notify("psm_forgot", user=self.user, memory_id=fact_id)

    # -------------------------------------------------------------- the whole of it

    def check(self) -> list[Fault]:
        """What is missing, stale or corrupt in the folder; empty where all is well."""
        with self._open() as store:
            return store.check()

    def rebuild(self) -> int:
        """Make the index anew from the ledger; how many memories it holds."""
        with self._open() as store:
            return store.rebuild()

    def export(self, path: str | Path) -> Path:
        """Write the whole person into one file, which `psm import` reads.

        Raises:
            StoreError: *path* can't be written.
        """
        target = Path(path).expanduser()
        with self._open() as store:
            store.export(target)
        return target

    def erase(self) -> Erasure:
        """Delete the person everywhere; this memory is closed then.

        Returns:
            The proof: what was there, and that nothing is left, or the paths that are.
        """
        with self._open():
            proof = self._home.erase(self.user, self._parts.clock.now())
        self._sensory.clear()
        self.close()
        return proof

    def close(self) -> None:
        """Let go of files and lock.  Closing twice is closing once."""
        if not self._closed:
            self._closed = True
            self._home.release(self.user)

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # One body, two doors: each twin is its method, called in a worker thread.
    aremember = in_thread(remember)
    aremember_many = in_thread(remember_many)
    arecall = in_thread(recall)
    alearn = in_thread(learn)
    aconsolidate = in_thread(consolidate)
    aworking = in_thread(working)
    aentries = in_thread(entries)
    acounts = in_thread(counts)
    aentry = in_thread(entry)
    aknown = in_thread(known)
    aforgotten = in_thread(forgotten)
    ahistory = in_thread(history)
    aexplain = in_thread(explain)
    apin = in_thread(pin)
    aexpire = in_thread(expire)
    aforget = in_thread(forget)
    aconflicts = in_thread(conflicts)
    aresolve = in_thread(resolve)
    aundo = in_thread(undo)
    aretract = in_thread(retract)
    acheck = in_thread(check)
    arebuild = in_thread(rebuild)
    aexport = in_thread(export)
    aerase = in_thread(erase)
    aclose = in_thread(close)
