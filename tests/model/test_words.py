"""What is read off words: sentences, hedges, denials, kinds, feelings, verb forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model import phrases, verbs, words
from psm_core.model.emotion import emotional_weight
from psm_core.model.kinds import kind_of, only_possible
from psm_core.model.predicates import predicate
from psm_core.model.talk import follow_up, kind_words, small_talk
from psm_core.types import Kind

texts = st.text(max_size=120)


LISTENER = [
    "you",
    "your",
    "you're",
    "you've",
    "you'll",
    "you'd",
    "yours",
    "yourself",
    "u",
    "ya",
    "y'all",
]
SPEAKER = [
    "i",
    "i'm",
    "im",
    "i've",
    "ive",
    "i'd",
    "i'll",
    "me",
    "my",
    "mine",
    "myself",
    "we",
    "we're",
    "we've",
    "us",
    "our",
]
pieces = st.lists(
    st.sampled_from([*LISTENER, *SPEAKER, "th", "'", "-", " ", " ", "s", "ur", "Yo"])
)


@given(pieces=pieces, loud=st.booleans())
def test_persons_are_whole_words(pieces, loud):
    """A pronoun counts where no letter and no apostrophe touches it, in any case."""
    text = "".join(pieces).upper() if loud else "".join(pieces)

    for seen, listed in (
        (words.first_person, SPEAKER),
        (words.second_person, LISTENER),
    ):
        assert seen(text) == bool(words.any_of(listed).search(text)), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! three?", ("One.", "Two!", "three?")),
        ("Dr. Weiss came at 7.30. fine", ("Dr. Weiss came at 7.30.", "fine")),
        ("list:\n- books\n- lamp", ("list:", "- books", "- lamp")),
        ('she said "no." then left', ('she said "no."', "then left")),
        ("wait... what", ("wait...", "what")),
        (
            "\u4eca\u65e5\u306f\u3002\u660e\u65e5",
            ("\u4eca\u65e5\u306f\u3002", "\u660e\u65e5"),
        ),
        ("", ()),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    """Abbreviations and decimals don't end a sentence; line breaks do."""
    assert words.sentences(text) == expected


@given(texts)
def test_no_sentence_loses_a_word(text):
    """Cutting a text into sentences keeps every word, in order."""
    joined = " ".join(words.sentences(text))

    assert words.words(joined) == words.words(text)


@pytest.mark.parametrize(
    ("text", "hedged"),
    [
        ("I might move", True),
        ("maybe in autumn", True),
        ("I'm thinking of a dog", True),
        ("I'd like a dog", True),
        ("I want to move", True),
        ("if it rains I stay", True),
        ("I may come", True),
        ("I got a dog in May", False),
        ("since may I run", False),
        ("I like to swim", False),
        ("I moved", False),
    ],
)
def test_hedges_are_heard(text, hedged):
    """A possibility is told from a fact, and the month of May from a maybe."""
    assert words.hedged(text) is hedged


@pytest.mark.parametrize(
    ("function", "yes", "no"),
    [
        (words.negated, "I don't eat meat", "I eat meat"),
        (words.negated, "never coffee", "another coffee"),
        (words.changed, "I no longer smoke", "I smoke"),
        (words.changed, "I switched to tea", "I drink tea"),
        (words.corrects, "Actually, it's Tuesday", "it's actual"),
        (words.corrects, "I told you that", "I told her"),
        (words.denies, "no, tea", "no oven"),
        (words.asks, "do you have a dog", "I do have a dog"),
        (words.asks, "What's the plan?", "what a plan"),
        (words.asks_for_past, "Where did I live before?", "Where do I live?"),
        (words.timed, "on Sundays", "on the sofa"),
        (words.timed, "in 2019", "room 19"),
        (words.first_person, "my dog", "the dog"),
        (words.second_person, "your dog", "the dog"),
        (words.pasted, "here:\n\nDear Mira,\n\nthe flat is yours", "Dear me, the flat"),
        (small_talk, "haha, talk to you later!", "haha, I moved!"),
        (small_talk, "Hi Mira.", "Hi, Rome calling"),
        (kind_words, "You're so talented!", "You're from Rome, great!"),
        (follow_up, "How did you feel?", "How did Ines feel?"),
    ],
)
def test_marks_are_told_apart(function, yes, no):
    """Each mark is seen where it stands, and not where its letters merely occur."""
    known = frozenset({"mira"})
    arguments = (known,) if function in (small_talk, kind_words, follow_up) else ()

    assert function(yes, *arguments)
    assert not function(no, *arguments)


def test_names_and_numbers_are_found():
    """Names are capitals inside a sentence; weekdays and months are none."""
    text = "On Monday I paid 820 euros to Ines in Lyon, twice."

    assert words.names(text) == ("Ines", "Lyon")
    assert words.numbers(text) == ("820", "twice")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I live in Lyon.", Kind.STATE),
        ("my name is Mira", Kind.STATE),
        ("I like short answers", Kind.PREFERENCE),
        ("I'm allergic to cats", Kind.PREFERENCE),
        ("we went to Rome", Kind.EVENT),
        ("I'm flying to Rome tomorrow", Kind.PLAN),
        ("where did Ines go?", Kind.QUESTION),
        ("thanks, bye", Kind.TALK),
        ("haha ok. I live in Lyon. bye", Kind.STATE),
    ],
)
def test_a_text_is_of_the_kind_that_lasts_longest(text, kind):
    """One lasting sentence among small talk decides."""
    assert kind_of(text) is kind


def test_only_the_sentence_that_counts_can_be_a_mere_possibility():
    """A hedge beside a state doesn't make the state doubtful."""
    assert not only_possible("I live in Rome. I might move.", Kind.STATE)
    assert only_possible("I might move. ok", Kind.PLAN)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("the bus was late", 0.0),
        ("My grandmother died on Sunday.", 0.9),
        ("I love fado", 0.35),
        ("I LOVE fado!!", 0.42),
        ("I cried and I was so sad", 0.809),
    ],
)
def test_feelings_weigh_what_they_weigh(text, weight):
    """A death weighs more than a love of music, and stress adds a fifth."""
    assert emotional_weight(text) == pytest.approx(weight, abs=0.002)


@given(texts)
def test_any_text_has_a_weight(text):
    """The emotional weight lies in [0, 1], whatever is said."""
    assert 0 <= emotional_weight(text) <= 1


@pytest.mark.parametrize(
    ("base", "third", "past", "ing"),
    [
        ("work", "works", "worked", "working"),
        ("study", "studies", "studied", "studying"),
        ("go", "goes", "went", "going"),
        ("have", "has", "had", "having"),
        ("run", "runs", "ran", "running"),
        ("watch", "watches", "watched", "watching"),
        ("live", "lives", "lived", "living"),
        ("die", "dies", "died", "dying"),
        ("stop", "stops", "stopped", "stopping"),
        ("visit", "visits", "visited", "visiting"),
        ("teach", "teaches", "taught", "teaching"),
    ],
)
def test_verbs_are_known_in_every_form(base, third, past, ing):
    """The form for he and she is right, and every form leads back to its base."""
    assert verbs.third(base) == third
    assert verbs.past(past)
    assert {verbs.base(form) for form in (base, third, past, ing)} == {base}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("live in", ("live", "present", False)),
        ("don't really like", ("like", "present", True)),
        ("no longer smoke", ("smoke", "present", True)),
        ("have lived", ("live", "perfect", False)),
        ("am moving", ("move", "going", False)),
        ("am going to move", ("move", "future", False)),
        ("might get", ("get", "possible", False)),
        ("used to live", ("live", "former", False)),
        ("am not allergic", ("be", "present", True)),
        ("didn't move", ("move", "past", True)),
        ("moved", ("move", "past", False)),
        ("blue sky", None),
    ],
)
def test_predicates_say_when_and_whether(said, expected):
    """Tense, possibility and denial are read from the auxiliaries."""
    found = predicate(said.split())

    assert (found and (found.base, found.form, found.negated)) == expected


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("tea and coffee", {"tea", "coffee"}),
        ("my old dog", {"old dog"}),
        ("two cats", {"two cat"}),
        ("on Sundays", set()),
        ("it", set()),
        ("children", {"child"}),
    ],
)
def test_lists_are_taken_apart(text, things):
    """What is listed is compared thing by thing, in the singular."""
    assert phrases.listed(text) == things


@given(texts)
def test_reading_never_fails(text):
    """Every question about a text has an answer, for any text."""
    for function in (
        words.hedged, words.negated, words.changed, words.corrects, words.asks,
        words.asks_for_past, words.timed, words.names, words.numbers, words.pasted,
        small_talk, kind_words, follow_up, kind_of, phrases.listed, phrases.head,
        words.content_count,
    ):  # fmt: skip
        function(text)
