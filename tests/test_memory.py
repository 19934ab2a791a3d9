"""One person's memory, through its public face."""

import asyncio
import inspect
import json
import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from psm_core import Action, Config, Feedback, Memory, Tier, Turn
from psm_core.errors import (
    ClosedError,
    ConfigError,
    FeedbackError,
    PSMError,
    StoreError,
    TurnError,
    UnknownMemoryError,
)

LYON = "I moved to Lyon last week, into a flat with a balcony."


def test_what_was_just_said_is_recalled(memory, say):
    """A turn surfaces the moment after it was heard, with its source and its words."""
    memory.remember(say(LYON))

    (hit,) = memory.recall("who moved to Lyon?").hits

    assert (hit.text, hit.sources, hit.tier) == (LYON, ("t1",), Tier.EPISODIC)
    assert 0 < hit.score <= 1
    assert hit.explanation


def test_many_turns_at_once_are_the_same_as_one_by_one(open_memory, say):
    """Batched or not, the same turns make the same memories."""
    turns = [
        say(LYON),
        say("Hey, how is Lyon?", "Juno"),
        say("ok thanks"),
        say("My sister Ines was born on 14 May."),
        say("My sister Ines was born on 14 May."),
    ]
    together, apart = open_memory("ada"), open_memory("bob")

    decisions = together.remember_many(turns)

    assert [apart.remember(t) for t in turns] == decisions
    assert [(e.id, e.tier, e.trace) for e in together.entries()] == [
        (e.id, e.tier, e.trace) for e in apart.entries()
    ]


def test_a_turn_heard_twice_is_one_memory(memory, say):
    """The same id and words again change nothing, and the decision says so."""
    turn = say(LYON)
    first, second = memory.remember(turn), memory.remember(turn)

    assert (first.new, second.new) == (True, False)
    assert len(memory.entries()) == 1


def test_the_same_turn_without_an_id_is_one_memory(memory, clock):
    """Who said what, when and where identifies a turn that brings no id."""
    assert memory.remember(Turn(LYON)).new
    assert not memory.remember(Turn(LYON)).new
    clock.move(minutes=1)
    assert memory.remember(Turn(LYON)).new


def test_other_words_under_a_known_id_are_refused(memory, say):
    """An id that stands for other words would lose one of the two; nothing is stored."""
    memory.remember(say(LYON))

    with pytest.raises(TurnError, match="'t1' was remembered before with other words"):
        memory.remember_many([say("I like tea."), Turn("I like beer.", id="t1")])

    assert [e.id for e in memory.entries()] == ["t1"]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("I like tea.", "str"),
        ([Turn(LYON), "I like tea."], "str"),
        (Turn(LYON), "Turn"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_list_of_turns_is_refused(memory, given, what):
    """Bare text says nothing of who said it; nothing of the call is stored."""
    with pytest.raises(TurnError, match=f"this is {what}; write"):
        memory.remember_many(given)

    assert memory.entries() == []


def test_what_is_turned_away_is_archived_and_can_be_found(memory, say):
    """Small talk doesn't surface, isn't lost, and a deep recall finds it."""
    decision = memory.remember(say("haha ok thanks"))

    assert decision.action is Action.ARCHIVE
    assert decision.reason
    assert memory.recall("haha thanks").hits == ()
    assert memory.recall("haha ok thanks", deep=True).hits[0].sources == ("t1",)


def test_nothing_fits_is_an_empty_list(memory, say):
    """A cue that shares nothing with the store brings nothing back."""
    memory.remember(say(LYON))

    recall = memory.recall("quarterly photosynthesis spreadsheet")

    assert recall.hits == ()
    assert recall.as_context() == ""


@pytest.mark.parametrize("cue", ["", "  ", "\n", "?!", "\0", "\ud800"])
def test_a_cue_without_words_is_no_error(memory, say, cue):
    """Whatever a chat sends as a question, recall answers."""
    memory.remember(say(LYON))

    assert memory.recall(cue).hits == ()


def test_limit_and_budget_bound_a_recall(memory, say):
    """At most so many hits, at most so many tokens; None means no end."""
    memory.remember_many([say(f"I own book number {n} about Lyon.") for n in range(30)])

    assert len(memory.recall("book about Lyon").hits) == 10
    assert len(memory.recall("book about Lyon", limit=3).hits) == 3
    everything = memory.recall("book about Lyon", limit=None, budget=None)
    assert len(everything.hits) == 30
    small = memory.recall("book about Lyon", limit=None, budget=60)
    assert 0 < len(small.hits) < 6
    assert len(small.as_context().split()) <= 60


def test_a_custom_token_counter_is_obeyed(open_memory, say):
    """The budget is counted as the reader's model counts."""
    memory = open_memory(count_tokens=len)
    memory.remember_many([say(f"I own book number {n}.") for n in range(30)])

    context = memory.recall("which book do I own?", limit=None, budget=300).as_context()

    assert 200 < len(context) <= 300


def test_a_long_turn_is_found_by_any_of_its_passages(memory, say):
    """Beyond the encoder's reach nothing is lost, and the source is the turn."""
    filler = "The contract says many things about many matters of law. " * 60
    memory.remember(say(f"{filler} The deposit is 1640 euros. {filler}"))

    hit = memory.recall("how much is the deposit?").hits[0]

    assert "1640" in hit.text
    assert hit.sources == ("t1",)
    assert len(hit.text.split()) <= 160


def test_used_memories_grow_stronger_in_sleep_and_ignored_weaker(memory, say):
    """Feedback waits for the sleep, and is applied once however often one sleeps."""
    memory.remember_many([say("I like green tea."), say("I like green apples.")])
    recall = memory.recall("what green things do I like?")
    before = {h.id: memory.entry(h.id).trace.strength for h in recall.hits}
    memory.learn(Feedback(recall.id, used=["t1"], ignored=["t2"]))

    assert memory.entry("t1").trace.strength == before["t1"]
    for _ in range(3):
        memory.consolidate()

    assert memory.entry("t1").trace.strength > before["t1"]
    assert memory.entry("t2").trace.strength < before["t2"]
    assert memory.entry("t1").used == 1
    assert [c.what for c in memory.history("t1")].count("used") == 1


def test_a_correction_takes_effect_at_once(memory, say):
    """What was taken back is weaker in the very next recall."""
    memory.remember(say("I drink coffee every morning."))
    recall = memory.recall("what do I drink?")
    before = recall.hits[0].strength

    memory.learn(Feedback(recall.id, corrected=["t1"]))

    after = memory.entry("t1")
    assert after.trace.strength == pytest.approx(before * 0.4)
    assert after.corrected == 1


def test_feedback_on_what_was_not_shown_is_refused(memory, say):
    """A typing slip doesn't strengthen a stranger."""
    memory.remember(say(LYON))
    recall = memory.recall("Lyon?")

    with pytest.raises(FeedbackError, match="didn't show t9; it showed t1"):
        memory.learn(Feedback(recall.id, used=["t9"]))
    with pytest.raises(UnknownMemoryError):
        memory.learn(Feedback("r-nonsense", used=["t1"]))
    memory.learn(Feedback("r-nonsense"))


def test_sleeping_twice_changes_nothing(memory, say):
    """The second sleep finds nothing to do, and the store is as it was."""
    memory.remember_many(
        [say("I'm vegetarian."), say("I live in Berlin."), say("haha"), say(LYON)]
    )
    memory.consolidate()
    before = [(e.id, e.tier, e.text, e.trace) for e in memory.entries()]

    report = memory.consolidate()

    assert (report.episodes, report.facts, report.archived, report.changes) == (
        0,
        0,
        0,
        (),
    )
    assert [(e.id, e.tier, e.text, e.trace) for e in memory.entries()] == before


def test_a_sleep_turns_what_was_said_into_facts_with_provenance(memory, say):
    """A fact is in the third person and names the turn that it rests on."""
    memory.remember_many(
        [say("I'm vegetarian."), say("Nice weather, isn't it?", "Juno")]
    )

    report = memory.consolidate()

    (fact,) = memory.entries(Tier.SEMANTIC)
    assert (fact.text, fact.sources) == ("Ada is vegetarian.", ("t1",))
    assert report.facts == 1
    assert "fact" in [c.what for c in report.changes]


def test_an_update_ends_the_old_fact_and_keeps_it(memory, say):
    """Who moved lives in one place now, and lived in another before."""
    memory.remember(say("I live in Berlin."))
    memory.consolidate()
    memory.remember(say("I live in Lyon now.", session="s2"))
    memory.consolidate()

    by_text = {e.text: e for e in memory.entries(Tier.SEMANTIC)}
    old = by_text["Ada lives in Berlin."]
    (new,) = (e for text, e in by_text.items() if "Lyon" in text)
    assert old.superseded_by == new.id
    assert old.valid_until == new.said_at
    assert new.superseded_by is None
    hits = memory.recall("where does Ada live?").hits
    assert "Lyon" in hits[0].text


def test_a_contradiction_is_flagged_weakened_and_resolved_by_a_person(memory, say):
    """Both sides stay until somebody decides; then the refuted one has ended."""
    memory.remember(say("I'm allergic to peanuts."))
    memory.consolidate()
    memory.remember(say("I'm not allergic to peanuts.", session="s2"))
    memory.consolidate()

    (conflict,) = memory.conflicts()
    old, new = memory.entry(conflict.old), memory.entry(conflict.new)
    assert {old.sources, new.sources} == {("t1",), ("t2",)}
    settled = memory.resolve(conflict.id, keep="old")

    assert settled.status == "old"
    assert memory.conflicts() == []
    assert memory.entry(new.id).superseded_by == old.id
    assert memory.entry(old.id).trace.strength > memory.entry(new.id).trace.strength
    with pytest.raises(FeedbackError, match="keep='all'; keep one of new, old, both"):
        memory.resolve(conflict.id, keep="all")


def test_a_pinned_memory_does_not_fade(memory, say, clock):
    """A year later it is as strong as on the day it was pinned; unpinned, it fades on."""
    memory.remember(say("We met in Porto, at the harbour."))
    clock.move(days=10)
    memory.pin("t1")
    pinned = memory.strength(memory.entry("t1"))
    clock.move(days=365)

    assert memory.strength(memory.entry("t1")) == pinned
    memory.pin("t1", pinned=False)
    assert memory.strength(memory.entry("t1")) == pytest.approx(pinned)
    clock.move(days=365)
    assert memory.strength(memory.entry("t1")) < pinned
    assert [c.what for c in memory.history("t1")][-2:] == ["pinned", "unpinned"]


def test_an_expired_memory_surfaces_no_more(memory, say, clock):
    """Up to the minute it is there, from then on it isn't; taken back, it is again."""
    memory.remember(say("The door code is 4711 this week."))
    memory.expire("t1", clock.now() + timedelta(days=7))

    assert memory.recall("what is the door code?").hits
    clock.move(days=7)
    assert memory.recall("what is the door code?").hits == ()
    memory.expire("t1", None)
    assert memory.recall("what is the door code?").hits


def test_what_has_faded_is_archived_and_comes_back_when_it_is_used(memory, say, clock):
    """A deep recall finds it, and its use brings it back into the index."""
    memory.remember(say("What time does the ferry leave?"))
    memory.remember(say("I bought a bicycle.", at=clock.now() + timedelta(days=400)))
    memory.consolidate()
    assert memory.entry("t1").tier is Tier.ARCHIVAL

    assert not [h for h in memory.recall("the ferry").hits if h.id == "t1"]
    recall = memory.recall("what time does the ferry leave?", deep=True)
    memory.learn(Feedback(recall.id, used=["t1"]))
    clock.move(days=400)
    memory.consolidate()

    assert "reinstated" in [c.what for c in memory.history("t1")]


def test_forgotten_is_forgotten_even_when_it_is_said_again(memory, say):
    """Ingesting the same turn again doesn't bring it back."""
    turn = say("I'm vegetarian.")
    memory.remember(turn)
    memory.consolidate()

    memory.forget("t1")
    decision = memory.remember(turn)

    assert memory.entries() == []
    assert not decision.new
    assert "forgotten on purpose" in decision.reason
    with pytest.raises(UnknownMemoryError, match="t1"):
        memory.explain("t1")


def test_forgetting_a_turn_forgets_all_its_passages(memory, say):
    """A long turn is gone to its last passage, whichever of them is named."""
    memory.remember(say("The contract says many things about the law. " * 2000))
    assert len(memory.entries()) > 80

    memory.forget("t1~3")

    assert memory.entries() == []


def test_a_fact_does_not_keep_the_words_of_a_forgotten_turn(memory, say, home):
    """A fact that was said twice goes with either; what it covered comes back."""
    memory.remember(say("I'm vegetarian."))
    memory.remember(say("As I said, I'm vegetarian.", session="s2"))
    memory.consolidate()
    (fact,) = memory.entries(Tier.SEMANTIC)
    assert set(fact.sources) == {"t1", "t2"}

    memory.forget("t2")

    assert memory.entries(Tier.SEMANTIC) == []
    assert [e.id for e in memory.entries()] == ["t1"]
    assert memory.entry("t1").tier is Tier.EPISODIC
    assert memory.recall("vegetarian?").hits[0].id == "t1"


def test_explain_says_why_how_strong_and_how_long(memory, say):
    """A memory's explanation names its source, strength and half-life, not its words."""
    memory.remember(say(LYON))

    text = memory.explain("t1")

    assert "t1" in text
    assert "Strength 0." in text
    assert "half of it is gone every" in text
    assert "Lyon" not in text


def test_export_and_import_carry_everything(memory, open_memory, say, tmp_path):
    """A person moves to another home with every memory, conflict and history."""
    from psm_core.store.home import Home

    memory.remember_many([say("I'm vegetarian."), say(LYON), say("haha")])
    memory.consolidate()
    memory.pin("t2")
    file = memory.export(tmp_path / "ada.psm")

    there = tmp_path / "there"
    moved = open_memory("ada", home=there)
    moved.close()
    Home(moved.config, "hash-256", 256).import_person(file, "ada", replace=True)
    again = open_memory("ada", home=there)

    assert [(e.id, e.tier, e.text, e.pinned) for e in again.entries()] == [
        (e.id, e.tier, e.text, e.pinned) for e in memory.entries()
    ]
    assert again.history("t2") == memory.history("t2")
    assert again.recall("vegetarian?").hits


def test_a_closed_memory_says_how_to_open_it(memory, say):
    """Closing twice is fine; asking afterwards is a clear error."""
    memory.close()
    memory.close()

    with pytest.raises(ClosedError, match=r"open it again with Memory\('ada'"):
        memory.remember(say("hi there"))


def test_two_memories_of_one_person_are_one(open_memory, say):
    """Opened twice in a process, both see what either heard."""
    one, other = open_memory("ada"), open_memory("ada")
    one.remember(say(LYON))

    assert other.recall("Lyon?").hits[0].id == "t1"
    one.close()
    assert other.recall("Lyon?").hits[0].id == "t1"


def test_a_plugin_redacts_before_anything_is_stored(open_memory, say, home):
    """The words that a redactor takes out are in no file."""
    from psm_core import hookimpl

    class Cards:
        @hookimpl
        def psm_redact(self, text):
            return text.replace("4111222233334444", "[card]")

    memory = open_memory(plugins=[Cards()])
    memory.remember(say("My card is 4111222233334444, keep it."))

    assert memory.entries()[0].text == "My card is [card], keep it."
    memory.close()
    for file in home.rglob("*"):
        if file.is_file():
            assert b"4111222233334444" not in file.read_bytes()


def test_a_failing_redactor_stores_nothing(open_memory, say):
    """It fails closed: no turn of the batch is stored."""
    from psm_core import hookimpl

    class Broken:
        @hookimpl
        def psm_redact(self, text):
            raise RuntimeError(text)

    memory = open_memory(plugins=[Broken()])
    with pytest.raises(PSMError, match="wasn't stored"):
        memory.remember(say(LYON))

    assert memory.entries() == []


def test_observers_hear_every_walk(open_memory, say):
    """Remembered, recalled, corrected, slept and forgot are told, each once."""
    from psm_core import hookimpl

    heard = []

    class Ear:
        @hookimpl
        def psm_remembered(self, user, decision):
            heard.append(("remembered", user, decision.id))

        @hookimpl
        def psm_recalled(self, recall):
            heard.append(("recalled", len(recall.hits)))

        @hookimpl
        def psm_corrected(self, memory_id):
            heard.append(("corrected", memory_id))

        @hookimpl
        def psm_slept(self, report):
            heard.append(("slept", report.episodes))

        @hookimpl
        def psm_forgot(self, memory_id):
            heard.append(("forgot", memory_id))

    memory = open_memory(plugins=[Ear()])
    memory.remember(say(LYON))
    recall = memory.recall("Lyon?")
    memory.learn(Feedback(recall.id, corrected=["t1"]))
    memory.consolidate()
    memory.forget("t1")

    assert heard == [
        ("remembered", "ada", "t1"),
        ("recalled", 1),
        ("corrected", "t1"),
        ("slept", 1),
        ("forgot", "t1"),
    ]


def test_recalled_text_that_comes_back_is_not_stored(memory, say):
    """A model that repeats its prompt teaches the memory nothing."""
    memory.remember(say(LYON))
    prompt = memory.recall("Lyon?").as_context()

    memory.remember(say(f"{prompt}\nYou live in Lyon, I believe.", "Juno"))

    assert memory.entry("t2").text == "You live in Lyon, I believe."


def test_working_memory_is_the_session_in_order(memory, say):
    """The last turns of one session, small talk included, passages joined."""
    memory.remember_many(
        [
            say("haha"),
            say(LYON),
            say("Elsewhere.", session="s2"),
            say("And you?", "Juno"),
        ]
    )

    assert [t.text for t in memory.working("s1")] == ["haha", LYON, "And you?"]
    assert [t.id for t in memory.working("s1", 2)] == ["t2", "t4"]
    assert memory.working("s9") == []


# the async twins


def test_every_act_has_an_async_twin():
    """Each public method has a coroutine of the same name with an a, and its signature."""
    plain = {
        name: act
        for name, act in vars(Memory).items()
        if inspect.isfunction(act)
        and not name.startswith("_")
        and not inspect.iscoroutinefunction(act)
    }

    assert len(plain) > 15
    for name, act in plain.items():
        if name in {"strength", "redacted"}:  # there is nothing to wait for
            continue
        twin = getattr(Memory, f"a{name}")
        assert inspect.iscoroutinefunction(twin), name
        assert inspect.signature(twin) == inspect.signature(act), name


async def test_twenty_people_at_once_stay_apart(open_memory):
    """A hundred tasks over twenty people: each finds their own, and only that."""
    people = [open_memory(f"person {n}") for n in range(20)]

    async def live(n):
        person = people[n % 20]
        await person.aremember(Turn(f"My locker number is {n}.", id=f"t{n}"))
        return await person.arecall("what is my locker number?", limit=None)

    recalls = await asyncio.gather(*(live(n) for n in range(100)))

    for n, recall in enumerate(recalls):
        found = {int(h.id[1:]) for h in recall.hits}
        assert n in found
        assert {f % 20 for f in found} == {n % 20}


def test_import_psm_core_loads_nothing_heavy():
    """Importing the package loads no torch, chromadb, transformers, numpy or SQLAlchemy."""
    code = (
        "import sys, json, psm_core, psm_core.plugins;"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )

    loaded = set(json.loads(out.stdout))
    assert "psm_core" in loaded
    heavy = {
        "torch",
        "chromadb",
        "transformers",
        "numpy",
        "sqlalchemy",
        "rich",
        "typer",
    }
    assert not loaded & heavy


def test_some_of_many_memories_are_known(open_memory):
    """Those that are there come in the order that was asked for; the rest are left out."""
    memory = open_memory()
    for name in ("a", "b", "c"):
        memory.remember(Turn(f"I own the thing {name}.", id=name))
    memory.forget("b")

    assert [e.id for e in memory.known(["c", "b", "nobody", "a"])] == ["c", "a"]


@pytest.mark.parametrize(
    "said",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
        datetime(999, 12, 31, tzinfo=UTC),
        datetime(9001, 1, 1, tzinfo=UTC),
    ],
    ids=["first", "last", "early", "late"],
)
def test_a_time_that_can_t_be_reckoned_with_is_refused_at_once(said):
    """Stored, it would make every recall of that person fail."""
    with pytest.raises(TurnError, match=f"in the year {said.year}"):
        Turn("Old thing.", at=said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 5),
        ("session", None),
        ("speaker", b"Ada"),
        ("at", "2026-03-01"),
        ("at", date(2026, 3, 1)),
    ],
)
def test_a_turn_of_other_types_is_refused_by_name(name, value):
    """The field, what it is, and what it must be; no AttributeError later on."""
    word = "time" if name == "at" else name

    with pytest.raises(TurnError, match=f"the {word} of a turn is"):
        Turn("I live in Lyon.", **{name: value})


def test_a_slip_in_a_date_doesn_t_make_all_else_long_ago(memory, say, clock):
    """The year 2206 is refused, and nothing of the batch is stored."""
    far = say("See you.", at=clock.now() + timedelta(days=180 * 365))

    with pytest.raises(TurnError, match="ahead of the clock"):
        memory.remember_many([say(LYON), far])

    assert memory.entries() == []


def test_what_was_expired_comes_back_in_no_fact(memory, say, clock):
    """Neither one drawn after it nor one drawn before it, and it can be taken back."""
    memory.remember(say("I live in Lyon with two cats.", id="a"))
    memory.expire("a", clock.now() + timedelta(days=1))
    memory.consolidate()
    memory.remember(say("I work at a bakery.", id="b"))
    memory.consolidate()
    memory.expire("b", clock.now() - timedelta(days=1))
    clock.move(days=2)

    assert memory.recall("Lyon cats bakery").hits == ()
    memory.expire("b", None)
    assert [hit.text for hit in memory.recall("work bakery").hits] == [
        "Ada works at a bakery."
    ]


def test_nothing_is_merged_into_a_fact_that_expired(memory, say, clock):
    """Said again after that, it is a fact of its own, and surfaces."""
    memory.remember(say("I live in Lyon with two cats.", id="a"))
    memory.consolidate()
    (fact,) = memory.entries(Tier.SEMANTIC)
    memory.expire(fact.id, clock.now())
    clock.move(days=30)
    memory.remember(say("I live in Lyon with two cats.", at=clock.now()))
    memory.consolidate()

    assert [hit.id == fact.id for hit in memory.recall("Lyon cats").hits] == [False]


@pytest.mark.parametrize("at", [datetime(2026, 3, 1), "tomorrow"], ids=repr)  # noqa: DTZ001
def test_expiry_takes_an_aware_time_alone(at, memory, say):
    """The way out is named, and the memory stays as it was."""
    memory.remember(say(LYON, id="a"))

    with pytest.raises(ConfigError, match="aware datetime"):
        memory.expire("a", at)

    assert memory.entry("a").expires_at is None


def test_settings_that_are_given_come_before_a_config(tmp_path):
    """Nothing that is asked for is passed over, least of all the folder."""
    config = Config(home=tmp_path / "b", encoder="hash", recall_limit=7)

    with Memory("ada", home=tmp_path / "a", config=config, recall_budget=50) as memory:
        assert memory.config.home == tmp_path / "a"
        assert (memory.config.recall_limit, memory.config.recall_budget) == (7, 50)
    with pytest.raises(ConfigError, match="no setting bogus"):
        Memory("ada", config=config, bogus=1)

    assert not (tmp_path / "b").exists()


def test_a_number_beyond_the_ledger_is_one_of_our_errors(memory):
    """Not a traceback out of SQLite's driver."""
    with pytest.raises(StoreError, match="2\\*\\*63"):
        memory.entries(limit=2**70)


@pytest.mark.parametrize("limit", [0, -1])
def test_no_turns_in_view_is_no_number_of_turns(limit, memory):
    """Neither all of them nor as many as usual."""
    with pytest.raises(ConfigError, match="at least 1"):
        memory.working("s1", limit)


@pytest.mark.parametrize(
    "text", ["<memories>" * 100_000, "word " * 300 + "!" * 200_000]
)
def test_a_long_text_of_marks_is_heard_in_time(text, memory, say):
    """Time grows with the length, not with its square: a minute and more before."""
    began = time.process_time()
    memory.remember(say(text))

    assert time.process_time() - began < 5
