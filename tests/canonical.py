"""What a store means, whatever numbers its rows have and whatever Chroma holds."""

import hashlib
from dataclasses import fields

import numpy as np

from psm_core.types import Entry, Tier

FIELDS = [f.name for f in fields(Entry) if f.name not in {"id", "seq", "vector"}]


def dump(memory):
    """Everything of *memory* that has meaning, as plain values that can be compared.

    Two stores with one dump answer alike, fade alike, and go to sleep alike.
    """
    with memory._open() as store, store.reading():
        entries = store.listing(vectors=True)
        return {
            "memories": {
                entry.id: {
                    **{name: str(getattr(entry, name)) for name in FIELDS},
                    "as heard": whole.text,
                    "vector": _print(entry.vector),
                    "history": _history(entry.id, store),
                }
                for entry, whole in zip(entries, store.as_heard(entries), strict=True)
            },
            "sessions": _sessions(entries, store),
            "conflicts": sorted(str(c) for c in store.conflicts(status=None)),
            "feedback": _feedback(store),
            "unread": _unread(entries, store),
            "condensed": sorted(i for (i,) in store.rows(_LOOKED_AT)),
            "leaning": store.meta("leaning"),
            "tombstones": sorted(d.hex() for (d,) in store.rows(_TOMBSTONES)),
        }


_LOOKED_AT = "SELECT id FROM memory JOIN gist USING (seq)"
_TOMBSTONES = "SELECT digest FROM tombstone"


def _print(vector):
    """The same for the same vector, to three places; short enough to be read."""
    rounded = np.round(vector, 3) + 0.0
    return hashlib.blake2b(rounded.tobytes(), digest_size=6).hexdigest()


def _history(memory_id, store):
    """What happened to a memory, with the values that it put an end to."""
    return [
        (
            str(c.at),
            c.what,
            c.reason,
            str(sorted(store.before(c.number).values.items())),
        )
        for c in store.history(memory_id)
    ]


def _sessions(entries, store):
    """Who stands after whom, in each session."""
    places = store.places([e.seq for e in entries])
    told = sorted((e for e in entries if places[e.seq].session > 0), key=_seq)
    names = dict.fromkeys(e.session for e in told)
    return {
        name: [
            e.id
            for e in sorted(told, key=lambda e: places[e.seq].place)
            if e.session == name
        ]
        for name in sorted(names)
    }


def _feedback(store):
    """Outcomes that no sleep has applied."""
    waiting = store.judged()
    named = store.entries([a.seq for a in waiting])
    return [(named[a.seq].id, str(a.outcome), str(a.at)) for a in waiting]


def _unread(entries, store):
    """The episodes that no sleep has read: what the watermark means."""
    return [
        e.id for e in entries if e.tier is Tier.EPISODIC and e.seq > store.watermark()
    ]


def _seq(entry):
    return entry.seq
