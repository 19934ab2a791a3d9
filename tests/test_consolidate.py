"""A sleep is drafted, then written at once; it loses nothing, and is done once."""

import contextlib
import itertools
import random
import tempfile
import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_core import Feedback, Memory, Tier, Turn
from psm_core.acts import consolidate, pruning
from psm_core.errors import FeedbackError, StoreFullError, UnknownMemoryError
from psm_core.model.rules import RulePolicy

from .canonical import dump
from .conftest import T0, Clock


@pytest.fixture(autouse=True)
def _little_room(monkeypatch):
    """Lives of a test are short, so an index has no room but its share."""
    monkeypatch.setattr(pruning, "ROOM", 0)


DAY = timedelta(days=1)

GIST = (
    "The harbour of Piran smelled of tar and fennel, and the ferry from Trieste "
    "brought salt, lanterns, copper kettles and eleven sleepy goats."
)
SPARED = "It was so nice of you all to come along."
LONG = f"Hi there! {GIST} How are you? {SPARED}"


class Meddling(RulePolicy):
    """The rules, in the middle of whose reading something happens."""

    def __init__(self):
        self.acts = []
        self.calls = 0

    def abstract(self, episodes):
        found = super().abstract(episodes)
        self.calls += 1
        if self.acts:
            self.acts.pop(0)()
        return found


@pytest.fixture
def meddling():
    return Meddling()


@pytest.fixture
def tell(say):
    """Makes turns that are said at noon of a day."""
    return lambda text, day=0, **fields: say(text, at=T0 + day * DAY, **fields)


def facts(memory):
    return {e.text: e for e in memory.entries(Tier.SEMANTIC)}


def told(memory, memory_id):
    return [c.what for c in memory.history(memory_id)][1:]


# ------------------------------------------------- between the draft and the write


def test_what_is_forgotten_while_somebody_sleeps_leaves_no_fact(
    open_memory, meddling, tell
):
    """The draft that knew it is thrown away, and the next one doesn't know it."""
    memory = open_memory(policy=meddling)
    memory.remember_many([tell("I'm vegetarian."), tell("I live in Lyon.")])
    meddling.acts = [lambda: memory.forget("t1")]

    report = memory.consolidate()

    assert set(facts(memory)) == {"Ada lives in Lyon."}
    assert (report.episodes, report.facts, meddling.calls) == (1, 1, 2)
    with pytest.raises(UnknownMemoryError):
        memory.entry("t1")


def test_what_is_pinned_while_somebody_sleeps_stays_in_the_index(
    open_memory, meddling, tell
):
    """The fact says all of it, and still the sleep leaves it where it is."""
    memory = open_memory(policy=meddling)
    memory.remember_many([tell("I'm vegetarian."), tell("I live in Lyon.")])
    meddling.acts = [lambda: memory.pin("t1")]

    memory.consolidate()

    assert memory.entry("t1").tier is Tier.EPISODIC
    assert memory.entry("t2").tier is Tier.ARCHIVAL
    assert told(memory, "t1") == ["pinned"]


def test_a_correction_while_somebody_sleeps_counts_once(open_memory, meddling, tell):
    """It took effect at once, and the sleep doesn't add it a second time."""
    memory = open_memory(policy=meddling)
    memory.remember(tell("I drink coffee every morning."))
    recall = memory.recall("what do I drink?")
    before = recall.hits[0].strength
    meddling.acts = [lambda: memory.learn(Feedback(recall.id, corrected=["t1"]))]

    memory.consolidate()

    entry = memory.entry("t1")
    assert entry.corrected == 1
    assert entry.trace.strength == pytest.approx(before * 0.4)
    assert told(memory, "t1").count("corrected") == 1


def test_a_use_while_somebody_sleeps_counts_once(open_memory, meddling, tell):
    """Whether this sleep applies it or the next one: once."""
    memory = open_memory(policy=meddling)
    memory.remember(tell("I bought a boat."))
    recall = memory.recall("which boat?")
    meddling.acts = [lambda: memory.learn(Feedback(recall.id, used=["t1"]))]

    reports = [memory.consolidate() for _ in range(2)]

    assert [r.reinforced for r in reports] == [1, 0]
    assert memory.entry("t1").used == 1


def test_what_is_heard_while_somebody_sleeps_is_slept_on_next(
    open_memory, meddling, tell
):
    """Hearing throws no draft away; what was heard waits for the next sleep."""
    memory = open_memory(policy=meddling)
    memory.remember(tell("I'm vegetarian."))
    meddling.acts = [lambda: memory.remember(tell("I live in Lyon."))]

    first = memory.consolidate()

    assert (first.episodes, meddling.calls) == (1, 1)
    assert set(facts(memory)) == {"Ada is vegetarian."}
    assert dump(memory)["unread"] == ["t2"]
    assert memory.consolidate().episodes == 1
    assert set(facts(memory)) == {"Ada is vegetarian.", "Ada lives in Lyon."}


def test_who_decides_all_the_time_is_kept_waiting_for_once(open_memory, meddling, tell):
    """Three drafts are thrown away; the fourth is written, with all decisions in it."""
    memory = open_memory(policy=meddling)
    memory.remember(tell("I'm vegetarian."))
    meddling.acts = [
        lambda: memory.pin("t1"),
        lambda: memory.pin("t1", pinned=False),
        lambda: memory.expire("t1", T0 + 900 * DAY),
    ]

    report = memory.consolidate()

    assert meddling.calls == consolidate.TRIES + 1
    assert (report.episodes, report.facts) == (1, 1)
    assert memory.entry("t1").expires_at == T0 + 900 * DAY
    assert memory.consolidate().changes == ()


def test_two_who_let_one_person_sleep_at_once_do_it_once(open_memory, meddling, tell):
    """One of them finds that the other was faster, and has nothing to do."""
    one, other = open_memory(policy=meddling), open_memory()
    one.remember_many([tell("I'm vegetarian."), tell("I live in Lyon.")])
    meddling.acts = [lambda: reports.append(other.consolidate())]
    reports = []

    reports.append(one.consolidate())

    assert [(r.episodes, r.facts) for r in reports] == [(2, 2), (0, 0)]
    assert [e.mentions for e in facts(one).values()] == [1, 1]
    assert told(one, "t1") == ["archived"]


@pytest.mark.parametrize("threads", [4])
def test_many_threads_that_sleep_at_once_write_everything_once(
    open_memory, tell, threads
):
    """The store is what one sleep alone would have made of it."""
    memories = [open_memory("ada") for _ in range(threads)]
    alone = open_memory("bob")
    turns = [
        tell(text, day)
        for day, text in enumerate(
            ["I'm vegetarian.", "I live in Berlin.", "I live in Lyon now.", LONG] * 5
        )
    ]
    memories[0].remember_many(turns)
    alone.remember_many(turns)
    alone.consolidate()
    start = threading.Barrier(threads)
    reports = []

    def sleep(memory):
        start.wait()
        reports.append(memory.consolidate())

    workers = [threading.Thread(target=sleep, args=[m]) for m in memories]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(r.episodes for r in reports)[:-1] == [0] * (threads - 1)
    assert dump(memories[0]) == dump(alone)


# ------------------------------------------------------------------ who reads meanwhile


@pytest.fixture
def told_much(open_memory, meddling, tell):
    """A memory that will change in many ways in its next sleep."""
    memory = open_memory(policy=meddling, index_share=0.5)
    memory.remember(tell("I live in Berlin."))
    memory.consolidate()
    texts = [LONG, "I'm vegetarian.", "I'm not vegetarian.", "haha"]
    memory.remember_many([tell(text, n) for n, text in enumerate(texts, 3)])
    memory.remember(tell("I live in Lyon now.", 30))
    return memory


def test_readers_see_the_memory_before_a_sleep_or_after_it(told_much):
    """Whoever looks over another connection, at any step of the writing, sees the
    store as it was; and when it is written, as it is."""
    with told_much._open() as shard:
        other = told_much._home._shard(shard.folder, "ada")

    def look():
        with other.reading():
            spans = [
                (e.id, str(e.tier), e.text, e.superseded_by, e.trace)
                for e in other.listing()
            ]
            return other.watermark(), len(other.conflicts()), tuple(spans)

    seen, before = [], look()
    # SQLite calls it in the middle of its work, every hundred steps.
    shard._driver.set_progress_handler(lambda: seen.append(look()), 100)
    report = told_much.consolidate()
    shard._driver.set_progress_handler(None, 0)
    after = look()
    other.close()

    assert len(report.changes) > 6
    assert len(seen) > 50
    assert before != after
    assert set(seen) <= {before, after}


def test_a_sleep_keeps_no_recall_waiting(told_much, meddling):
    """Threads that ask all the while are answered in the middle of the sleep, from the
    memory before it; and afterwards from the memory after it."""
    seen, over, answered = [], threading.Event(), threading.Event()

    def ask():
        while not over.is_set():
            asleep = not meddling.acts
            hits = told_much.recall("where do I live?", deep=True).hits
            seen.append(frozenset((h.id, h.tier, h.valid_until) for h in hits))
            if asleep:
                answered.set()

    before = frozenset(
        (h.id, h.tier, h.valid_until)
        for h in told_much.recall("where do I live?", deep=True).hits
    )
    meddling.acts = [lambda: answered.wait(10)]
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    told_much.consolidate()
    after = frozenset(
        (h.id, h.tier, h.valid_until)
        for h in told_much.recall("where do I live?", deep=True).hits
    )
    over.set()
    for thread in threads:
        thread.join()

    assert answered.is_set()
    assert before != after
    assert before in seen
    assert set(seen) <= {before, after}


def test_a_sleep_that_can_t_be_written_changes_nothing(open_memory, tell):
    """On a full disk the store is as it was; with room, it is as if nothing had been."""
    memory, other = open_memory("ada"), open_memory("bob")
    turns = [
        tell(f"My sister Ines owns the blue boat number {n} of Piran.", n)
        for n in range(150)
    ]
    for one in (memory, other):
        one.remember_many(turns)
    before = dump(memory)
    with memory._open() as store:
        pages = store.rows("PRAGMA page_count")[0][0]
        store.rows(f"PRAGMA max_page_count = {pages}")
        # What was deleted leaves pages that may be filled again.
        assert store.rows("PRAGMA freelist_count")[0][0] < 9

    with pytest.raises(StoreFullError):
        memory.consolidate()

    assert dump(memory) == before
    with memory._open() as store:
        store.rows("PRAGMA max_page_count = 1000000")
    assert memory.consolidate().changes == other.consolidate().changes
    assert dump(memory) == dump(other)
    assert memory.check() == []


def test_the_sleep_of_somebody_who_was_never_heard_is_empty(memory, clock):
    """No episode, no change, and the report is of now."""
    report = memory.consolidate()

    assert (report.user, report.at, report.episodes, report.changes) == (
        "ada",
        clock.now(),
        0,
        (),
    )


def test_a_long_backlog_is_slept_on_nap_by_nap(open_memory, tell, monkeypatch):
    """However many episodes one nap takes, all are read, and the facts are the same."""
    turns = [
        tell(text, day)
        for day, text in enumerate(
            [f"My {kin} lives in {city}. {LONG}" for kin, city in KIN_AND_CITIES]
        )
    ]
    apart, together = open_memory("ada"), open_memory("bob")
    apart.remember_many(turns)
    together.remember_many(turns)
    whole = together.consolidate()
    monkeypatch.setattr(consolidate, "NAP", 4)

    report = apart.consolidate()

    assert report.episodes == whole.episodes == len(turns)
    assert set(facts(apart)) == set(facts(together))
    assert (report.condensed, report.archived) == (whole.condensed, whole.archived)
    assert dump(apart)["unread"] == []
    assert apart.consolidate().changes == ()


KIN_AND_CITIES = [
    ("sister", "Lyon"),
    ("brother", "Porto"),
    ("mother", "Graz"),
    ("father", "Turin"),
    ("aunt", "Ghent"),
    ("uncle", "Cork"),
    ("cousin", "Split"),
    ("niece", "Bergen"),
    ("nephew", "Malmo"),
]


# -------------------------------------------------------------------- fewer words


def test_the_sentences_that_carry_an_old_turn_stand_for_it(open_memory, tell):
    """After a week an ordinary recall shows its gist; a day before, all of it."""
    memory = open_memory(index_share=0.9)
    memory.remember_many([tell(LONG), tell("I bought a boat.", 6.9)])
    memory.consolidate()
    assert memory.entry("t1").text == LONG
    memory.remember(tell("I sold the boat.", 7.1))

    report = memory.consolidate()

    assert report.condensed == 1
    assert memory.entry("t1").text == GIST
    assert memory.recall("how did the harbour of Piran smell?").hits[0].text == GIST
    assert told(memory, "t1") == ["condensed"]


@pytest.fixture
def condensed(open_memory, tell):
    """A memory that has kept the gist of LONG in the index, and the rest aside."""
    memory = open_memory(index_share=0.9)
    memory.remember_many([tell(LONG), tell("I bought a boat.", 20)])
    memory.consolidate()
    entry = memory.entry("t1")
    assert (entry.text, entry.tier) == (GIST, Tier.EPISODIC)
    return memory


def test_a_deep_recall_finds_spared_words_and_shows_them_all(condensed):
    """What was spared is out of the ordinary recall, and is shown when one digs."""
    hit = condensed.recall(SPARED, deep=True).hits[0]

    assert (hit.id, hit.text) == ("t1", LONG)
    assert SPARED not in condensed.recall(SPARED).as_context()
    assert condensed.working("s1")[0].text == LONG


def test_hearing_a_condensed_turn_again_is_no_error(condensed, tell):
    """The same id with all its words is the same turn; other words still aren't."""
    again = condensed.remember(Turn(LONG, "Ada", session="s1", at=T0, id="t1"))

    assert not again.new
    with pytest.raises(ValueError, match="other words"):
        condensed.remember(Turn(GIST, "Ada", session="s1", at=T0, id="t1"))


def test_a_condensed_turn_said_again_weeks_later_is_kept_as_heard(condensed, tell):
    """The same words tell of another day."""
    decision = condensed.remember(tell(LONG, 21))

    assert decision.new
    assert decision.kept
    assert condensed.entry(decision.id).text == LONG


def test_a_condensed_turn_is_forgotten_with_the_words_that_were_spared(condensed):
    """No row keeps them, and no deep recall finds them."""
    condensed.forget("t1")

    with condensed._open() as store:
        assert store.rows("SELECT count(*) FROM gist WHERE whole IS NOT NULL") == [(0,)]
    assert condensed.recall(SPARED, deep=True).hits == ()
    assert condensed.check() == []


def test_a_condensed_turn_that_is_archived_keeps_all_its_words(
    condensed, tell, open_memory
):
    """Archived or not, the whole is what was heard."""
    condensed.remember(tell("What a day.", 3600))
    condensed.consolidate()
    assert condensed.entry("t1").tier is Tier.ARCHIVAL

    (hit,) = [h for h in condensed.recall(SPARED, deep=True).hits if h.id == "t1"]
    assert hit.text == LONG


def test_what_is_pinned_stays_as_it_was_heard(memory, tell):
    """A person who keeps it keeps all of it."""
    memory.remember_many([tell(LONG), tell("I bought a boat.", 20)])
    memory.pin("t1")
    memory.consolidate()

    assert memory.entry("t1").text == LONG


def test_an_index_that_may_hold_everything_spares_no_word(open_memory, tell):
    """With a share of 1 nothing is condensed, and nothing leaves for want of room."""
    memory = open_memory(index_share=1)
    memory.remember_many([tell(LONG, n) for n in range(3)])
    memory.remember(tell("I bought a boat.", 60))
    report = memory.consolidate()

    assert (report.condensed, memory.entry("t1").text) == (0, LONG)


# ------------------------------------------------------------------ room in the index


def words_live(memory, before):
    live = memory.entries(Tier.EPISODIC, Tier.SEMANTIC)
    return sum(len(e.text.split()) for e in live if e.said_at < before)


THINGS = [
    f"I own the {colour} lamp of Piran." for colour in ["red", "blue", "gray", "pink"]
]


def test_the_index_holds_its_share_and_the_weakest_leave_first(open_memory, tell):
    """Of four turns of seven words a half is fourteen: the two weakest go."""
    memory = open_memory(index_share=0.5, fact_confidence=1)
    memory.remember_many([tell(text, n) for n, text in enumerate(THINGS)])
    memory.remember(tell("Bye.", 30))
    for name, strength in (("t1", 0.3), ("t2", 0.9), ("t3", 0.2), ("t4", 0.8)):
        _strengthen(memory, name, strength)

    report = memory.consolidate()

    assert report.archived == 2
    assert [memory.entry(f"t{n}").tier for n in (1, 2, 3, 4)] == [
        Tier.ARCHIVAL,
        Tier.EPISODIC,
        Tier.ARCHIVAL,
        Tier.EPISODIC,
    ]
    assert words_live(memory, T0 + 20 * DAY) == 14
    assert memory.consolidate().changes == ()


def test_what_a_night_strengthens_is_weighed_as_strong_as_it_is_then(open_memory, tell):
    """The use that the same sleep applies keeps a weak memory in the index."""
    memory = open_memory(index_share=0.5, fact_confidence=1)
    memory.remember_many([tell(text, n) for n, text in enumerate(THINGS)])
    memory.remember(tell("Bye.", 30))
    for name, strength in (("t1", 0.3), ("t2", 0.4), ("t3", 0.2), ("t4", 0.5)):
        _strengthen(memory, name, strength)
    recall = memory.recall("which lamp is gray?")
    memory.learn(Feedback(recall.id, used=["t3"]))

    memory.consolidate()

    assert [e.id for e in memory.entries(Tier.EPISODIC)] == ["t3", "t4"]


def test_what_is_pinned_or_fresh_never_leaves_for_want_of_room(open_memory, tell):
    """The weakest of all stays where a person wants it, and the last week does too."""
    memory = open_memory(index_share=0.1, fact_confidence=1)
    memory.remember_many([tell(text, n) for n, text in enumerate(THINGS)])
    memory.remember(tell("I own the last lamp of Piran.", 30))
    _strengthen(memory, "t1", 0.1)
    memory.pin("t1")

    memory.consolidate()

    assert [e.id for e in memory.entries(Tier.EPISODIC)] == ["t1", "t5"]


def _strengthen(memory, memory_id, strength):
    with memory._open() as store:
        trace = store.find(memory_id).trace
        floor = min(trace.floor, strength)
        changed = type(trace)(strength, trace.half_life, trace.anchored_at, floor)
        store.change(memory_id, T0, "weighed", "for a test", trace=changed)


def test_what_a_sleep_brings_back_takes_its_place_in_it(open_memory, tell):
    """It is condensed and counted in the same night, and the next has nothing to do."""
    memory = open_memory(index_share=0.9, fact_confidence=1)
    memory.remember(tell(LONG))
    with memory._open() as store:
        store.change("t1", T0, "archived", "for a test", tier=Tier.ARCHIVAL)
    memory.remember(tell("I bought a boat.", 20))
    memory.consolidate()
    recall = memory.recall("the harbour of Piran", deep=True)
    memory.learn(Feedback(recall.id, used=["t1"]))

    memory.consolidate()

    assert told(memory, "t1") == ["archived", "used", "reinstated", "condensed"]
    assert memory.consolidate().changes == ()


def test_the_index_holds_its_share_with_what_a_sleep_brings_back(open_memory, tell):
    """Whoever comes back takes the place of the weakest at once."""
    memory = open_memory(index_share=0.5, fact_confidence=1)
    memory.remember_many([tell(text, n) for n, text in enumerate(THINGS)])
    memory.remember(tell("Bye.", 30))
    for name, strength in (("t1", 0.3), ("t2", 0.4), ("t3", 0.2), ("t4", 0.5)):
        _strengthen(memory, name, strength)
    memory.consolidate()
    recall = memory.recall("which lamp is gray?", deep=True)
    memory.learn(Feedback(recall.id, used=["t3"]))

    memory.consolidate()

    assert [e.id for e in memory.entries(Tier.EPISODIC)] == ["t3", "t4"]
    assert memory.consolidate().changes == ()


def test_what_was_turned_away_counts_as_slept_on(memory, tell):
    """A sleep that brings it back leaves nothing about it to the next."""
    memory.remember_many([tell("I bought a boat."), tell("haha ok thanks", 1)])
    recall = memory.recall("haha ok thanks", deep=True)
    memory.learn(Feedback(recall.id, used=["t2"]))
    memory.consolidate()
    assert memory.entry("t2").tier is Tier.EPISODIC
    slept = dump(memory)

    assert memory.consolidate().episodes == 0
    assert dump(memory) == slept


# ------------------------------------------------------------------- months meet


def test_what_happens_again_and_again_is_counted_over_the_nights(open_memory, tell):
    """Three Sundays in three nights make a habit, and each one more is counted on."""
    memory = open_memory(index_share=1)
    texts = [
        "I went to yoga on Sunday. It rained.",
        "I went to yoga again this Sunday. The old mill was cold.",
        "On Sunday I went to yoga. Then I had soup.",
        "I went to yoga last Sunday, my back hurts less.",
        "I went to yoga on Sunday and met Kim.",
    ]
    counts = []
    for week, text in enumerate(texts):
        memory.remember(tell(text, 7 * week))
        memory.consolidate()
        counts.append([t for t in facts(memory) if "times" in t])

    assert counts == [
        [],
        [],
        ["Ada went to yoga: 3 times since March 2026, on Sundays."],
        ["Ada went to yoga: 4 times since March 2026, on Sundays."],
        ["Ada went to yoga: 5 times since March 2026, on Sundays."],
    ]
    (fact,) = (e for e in facts(memory).values() if "yoga" in e.text)
    assert fact.sources == ("t1", "t2", "t3", "t4", "t5")
    assert fact.mentions == 5
    assert told(memory, fact.id) == ["counted on", "counted on"]
    assert memory.recall("how often did I go to yoga?").hits


def test_an_occasion_that_was_spared_since_is_still_counted(open_memory, tell):
    """The index may have lost the sentence; what is counted is what was heard."""
    carried = (
        "The ferry to Piran ran aground beside a lighthouse full of gulls, kelp, "
        "lanterns, cormorants, brass fittings, driftwood, smugglers and tar."
    )
    memory = open_memory(index_share=0.9)
    for week in range(5):
        memory.remember(tell(f"I went to yoga. {carried} {week}", 30 * week))
        memory.consolidate()
    assert "yoga" not in memory.entry("t1").text

    (text,) = (t for t in facts(memory) if "times" in t)
    assert text == "Ada went to yoga: 5 times since March 2026."


def test_a_pinned_habit_is_counted_on_and_stays_as_strong_as_it_is(open_memory, tell):
    """Counting on says how often, not how strong."""
    memory = open_memory(index_share=1)
    for week in range(3):
        memory.remember(tell(f"I went to yoga. Then I had {week + 4} soups.", week))
        memory.consolidate()
    (before,) = (e for t, e in facts(memory).items() if "times" in t)
    _strengthen(memory, before.id, 0.25)
    memory.pin(before.id)
    held = memory.entry(before.id).trace
    memory.remember(tell("I went to yoga. Then I slept.", 9))
    memory.consolidate()

    after = memory.entry(before.id)
    assert after.text.startswith("Ada went to yoga: 4 times")
    assert (after.trace, after.pinned) == (held, True)


def test_who_moves_back_lives_again_where_they_lived_before(open_memory, tell):
    """Berlin, Lyon, Berlin: the turn of years ago doesn't make the return an old one."""
    memory = open_memory(index_share=1)
    for day, text in (
        (0, "I live in Berlin. Outside it has been snowing since Friday."),
        (200, "I live in Lyon now. The bread there tastes of almonds."),
        (400, "I live in Berlin now. I missed the canal and the snow here."),
    ):
        memory.remember(tell(text, day))
        memory.consolidate()

    lyon = next(e for t, e in facts(memory).items() if "Lyon" in t)
    back = next(e for t, e in facts(memory).items() if "Berlin now" in t)
    assert back.sources == ("t1", "t3")
    assert (lyon.superseded_by, lyon.valid_until) == (back.id, T0 + 400 * DAY)
    assert (back.superseded_by, back.valid_until) == (None, None)
    assert memory.conflicts()[-1].new == back.id


def test_replay_rehearses_the_important_and_rarely_recalled(open_memory, tell):
    """Of two old turns as near, the one that nobody asks for is rehearsed."""
    memory = open_memory(index_share=1, replay=1)
    memory.remember_many(
        [tell("I own the red lamp of Piran."), tell("I own the blue lamp of Piran.")]
    )
    memory.consolidate()
    for _ in range(3):
        memory.recall("the red lamp", limit=1)
    seen = []

    class Watching(RulePolicy):
        def abstract(self, episodes):
            seen.append([e.id for e in episodes])
            return super().abstract(episodes)

    watched = open_memory(index_share=1, replay=1, policy=Watching())
    watched.remember(tell("I own the gray lamp of Piran.", 1))
    report = watched.consolidate()

    assert (report.episodes, report.rehearsed) == (1, 1)
    assert seen == [["t2", "t3"]]


# ---------------------------------------------------------------- once, and no more


SAID = [
    "I live in Berlin.",
    "I live in Lyon now.",
    "I'm vegetarian.",
    "I'm not vegetarian.",
    "As I said, I'm vegetarian.",
    "I'm allergic to peanuts.",
    "I'm not allergic to peanuts.",
    "My sister Ines was born on 14 May. She has a bicycle that squeaks.",
    "I went to yoga on Sunday.",
    "I went to yoga again with Juno.",
    "I went to yoga. Then I had soup with Mel, and it was cold.",
    "I love green tea. I don't love black tea.",
    "haha ok thanks",
    "What time does the ferry leave?",
    "I might buy a boat. It would be red, I guess.",
    LONG,
    f"I went to yoga. {LONG}",
    f"{GIST} My name is Ada. How are you? So nice to see you here again today!",
]
CUES = [
    "yoga",
    "where does Ada live?",
    "the harbour of Piran",
    "peanuts",
    "ferry",
    "tea",
]

acts = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, len(SAID) - 1)),
        st.tuples(st.just("wait"), st.sampled_from([0, 1, 3, 8, 30, 200])),
        st.tuples(st.just("sleep"), st.just(0)),
        st.tuples(st.just("use"), st.integers(0, len(CUES) - 1)),
        st.tuples(st.just("ignore"), st.integers(0, len(CUES) - 1)),
        st.tuples(st.just("correct"), st.integers(0, len(CUES) - 1)),
        st.tuples(st.just("pin"), st.integers(0, 9)),
        st.tuples(st.just("forget"), st.integers(0, 9)),
        st.tuples(st.just("undo"), st.integers(0, 99)),
        st.tuples(st.just("resolve"), st.integers(0, 2)),
    ),
    min_size=4,
    max_size=40,
)


class Life:
    """A person, a clock, and what was said."""

    def __init__(self, home, **settings):
        self.clock = Clock()
        self.memory = Memory(
            "ada", home=home, encoder="hash", clock=self.clock, **settings
        )
        self.said = {}
        self.names = (f"t{n}" for n in itertools.count(1))

    def do(self, act, which):
        getattr(self, f"_{act}")(which)

    def _say(self, which):
        name = next(self.names)
        turn = Turn(SAID[which], "Ada", at=self.clock.now(), id=name)
        self.said[name] = turn
        self.memory.remember(turn)

    def _wait(self, days):
        self.clock.move(days=days, minutes=1)

    def _sleep(self, _):
        self.memory.consolidate()

    def _judge(self, which, outcome):
        recall = self.memory.recall(CUES[which], deep=True)
        if recall.hits:
            self.memory.learn(Feedback(recall.id, **{outcome: [recall.hits[0].id]}))

    def _use(self, which):
        self._judge(which, "used")

    def _ignore(self, which):
        self._judge(which, "ignored")

    def _correct(self, which):
        self._judge(which, "corrected")

    def _pin(self, which):
        if entries := self.memory.entries():
            self.memory.pin(entries[which % len(entries)].id)

    def _forget(self, which):
        if entries := self.memory.entries():
            chosen = entries[which % len(entries)].id
            self.said.pop(chosen, None)
            self.memory.forget(chosen)

    def _undo(self, which):
        changes = [c for e in self.memory.entries() for c in self.memory.history(e.id)]
        if numbers := sorted(c.number for c in changes if c.number):
            with contextlib.suppress(FeedbackError):
                self.memory.undo(numbers[which % len(numbers)])

    def _resolve(self, which):
        if conflicts := self.memory.conflicts():
            keep = ("new", "both", "Ada changed her mind.")[which]
            self.memory.resolve(conflicts[0].id, keep=keep)


@settings(max_examples=60, deadline=None)
@given(
    life=acts,
    share=st.sampled_from([0.2, 0.6, 0.95]),
    most=st.sampled_from([3, 10_000]),
)
def test_sleeping_twice_changes_nothing_and_nothing_is_ever_lost(life, share, most):
    """Whatever was lived: the second sleep does nothing at all, every word that was
    said and not forgotten is there, and to hear it again is no error."""
    with tempfile.TemporaryDirectory() as home:
        lived = Life(home, index_share=share, index_most=most)
        memory = lived.memory
        for act, which in life:
            lived.do(act, which)
        memory.consolidate()
        slept = dump(memory)

        again = memory.consolidate()

        assert again.changes == ()
        assert dump(memory) == slept
        heard = {i: m["as heard"] for i, m in slept["memories"].items()}
        assert {i: heard[i] for i in lived.said} == {
            i: turn.text for i, turn in lived.said.items()
        }
        assert not any(memory.remember(turn).new for turn in lived.said.values())
        assert dump(memory) == slept
        assert memory.check() == []
        memory.close()


OUTCOMES = ["used", "ignored", "corrected"]


@pytest.mark.parametrize("seed", range(8))
def test_many_small_naps_are_as_good_as_one_sleep(open_memory, tell, clock, seed):
    """Slept on every night or once in the end: strength, half-life and counts of what
    was used, ignored and corrected are equal, and so is what is left of it."""
    draw = random.Random(seed)
    days = [(draw.choice(OUTCOMES), draw.randint(1, 20)) for _ in range(10)]
    napping, sleeping = open_memory("ada"), open_memory("bob")
    for memory in (napping, sleeping):
        clock.at = T0
        memory.remember(Turn("I repaired the boat of Ines.", "Ada", at=T0, id="t1"))
        for outcome, gap in days:
            clock.move(days=gap)
            recall = memory.recall("the boat of Ines", deep=True)
            memory.learn(Feedback(recall.id, **{outcome: [recall.hits[0].id]}))
            if memory is napping:
                memory.consolidate()
        memory.consolidate()

    one, other = napping.entry("t1"), sleeping.entry("t1")
    assert one.trace.strength == pytest.approx(other.trace.strength, abs=1e-12)
    assert (one.trace.half_life, one.trace.anchored_at, one.trace.floor) == (
        other.trace.half_life,
        other.trace.anchored_at,
        other.trace.floor,
    )
    assert (one.used, one.corrected, one.recalled) == (
        other.used,
        other.corrected,
        other.recalled,
    )
    for later in (1, 30, 400):
        clock.move(days=later)
        left = [m.strength(m.entry("t1")) for m in (napping, sleeping)]
        assert left[0] == pytest.approx(left[1], abs=1e-12)


@pytest.mark.parametrize("order", [*itertools.permutations(OUTCOMES)])
def test_outcomes_take_effect_in_the_order_in_which_they_came(memory, clock, order):
    """A use before a correction doesn't strengthen what was corrected after it."""
    memory.remember(Turn("I drink coffee.", "Ada", at=T0, id="t1"))
    for outcome in order:
        clock.move(days=1)
        recall = memory.recall("what do I drink?")
        memory.learn(Feedback(recall.id, **{outcome: ["t1"]}))
    memory.consolidate()

    assert [what for what in told(memory, "t1") if what in order] == list(order)


def test_a_habit_goes_on_without_an_occasion_that_was_forgotten(open_memory, clock):
    """Who has one of five Sundays forgotten still runs on Sundays, four times."""
    memory = open_memory(policy="rules", index_share=1)
    ends = ["today", "this morning", "today, it was full", "tonight", "again", "late"]
    for week, end in enumerate(ends[:5]):
        memory.remember(
            Turn(f"I went to yoga {end}.", speaker="ada", id=f"t{week}", at=clock.now())
        )
        memory.consolidate()
        clock.move(days=7)
    habit = "Ada went to yoga: {} times since March 2026, on Sundays."
    assert habit.format(5) in [e.text for e in memory.entries(Tier.SEMANTIC)]

    memory.forget("t1")
    memory.remember(
        Turn("I went to yoga, today again.", speaker="ada", id="t5", at=clock.now())
    )
    memory.consolidate()

    texts = [e.text for e in memory.entries(Tier.SEMANTIC)]
    assert habit.format(5) in texts
    assert all("t1" not in e.sources for e in memory.entries())


def test_who_has_said_little_loses_none_of_it(open_memory, clock, monkeypatch):
    """The share of an index counts from some words on; below them there is room."""
    monkeypatch.setattr(pruning, "ROOM", 1_000)
    memory = open_memory(policy="rules", index_share=0.1)
    memory.remember(Turn("I moved to Porto in May.", speaker="ada", id="t1"))
    memory.remember(Turn("The harbour is loud at night.", speaker="ada", id="t2"))
    clock.move(days=30)
    memory.remember(Turn("Hello again.", speaker="ada", id="t3"))

    report = memory.consolidate()

    assert "t2" not in {c.memory for c in report.changes if c.what == "archived"}
    assert "t2" in {s for h in memory.recall("Porto harbour").hits for s in h.sources}


def test_what_was_taken_back_becomes_no_fact(open_memory):
    """Who says that it was cashews isn't told at breakfast that it was peanuts."""
    memory = open_memory(policy="rules")
    memory.remember(Turn("I'm allergic to peanuts.", speaker="ada", id="t1"))
    recall = memory.recall("what is Ada allergic to?")
    memory.learn(Feedback(recall.id, corrected=["t1"]))
    memory.remember(Turn("I'm allergic to cashews.", speaker="ada", id="t2"))

    memory.consolidate()

    facts = [e.text for e in memory.entries(Tier.SEMANTIC)]
    assert facts == ["Ada is allergic to cashews."]
