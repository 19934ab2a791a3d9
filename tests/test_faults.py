"""Bad input and broken machines meet one of our errors, or are simply right."""

import sqlite3
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_core import Memory, Turn
from psm_core.errors import (
    EncoderMismatchError,
    PSMError,
    SchemaError,
    StoreError,
    StoreFullError,
    UserError,
)
from psm_core.model.encoder import HashEncoder

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.slow
def test_a_megabyte_of_text_is_remembered_whole(memory):
    """All of a pasted megabyte is there, and its last sentence is found."""
    text = "The quick brown fox jumps over the lazy dog. " * 23_000
    began = time.perf_counter()
    memory.remember(Turn(f"{text} The vault opens with 7391.", id="big"))

    assert time.perf_counter() - began < 120
    words = sum(len(e.text.split()) for e in memory.entries())
    assert words == len(text.split()) + 5
    assert "7391" in memory.recall("what opens the vault?").hits[0].text


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("I like\0 tea, always.", "I like tea, always."),
        ("I like \ud800 tea.", "I like \ufffd tea."),
        ("I like 🍵 and كتاب and 茶.", "I like 🍵 and كتاب and 茶."),
        ("e\u0301clair, I love e\u0301clairs", "e\u0301clair, I love e\u0301clairs"),
    ],
)
def test_odd_characters_survive_or_are_replaced(memory, said, kept):
    """NUL goes, a lone surrogate becomes U+FFFD, everything else stays as it was."""
    memory.remember(Turn(said, id="t1"))

    assert memory.entry("t1").text == kept
    assert memory.working("default")[0].text == kept


def test_turns_out_of_order_stay_dated_by_their_own_time(memory):
    """An older turn that is heard later is older, in its day and in the context."""
    memory.remember(Turn("I bought a boat in June.", at=T0, id="late"))
    memory.remember(
        Turn("I bought a bike in May.", at=T0 - timedelta(days=30), id="early")
    )

    context = memory.recall("what was bought in May, what in June?").as_context()

    assert context.index("bike") < context.index("boat")
    assert memory.entry("early").said_at == T0 - timedelta(days=30)


def test_a_clock_that_goes_back_weakens_and_breaks_nothing(memory, clock):
    """A year back in time nothing is stronger than it was, and every walk works."""
    memory.remember(Turn("I bought a boat.", at=T0, id="t1"))
    strength = memory.entry("t1").trace.strength
    clock.move(days=-365)

    assert memory.strength(memory.entry("t1")) == strength
    assert memory.recall("which boat?").hits[0].strength == strength
    memory.remember(Turn("I sold the boat.", id="t2"))
    memory.consolidate()
    assert memory.entry("t2").said_at == T0 - timedelta(days=365)


def test_times_of_any_zone_are_one_time(memory):
    """Noon in Tokyo is three in the morning in London."""
    tokyo = timezone(timedelta(hours=9))
    memory.remember(
        Turn("I landed.", at=datetime(2026, 3, 1, 12, tzinfo=tokyo), id="t1")
    )

    assert memory.entry("t1").said_at == datetime(2026, 3, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "user",
    ["../../etc/passwd", "🦊", "x" * 300, "a/b\\c", "ada@example.org", "..", "CON"],
)
def test_any_readable_name_is_a_person(open_memory, home, user):
    """Whatever the id, the folder stays in the home and the memory works."""
    memory = open_memory(user)
    memory.remember(Turn("I like basalt.", id="t1"))

    assert memory.recall("basalt?").hits
    inside = home.resolve()
    assert all(inside in p.resolve().parents for p in home.rglob("*"))


@pytest.mark.parametrize("user", ["", " ", "x" * 1001, "a\0b", "a\ud800"])
def test_a_name_that_names_nobody_is_refused(open_memory, user):
    """Empty, endless and unreadable ids are one of our errors."""
    with pytest.raises(UserError):
        open_memory(user)


def test_one_person_however_the_name_is_composed(open_memory):
    """An é of one character or of two is the same person."""
    open_memory("Ren\u00e9").remember(Turn("I like basalt.", id="t1"))

    assert open_memory("Rene\u0301").recall("basalt?").hits


def test_another_encoder_is_refused(open_memory):
    """Vectors of another encoder would be compared without meaning."""
    open_memory("ada").remember(Turn("I like basalt."))

    with pytest.raises(EncoderMismatchError, match="hash-256.*256.*128"):
        open_memory("ada", encoder=HashEncoder(128))


def test_a_full_disk_loses_nothing_acknowledged(memory):
    """The turn that doesn't fit is an error; everything before it is there."""
    memory.remember(Turn("I like basalt.", id="t1"))
    with memory._open() as store:
        pages = store.rows("PRAGMA page_count")[0][0]
        store.rows(f"PRAGMA max_page_count = {pages + 2}")
    text = "I keep a diary of everything that happens. "

    with pytest.raises(StoreFullError, match="full"):
        for n in range(200):
            memory.remember(Turn(f"{text * 30} {n}", id=f"d{n}"))

    acknowledged = {e.id for e in memory.entries()}
    assert "t1" in acknowledged
    assert memory.recall("basalt?").hits
    assert memory.check() == []


@pytest.mark.parametrize("place", ["file", "/proc/psm", "/dev/null/psm"])
def test_a_home_that_can_not_be_written_is_one_error(tmp_path, place):
    """A file where the folder should be, or a read-only system, is said in a sentence."""
    home = tmp_path / "file" if place == "file" else place
    if place == "file":
        home.write_text("I was here first")

    with pytest.raises(StoreError) as caught:
        Memory("ada", home=home, encoder="hash")

    assert str(home) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_store_of_a_newer_release_is_left_alone(open_memory, home):
    """An older program says that it is older, and doesn't touch the file."""
    memory = open_memory()
    memory.remember(Turn("I like basalt.", id="t1"))
    memory.close()
    (ledger,) = home.rglob("ledger.sqlite")
    with sqlite3.connect(ledger) as raw:
        raw.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    before = ledger.read_bytes()

    with pytest.raises(SchemaError, match=r"99.*upgrade psm-memory"):
        open_memory()

    assert ledger.read_bytes() == before


def test_a_ledger_that_is_no_ledger_is_one_error(open_memory, home):
    """Garbage in the place of the ledger is named, and not overwritten."""
    memory = open_memory()
    memory.remember(Turn("I like basalt.", id="t1"))
    memory.close()
    (ledger,) = home.rglob("ledger.sqlite")
    for beside in ledger.parent.glob("ledger.sqlite-*"):
        beside.unlink()
    ledger.write_bytes(b"not a database at all " * 500)

    with pytest.raises(StoreError):
        open_memory()

    assert ledger.read_bytes().startswith(b"not a database")


def test_an_index_deleted_by_hand_is_found_and_mended(memory, home):
    """Without the chroma folder nothing is missed; doctor says so, rebuild mends it."""
    import shutil

    memory.remember_many([Turn(f"I own thing {n}.", id=f"t{n}") for n in range(50)])
    memory.rebuild()
    memory.close()
    (chroma,) = (p for p in home.rglob("chroma") if p.is_dir())
    shutil.rmtree(chroma)

    with Memory("ada", home=home, encoder="hash") as again:
        hits = again.recall("thing 7", limit=None, budget=None).hits
        assert len(hits) == 50
        assert again.rebuild() >= 50
        assert again.check() == []
        assert again.recall("thing 7").hits[0].id == "t7"


texts = st.text(max_size=80)


@settings(max_examples=60, deadline=None)
@given(texts, texts, texts, texts)
def test_no_text_in_any_field_breaks_a_walk(
    tmp_path_factory, text, speaker, session, i
):
    """Whatever characters come in, the answer is a memory or one of our errors."""
    home = tmp_path_factory.mktemp("home")
    with Memory("ada", home=home, encoder="hash") as memory:
        try:
            turn = Turn(text, speaker, at=T0, session=session, id=i)
            decision = memory.remember(turn)
        except PSMError:
            return
        assert not memory.remember(turn).new
        memory.recall(text)
        memory.recall(text, deep=True)
        memory.consolidate()
        memory.explain(decision.id)
        assert memory.working(session)
