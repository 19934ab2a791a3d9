"""Remember: from a turn that was heard to a memory that is kept, or archived."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from psm_core.acts.context import unfenced
from psm_core.acts.passages import passage_id, passages, passages_of
from psm_core.acts.wellformed import wellformed
from psm_core.acts.working import working
from psm_core.config import Config
from psm_core.content import Sensory, Store
from psm_core.errors import TurnError
from psm_core.protocols import GateContext, Parts
from psm_core.strength import FLOOR, HALF_LIFE_MIN
from psm_core.types import Action, Entry, GateDecision, Kind, Tier, Trace, Turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

Redact = Callable[[str], str]
Verdict = Callable[[Turn], bool | None]

AGAIN = timedelta(days=1)
"""Said again later than that, the same words tell of another day."""

AHEAD = timedelta(days=3653)
"""A turn said further ahead of the clock is a slip: it would make all else long ago."""

ECHO = "[memories]"
"""What is stored of a turn that was nothing but recalled memories."""


def remember(
    turns: Sequence[Turn],
    *,
    store: Store,
    parts: Parts,
    config: Config,
    redact: Redact,
    verdict: Verdict,
    sensory: Sensory,
) -> list[GateDecision]:
    """Hear *turns*, and store each in one transaction with the others.

    Args:
        turns: In the order in which they were said.
        store: Whose memory hears them.
        parts: Encoder, policy and clock.
        config: How long a passage is.
        redact: Changes a text before anything sees it.
        verdict: May decide over the policy's head.
        sensory: What was heard in the last moments; hears these turns too.

    Returns:
        One decision for each turn, in their order.

    Raises:
        TurnError: One is no `Turn`, or its id was used before for other words.
            Nothing is stored then.
    """
    _only_turns(turns)
    now = parts.clock.now()
    heard = [_completed(turn, store.user, now, redact) for turn in turns]
    known = _known(heard, store)
    fresh = list({t.id: t for t in heard if t.id not in known}.values())
    decisions = {
        **known,
        **_stored(fresh, store, parts, config, verdict, sensory),
    }
    for turn in fresh:
        sensory.hear(turn)
    first = {turn.id: n for n, turn in reversed(list(enumerate(heard)))}
    return [
        decisions[t.id] if first[t.id] == n else replace(decisions[t.id], new=False)
        for n, t in enumerate(heard)
    ]


# ------------------------------------------------------------- before the gate


def _only_turns(turns: object) -> None:
    """Raise where text is given bare: who said it, and when, must not be guessed."""
    if isinstance(turns, Sequence):
        strange = [one for one in turns if not isinstance(one, Turn)]
    else:
        strange = [turns]
    if strange:
        raise TurnError(
            "remember takes a Turn and remember_many a list of them, and this is "
            f"{type(strange[0]).__name__}; write memory.remember(Turn(text))"
        )


def _completed(turn: Turn, user: str, now: datetime, redact: Redact) -> Turn:
    """*turn* with clean text and every field filled."""
    text = redact(unfenced(wellformed(turn.text)).strip() or ECHO)
    speaker = turn.speaker or (user if turn.role == "user" else turn.role)
    speaker, session = wellformed(speaker), wellformed(turn.session)
    at = turn.at or now
    if at - now > AHEAD:
        raise TurnError(
            f"a turn is said in {at:%B %Y}, more than ten years ahead of the clock; "
            "mend its date, or give the memory a clock of your own"
        )
    known_by = turn.id or _identity(session, speaker, turn.role, at, text)
    return replace(
        turn,
        text=text,
        speaker=speaker,
        session=session,
        at=at,
        id=wellformed(known_by),
    )


def _identity(*parts: object) -> str:
    """An id that is the same whenever the same turn is heard."""
    joined = "\x1f".join(str(p) for p in parts)
    return f"t-{hashlib.blake2b(joined.encode(), digest_size=10).hexdigest()}"


def _known(heard: Sequence[Turn], store: Store) -> dict[str, GateDecision]:
    """Decisions on turns that are remembered or were forgotten on purpose."""
    ids = {turn.id for turn in heard}
    entries = store.known(ids)
    forgotten = store.forgotten(ids)
    first = {e.id: e.text for e in store.as_heard([*entries.values()])}
    for turn in heard:
        words = first.setdefault(turn.id, turn.text)
        if turn.id in forgotten or _bare(words) == _bare(turn.text):
            continue
        # A long turn goes by the id of its first passage.
        if turn.id not in entries or _whole(turn.id, store) != _bare(turn.text):
            raise TurnError(
                f"a turn with the id {turn.id!r} was remembered before with other "
                "words; give this one an id of its own, or forget that one first"
            )
    return {
        **{i: _as_decided(entry) for i, entry in entries.items()},
        **{i: _stays_forgotten(i) for i in forgotten},
    }


def _whole(turn: str, store: Store) -> str:
    """The bare words of all passages of a turn that is remembered."""
    passages = store.known(passages_of(turn, store)).values()
    heard = sorted(store.as_heard([*passages]), key=lambda e: e.seq)
    return _bare(" ".join(entry.text for entry in heard))


def _as_decided(entry: Entry) -> GateDecision:
    """The decision that an earlier hearing led to, as far as it can be told."""
    archived = entry.tier is Tier.ARCHIVAL
    return GateDecision(
        id=entry.id,
        action=Action.ARCHIVE if archived else Action.KEEP,
        strength=entry.trace.strength,
        half_life=entry.trace.half_life,
        emotion=entry.emotion,
        confidence=entry.confidence,
        kind=entry.kind,
        reason=entry.reason,
        new=False,
    )


def _stays_forgotten(turn_id: str) -> GateDecision:
    return GateDecision(
        id=turn_id,
        action=Action.ARCHIVE,
        strength=0.0,
        half_life=HALF_LIFE_MIN,
        emotion=0.0,
        confidence=1.0,
        kind=Kind.TALK,
        reason="was forgotten on purpose, and stays forgotten",
        new=False,
    )


# ------------------------------------------------------------------- the gate


def _stored(
    fresh: Sequence[Turn],
    store: Store,
    parts: Parts,
    config: Config,
    verdict: Verdict,
    sensory: Sensory,
) -> dict[str, GateDecision]:
    if not fresh:
        return {}
    cut = [passages(turn.text, config.passage_words) for turn in fresh]
    vectors = parts.encoder.encode([piece for pieces in cut for piece in pieces])
    said = _Said(store)
    heard_of: dict[str, list[Turn]] = {}
    decisions: dict[str, GateDecision] = {}
    entries: list[Entry] = []
    row = 0
    for turn, pieces in zip(fresh, cut, strict=True):
        own = vectors[row : row + len(pieces)]
        row += len(pieces)
        before = heard_of.setdefault(
            turn.session, _recent(turn.session, sensory, store, config)
        )
        context = GateContext(
            user=store.user,
            recent=tuple(before[-config.sensory_turns :]),
            said_before=said.before(turn),
            vector=own[0],
            nearest=_nearest(store, own[0]),
        )
        decision = _decided(turn, context, parts, verdict)
        decisions[turn.id] = decision
        said.hear(turn, decision)
        entries += _entries(turn, pieces, own, decision)
        before.append(turn)
    _check_names(entries, store)
    really = {entry.id for entry in store.add(entries)}
    store.flush()
    # Another process may have heard the same turn in the meantime; it is one turn.
    return {
        i: decision if i in really else replace(decision, new=False)
        for i, decision in decisions.items()
    }


def _check_names(entries: Sequence[Entry], store: Store) -> None:
    """Raise where a passage would go by the name of another turn, and be lost."""
    later = {e.id for e in entries if e.id != e.sources[0]}
    turns = {e.id for e in entries if e.id == e.sources[0]}
    if taken := sorted(later & turns) or sorted(store.known(later)):
        raise TurnError(
            f"a passage of a long turn would go by {taken[0]!r}, and so does another "
            "turn; give one of the two an id of its own"
        )


def _recent(session: str, sensory: Sensory, store: Store, config: Config) -> list[Turn]:
    """What was heard last in *session*; after a restart, as the ledger has it."""
    heard = sensory.recent(session)
    return heard or working(session, config.sensory_turns, store=store)


def _decided(
    turn: Turn, context: GateContext, parts: Parts, verdict: Verdict
) -> GateDecision:
    decision = replace(parts.policy.gate(turn, context), id=turn.id)
    match verdict(turn):
        case True:
            return replace(
                decision, action=Action.KEEP, reason="a plugin wants it kept"
            )
        case False:
            return replace(
                decision, action=Action.ARCHIVE, reason="a plugin turned it away"
            )
        case _:
            return decision


def _entries(
    turn: Turn, pieces: Sequence[str], vectors: Matrix, decision: GateDecision
) -> Iterable[Entry]:
    """One entry for each passage; the first goes by the turn's id."""
    assert turn.at is not None
    floor = FLOOR.get(decision.kind, 0.0) if decision.action is Action.KEEP else 0.0
    trace = Trace(
        strength=decision.strength,
        half_life=decision.half_life,
        anchored_at=turn.at,
        floor=min(floor, decision.strength),
    )
    for n, (piece, vector) in enumerate(zip(pieces, vectors, strict=True)):
        yield Entry(
            id=passage_id(turn.id, n + 1),
            tier=Tier.EPISODIC if decision.kept else Tier.ARCHIVAL,
            kind=decision.kind,
            text=piece,
            speaker=turn.speaker,
            role=turn.role,
            session=turn.session,
            said_at=turn.at,
            last_said_at=turn.at,
            sources=(turn.id,),
            trace=trace,
            emotion=decision.emotion,
            confidence=decision.confidence,
            reason=decision.reason,
            vector=vector,
        )


class _Said:
    """What each speaker said last, in the store and among the turns being heard."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._now: dict[str, Turn] = {}

    def before(self, turn: Turn) -> str | None:
        """The id of it, if *turn* says that again."""
        assert turn.at is not None
        last = self._now.get(turn.speaker)
        if last is None:
            since = turn.at - AGAIN
            return self._store.said_last(turn.speaker, turn.text, since)
        assert last.at is not None
        again = _bare(last.text) == _bare(turn.text) and turn.at - last.at <= AGAIN
        return last.id if again else None

    def hear(self, turn: Turn, decision: GateDecision) -> None:
        """Keep in mind what was said last; what is turned away wasn't."""
        if decision.kept:
            self._now[turn.speaker] = turn


def _bare(text: str) -> str:
    """*text*, case and space aside."""
    return " ".join(text.casefold().split())


def _nearest(
    store: Store, vector: NDArray[np.float32]
) -> Callable[[int], list[tuple[Entry, float]]]:
    def nearest(k: int) -> list[tuple[Entry, float]]:
        found = store.nearest(vector, k)
        entries = store.entries([seq for seq, _ in found])
        return [(entries[seq], cosine) for seq, cosine in found if seq in entries]

    return nearest
