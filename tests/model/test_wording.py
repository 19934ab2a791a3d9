"""Facts: sentences about a person, in words that the person used."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model import lexicon, phrases, verbs, words
from psm_core.model.abstraction import abstract
from psm_core.model.clauses import clauses
from psm_core.model.wording import named, worded
from psm_core.types import Kind

DAY = datetime(2026, 4, 20, 9, tzinfo=UTC)
SAID = " (said on 20 April 2026)"
NAMES = frozenset({"Ines", "Leyla", "Lyon", "Mira"})

WORDINGS = [
    ("I'm vegan.", ["Mira is vegan."]),
    ("i'm vegan", ["Mira is vegan."]),
    ("I am not religious", ["Mira is not religious."]),
    ("I live in Berlin, in Neukölln.", ["Mira lives in Berlin, in Neukölln."]),
    ("oh, and I run on Sundays, rain or not", ["Mira runs on Sundays, rain or not."]),
    ("I don't eat meat.", ["Mira doesn't eat meat."]),
    ("I never eat meat.", ["Mira never eats meat."]),
    ("I no longer smoke.", ["Mira no longer smokes."]),
    ("I've lived in Lyon since May.", [f"Mira has lived in Lyon since May{SAID}."]),
    ("I have a sister.", ["Mira has a sister."]),
    ("I have two cats and one dog.", ["Mira has two cats and one dog."]),
    ("I work as a nurse at the Klinik am Weiher.",
     ["Mira works as a nurse at the Klinik am Weiher."]),
    ("I study law in Vienna.", ["Mira studies law in Vienna."]),
    ("I teach maths.", ["Mira teaches maths."]),
    ("I can swim.", ["Mira can swim."]),
    ("I can't stand opera.", ["Mira can't stand opera."]),
    ("I used to live in Rome.", ["Mira used to live in Rome."]),
    ("I was born in Halle.", ["Mira was born in Halle."]),
    ("I moved to Lyon last week.", [f"Mira moved to Lyon last week{SAID}."]),
    ("last week I moved to Lyon", [f"Last week Mira moved to Lyon{SAID}."]),
    ("I started a new job at the Saint-Aubin hospital today",
     [f"Mira started a new job at the Saint-Aubin hospital today{SAID}."]),
    ("I got married in 2019.", ["Mira got married in 2019."]),
    ("I'm 34.", [f"Mira is 34{SAID}."]),
    ("I might get a dog in the autumn.",
     [f"Mira might get a dog in the autumn{SAID}."]),
    ("I want to move to Lyon.", ["Mira wants to move to Lyon."]),
    ("I love fado, I listen to it on night shifts", ["Mira loves fado."]),
    ("I drink tea, never coffee.", ["Mira drinks tea, never coffee."]),
    ("I'm allergic to peanuts, so dinner was half an apple",
     ["Mira is allergic to peanuts."]),
    ("I like jazz, but my wife hates it", ["Mira likes jazz."]),
    ("My sister lives in Lyon.", ["Mira's sister lives in Lyon."]),
    ("My sister Ines lives in Lyon, and I've been saying one day",
     ["Mira's sister Ines lives in Lyon."]),
    ("my parents live in Cork", ["Mira's parents live in Cork."]),
    ("My name's Mira.", ["Mira's name is Mira."]),
    ("Ines's birthday is on 14 May, she turns 40",
     ["Ines's birthday is on 14 May."]),
    ("The rent in Lyon is 820 euros.", ["The rent in Lyon is 820 euros."]),
    ("Leyla is visiting me from 10 July to 17 July",
     [f"Leyla is visiting Mira from 10 July to 17 July{SAID}."]),
    ("I live with my sister.", ["Mira lives with Mira's sister."]),
    ("My grandmother died on Sunday.", [f"Mira's grandmother died on Sunday{SAID}."]),
    ("I live in Lyon and work as a nurse", ["Mira lives in Lyon."]),
    ("I like reading, dancing, and old films.",
     ["Mira likes reading, dancing, and old films."]),
    ("I live in Lyon, probably", ["Mira lives in Lyon, probably."]),
    ("I also enjoy aerial yoga.", ["Mira also enjoys aerial yoga."]),
    ("I usually play CS:GO.", ["Mira usually plays CS:GO."]),
]  # fmt: skip

UNWORDED = [
    "It has 46 square metres.",
    "I love it.",
    "I got it!!",
    "she's driving the van",
    "I told you that.",
    "that's why I moved there",
    "I pay 690 euros in rent here",
    "Do I live in Lyon?",
    "where do you live",
    'He said "I live in Lyon."',
    "I run on Sunday, except the clocks went forward",
    "I'd move if I had the money",
    "If it works out, I live in Lyon next year",
    "I eat meat, but only on Sundays",
    "I don't drink and drive",
    "I read a lot",
    "I think I'm vegan",
    "I guess that's true",
    "I'm so tired",
    "I'm back",
    "I have exactly those three things",
    "we trained together",
    "the owner wants to think",
    "they sold our building",
    "lentils. your lentils.",
    "I had to go",
    "I know",
    "you know I live in Lyon",
    "I wish I lived in Lyon",
    "here:\n\nDear Mira,\n\nI live in Lyon.\n\nWith kind regards,\nC. Perrin",
    "I can't turn up with a candle again",
    "I love the thought Leyla!",
    "I live in Bergen, I think.",
    "I'm going there tomorrow with cake",
    "I drive without",
]


def said(text, speaker="Mira"):
    """Every clause of *text* that can stand alone, as a sentence."""
    called = frozenset({"Leyla"})
    found = (worded(c, speaker, DAY, NAMES, called) for c in clauses(text, speaker))
    return [sentence for sentence in found if sentence]


@pytest.mark.parametrize(("text", "facts"), WORDINGS)
def test_the_first_person_becomes_the_third(text, facts):
    """Grammar, hedges, denials, numbers and dates survive."""
    assert said(text) == facts


@pytest.mark.parametrize("text", UNWORDED)
def test_what_leans_on_something_else_isnt_worded(text):
    """Open references, conditions, moods, questions and quotations stay episodes."""
    assert said(text) == []


@pytest.mark.parametrize(
    ("speaker", "name", "fact"),
    [
        ("ada", "Ada", "Ada lives with Ada's cat."),
        ("Mira Weiss", "Mira Weiss", "Mira Weiss lives with Mira Weiss's cat."),
        ("user", "The user", "The user lives with the user's cat."),
        ("", "The user", "The user lives with the user's cat."),
        ("user-17", "user-17", "User-17 lives with user-17's cat."),
    ],
)
def test_whoever_speaks_is_named(speaker, name, fact):
    """A fact calls people by their names, and a nameless one the user."""
    assert named(speaker) == name
    assert said("I live with my cat", speaker) == [fact]


def content_of(text):
    """Content words of *text*, as stems and base forms."""
    found = {phrases.stem(w) for w in words.words(text)}
    return {verbs.base(w) or w for w in found}


SPEECH = st.one_of(
    st.text(max_size=100),
    st.lists(
        st.sampled_from(
            sorted(
                lexicon.listed(
                    "I I'm my sister don't live lived like hate tea coffee Lyon in and "
                    "or , . might never the a it she Ines moved to last week Sunday 34 "
                    "am is was have because if but not running gym drink"
                )
            )
        ),
        max_size=14,
    ).map(" ".join),
)


@given(SPEECH)
def test_no_word_is_invented(text):
    """Every content word of a fact stands in what was said, or is name or date."""
    own = content_of("Mira said on 20 April 2026 the user's be have do not")
    for fact in said(text):
        grammar = {verbs.base(w) or w for w in lexicon.FUNCTION_WORDS}

        assert content_of(fact) <= content_of(text) | own | grammar


@given(SPEECH)
def test_hedges_and_denials_are_never_lost(text):
    """A clause that was hedged or denied is worded with its hedge or denial."""
    for clause in clauses(text, "Mira"):
        fact = worded(clause, "Mira", DAY, NAMES)
        if fact is not None:
            assert not (words.hedged(clause.text) and not words.hedged(fact))
            assert not (clause.negated and not words.negated(fact))


# ------------------------------------------------------------------ from episodes


def test_what_is_said_twice_is_one_fact(entry):
    """The same claim in other words becomes one fact with two sources."""
    first = entry("I drink tea, never coffee.", id="a")
    again = entry("No, I drink tea, not coffee. I told you.", id="b", days=40)

    (fact,) = abstract([again, first])

    assert fact.text == "Mira drinks tea, never coffee."
    assert fact.episodes == ("a", "b")
    assert fact.kind is Kind.PREFERENCE
    assert fact.confidence == 0.8


def test_two_events_of_one_kind_stay_two(entry):
    """Two runs on two Sundays are not one run."""
    runs = [entry("I ran on Sunday.", id=f"r{i}", days=7 * i) for i in range(2)]

    assert len(abstract(runs)) == 2


def test_only_what_is_said_in_full_is_covered(entry):
    """An episode may leave the index only if the fact says all of it."""
    short = entry("I'm vegan.", id="short")
    long = entry("I'm vegan, and the canteen hates me for it", id="long")

    (fact,) = abstract([short, long])

    assert fact.episodes == ("long", "short")
    assert fact.covers == ("short",)


def test_the_assistants_words_make_no_facts(entry):
    """Only what people say of themselves becomes a fact."""
    assert abstract([entry("I live in Lyon.", role="assistant")]) == []


def test_a_possibility_is_never_written_down_as_a_fact(entry):
    """A hedge keeps the confidence below what a sleep writes down."""
    (maybe,) = abstract([entry("I might move to Lyon.")])

    assert maybe.text == "Mira might move to Lyon."
    assert maybe.kind is Kind.PLAN
    assert maybe.confidence < 0.6


def test_patterns_come_in_the_order_of_life(entry):
    """What was said last comes last, so that an update meets what it updates."""
    later = entry("I live in Lyon.", id="later", days=30)
    first = entry("I live in Berlin.", id="first")

    assert [p.episodes for p in abstract([later, first])] == [("first",), ("later",)]


FACTS_OF_LIFE = [
    "Mira likes short answers.",
    "Mira lives in Berlin, in Neukölln.",
    "Mira works as a nurse at the Klinik am Weiher, cardiology.",
    "Mira is vegetarian.",
    "Mira runs on Sundays, rain or not.",
    "Mira wants to move to Lyon.",
    "Mira's sister Ines lives in Lyon, up in Croix-Rousse.",
    "Mira is 34 (said on 9 March 2026).",
    "Mira is allergic to peanuts.",
    "The rent in Lyon is 820 euros.",
    "Mira loves fado.",
    "Ines's birthday is on 14 May.",
    "Mira moved to Lyon last week (said on 20 April 2026).",
    "Mira drinks tea, never coffee.",
    "Mira's grandmother died on Sunday (said on 28 April 2026).",
    "Mira started a new job at the Saint-Aubin hospital today (said on 11 May 2026).",
    "Mira works as a dialysis nurse now (said on 11 May 2026).",
    "Mira hates forms.",
    "Mira is not allergic to anything.",
    "Mira runs every Sunday, ten kilometres or so.",
    "Leyla is visiting Mira from 10 July to 17 July (said on 7 June 2026).",
]


def test_the_facts_of_the_demo_life(life):
    """Each fact of the demo is supported by its source, and reads as English."""
    facts = [p.text for p in abstract(life) if p.confidence >= 0.6]

    assert facts == FACTS_OF_LIFE


@given(texts=st.lists(SPEECH.filter(str.strip), max_size=6))
def test_any_episodes_can_be_abstracted(texts, entry):
    """Whatever was said, facts have sources, and a confidence in [0, 1]."""
    episodes = [entry(text, id=f"e{i}") for i, text in enumerate(texts)]

    for fact in abstract(episodes):
        assert fact.episodes
        assert set(fact.covers) <= set(fact.episodes)
        assert 0 < fact.confidence <= 1
