"""How two statements stand to each other: what is seen, what is said, what is done."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from psm_core.model.adapter import MINI
from psm_core.model.amounts import amounts
from psm_core.model.card import Card
from psm_core.model.encoder import HashEncoder, SentenceEncoder
from psm_core.model.frames import calendar_differs, frame
from psm_core.model.network import PSM, Shape
from psm_core.model.pairs import PAIR_NAMES, Statement, pair_signs
from psm_core.model.parts import parts
from psm_core.model.policy import PSMPolicy
from psm_core.model.relation import MEMBERS, RELATIONS, Relation, conflict
from psm_core.model.rules import RulePolicy
from psm_core.types import ConflictKind

HASHED = HashEncoder(64)


# ---------------------------------------------------------------------- what is seen


def sign(name, new, old, speaker="Ada"):
    """One sign of a pair, said by Ada."""
    one, other = (Statement(t, speaker, HASHED.encode([t])[0]) for t in (new, old))
    return float(pair_signs(one, other)[PAIR_NAMES.index(name)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two hundred and ten jars.", {210}),
        ("2,600 euros, and 3.5 kilos", {2600, 3.5}),
        ("at half past four, or 4:30", {4.5}),
        ("thirty-one kilos of one sort", {31}),
        ("one of us", set()),
        ("three hundred thousand, 300 000", {300_000}),
        ("a hundred and I left", {100}),
    ],
)
def test_numbers_are_read_as_values(text, expected):
    """Digits and words for one number are one number."""
    assert amounts(text) == expected


def test_a_frame_tells_what_was_replaced():
    """One value in place of another, something added, and nothing in common differ."""
    swapped = frame(("i", "run", "on", "fridays"), ("i", "run", "on", "mondays"))
    added = frame(("i", "like", "tea", "and", "rice"), ("i", "like", "tea"))
    apart = frame(("it", "rains"), ("we", "moved"))

    assert (swapped.once, swapped.dates, swapped.added) == (1, 1, 0)
    assert (added.once, added.added, added.shared) == (0, 1, 1)
    assert (apart.shared, apart.longest) == (0, 0)


def test_times_of_one_row_differ():
    """Another weekday is another time; a weekday and a month aren't."""
    assert calendar_differs(("on", "monday"), ("on", "friday"))
    assert not calendar_differs(("on", "monday"), ("in", "may"))
    assert not calendar_differs(("on", "monday"), ("each", "monday"))


def test_a_fact_is_read_as_if_its_speaker_said_it():
    """What calls Ada by her name is in her first person, and speaks of the same."""
    told, said = parts("Ada's sister lives in Lyon.", "Ada"), "My sister lives in Lyon."

    assert told.stems == parts(said, "Ada").stems
    assert told.subject == "my sister"
    assert sign("subject", "Ada's sister moved to Nice.", said) == 1


@pytest.mark.parametrize(
    ("name", "new", "old", "expected"),
    [
        ("rule_update", "I moved to Lyon.", "I live in Berlin.", 0.9),
        ("rule_contradiction", "I hate opera.", "I love opera.", 0.8),
        ("negation", "I don't smoke.", "I smoke.", 1),
        ("opposed", "We won the match.", "We lost the match.", 1),
        ("values_differ", "I have 3 cats.", "I have two cats.", 1),
        ("values_shared", "It is half past four.", "At 4:30.", 1),
        ("frame_added", "I like tea and coffee", "I like tea", 1),
        ("adds", "I like coffee too.", "I like tea.", 1),
        ("new_musing", "Maybe one day.", "I live here.", 1),
        ("old_musing", "I live here.", "I live here.", 0),
        ("new_turning", "I sold it.", "I have it.", 0.5),
        ("begins_alike", "I run.", "I swim.", 1),
        ("events", "I flew to Rome.", "I drove to Oslo.", 1),
    ],
)
def test_a_pair_sign_says_what_its_meaning_promises(name, new, old, expected):
    """Each sign is the number that its line in the list says."""
    assert sign(name, new, old) == pytest.approx(expected)


@given(new=st.text(max_size=60), old=st.text(max_size=60), speaker=st.text(max_size=9))
def test_any_two_texts_have_signs(new, old, speaker):
    """No text makes it raise, and every number is finite."""
    one, other = (Statement(t, speaker, HASHED.encode([t])[0]) for t in (new, old))

    row = pair_signs(one, other)

    assert row.shape == (len(PAIR_NAMES),)
    assert row.dtype == np.float32
    assert np.isfinite(row).all()


# ---------------------------------------------------------------------- what is said


@pytest.fixture
def head():
    """A small head that has learned nothing, and five pairs."""
    torch.manual_seed(3)
    made = Relation(32, 4, 6).eval()
    return made, torch.randn(5, 32), torch.randn(5, 32), torch.rand(5, len(PAIR_NAMES))


def test_the_members_answer_together(head):
    """Together they say the mean of their probabilities, four to a pair."""
    made, *pairs = head

    each = made.members(*pairs).softmax(2)

    assert each.shape == (MEMBERS, 5, len(RELATIONS))
    assert torch.allclose(made(*pairs).exp(), each.mean(0), atol=1e-5)


def test_a_conflict_is_an_update_or_a_contradiction():
    """The chance of a conflict is the sum of both chances."""
    chances = torch.tensor([[0.4, 0.1, 0.3, 0.2]])

    assert conflict(chances.log()).sigmoid() == pytest.approx(0.5)


def test_looking_sets_scale_and_directions(head):
    """What is read off vectors and signs has mean 0 and variance 1, rare signs less."""
    made, new, old, signs = head
    signs[:, 0] = torch.tensor([0.0, 0, 0, 0, 0.01])

    made.look(new, old, signs)

    seen = torch.cat([made.project(new), made.project(old)])
    assert torch.allclose(seen.mean(0), torch.zeros(4), atol=1e-4)
    assert torch.allclose(seen.var(0, correction=0), torch.ones(4), atol=1e-3)
    assert made.scale[0] == pytest.approx(0.05)
    assert torch.allclose(made.mean, signs.mean(0))


def test_an_outlier_says_no_more_than_a_large_number(head):
    """A sign a thousand deviations away counts like one four away."""
    made, new, old, signs = head
    far, farther = signs.clone(), signs.clone()
    far[:, 1], farther[:, 1] = 4.0, 4000.0

    assert torch.equal(made(new, old, far), made(new, old, farther))


# ---------------------------------------------------------------------- what is done

THRESHOLDS = {"conflict": 0.8, "duplicate": 0.7, "defer": 0.0}


@pytest.fixture
def answering():
    """A policy whose head gives every pair the chances that are asked for."""

    def make(chances, thresholds=THRESHOLDS):
        network = PSM(Shape(HASHED.width, project=4, pair=3)).eval()
        with torch.no_grad():
            for weight in network.relation.parameters():
                weight.zero_()
            network.relation.scale.fill_(1.0)
            network.relation.outer_bias.copy_(torch.tensor(chances).log())
        card = Card("made", HASHED.name, thresholds=thresholds)
        return PSMPolicy(network=(network, card), encoder=HASHED)

    return make


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ((0.05, 0.05, 0.6, 0.3), ConflictKind.UPDATE),
        ((0.05, 0.05, 0.3, 0.6), ConflictKind.CONTRADICTION),
        ((0.05, 0.9, 0.03, 0.02), ConflictKind.DUPLICATE),
        ((0.3, 0.1, 0.3, 0.3), None),
        ((0.35, 0.6, 0.03, 0.02), None),
    ],
)
def test_the_thresholds_decide(answering, entry, chances, expected):
    """From 0.8 on a conflict is flagged, from 0.7 on a duplicate is merged."""
    old, new = entry("The bees hum.", id="o"), entry("A lamp broke.", id="n", days=9)

    found = answering(chances).interferes(new, old)

    assert (found.kind if found else None) == expected


def test_the_confidence_is_the_calibrated_chance(answering, entry):
    """A conflict carries its ids, its chance, and a reason that quotes nothing."""
    policy = answering((0.06, 0.04, 0.6, 0.3))
    policy._skill.network.set_calibration("relation", (1.0, math.log(2)))
    old, new = entry("The bees hum.", id="o"), entry("A lamp broke.", id="n", days=9)

    found = policy.interferes(new, old)

    assert (found.new, found.old) == ("n", "o")
    assert found.confidence == round(18 / 19, 2)
    assert not {"bees", "hum", "lamp", "broke"} & set(found.reason.casefold().split())


def test_what_the_rules_found_stands_unless_it_is_denied(answering, entry):
    """A move is an update, as sure as the surer of the two, far below the threshold."""
    old, new = entry("I live in Rome.", id="o"), entry("I moved to Oslo.", id="n")
    ruled = RulePolicy().interferes(new, old)

    likely = answering((0.02, 0.02, 0.01, 0.95)).interferes(new, old)
    doubted = answering((0.7, 0.1, 0.1, 0.1)).interferes(new, old)
    denied = answering((0.86, 0.06, 0.04, 0.04)).interferes(new, old)

    assert likely.kind is doubted.kind is ConflictKind.UPDATE
    assert (likely.confidence, doubted.confidence) == (0.96, ruled.confidence)
    assert denied is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Mira lives in Lyon.", "Mira lives in Oslo."),
        ("I live in Lyon.", "I moved to Oslo in May."),
        ("Mira works at a bank.", "Mira works at a bakery."),
    ],
)
def test_the_shipped_weights_hear_a_plain_change(old, new, entry):
    """What differs in a name alone is heard, though it looks much like what was."""
    was, now = entry(old, id="o"), entry(new, id="n", days=90)

    assert PSMPolicy().interferes(now, was).kind is ConflictKind.UPDATE


def test_one_thing_said_twice_is_merged_as_the_rules_do(answering, entry):
    """Word for word the same is a duplicate, however sure the head is of that."""
    old, new = entry("I'm vegan.", id="o"), entry("I'm vegan.", id="n", days=3)

    assert answering((0.8, 0.1, 0.05, 0.05)).interferes(new, old).kind == "duplicate"
    assert answering((0.1, 0.3, 0.3, 0.3)).interferes(new, old) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("I learn Greek.", "I don't speak Greek yet."),
        ("The hive gave 20 kilos.", "The hive gave 31 kilos."),
    ],
)
def test_a_denial_or_another_number_is_never_merged(answering, entry, old, new):
    """However sure the head is of a duplicate, text that differs there stays."""
    policy = answering((0.04, 0.94, 0.01, 0.01))

    assert policy.interferes(entry(new, id="n", days=3), entry(old, id="o")) is None


@pytest.mark.parametrize(("role", "speaker"), [("assistant", "Mira"), ("user", "Juno")])
def test_only_one_persons_own_words_are_compared(answering, entry, role, speaker):
    """However sure the head is, an assistant or somebody else contradicts nobody."""
    policy = answering((0.0001, 0.0001, 0.5, 0.4998))
    old = entry("I drink tea.", id="o")

    new = entry("I drink coffee.", id="n", role=role, speaker=speaker)

    assert policy.interferes(new, old) is None
    assert policy.interferes(old, old) is None


def test_the_later_said_one_is_the_new_one(entry):
    """Whoever is named first: what was said later is read as the new one."""
    torch.manual_seed(0)
    card = Card("made", HASHED.name, thresholds=THRESHOLDS)
    policy = PSMPolicy(network=(PSM(Shape(HASHED.width)), card), encoder=HASHED)
    early, late = entry("I live in Rome.", id="a"), entry("I sold it.", id="b", days=3)

    assert policy.relate(late, early) == policy.relate(early, late)
    assert policy.relate(late, early) != policy.relate(
        replace(early, said_at=late.said_at), late
    )


def test_weights_in_training_leave_it_to_the_rules(answering, entry):
    """A card without thresholds answers what the rules answer."""
    policy = answering((0.0001, 0.0001, 0.5, 0.4998), thresholds={})
    old, new = entry("I live in Rome.", id="o"), entry("I moved to Oslo.", id="n")

    assert policy.interferes(new, old).reason == "two places of residence"
    assert policy.interferes(entry("Bees hum.", id="n"), old) is None


# ------------------------------------------------------------ the weights in the package


@pytest.fixture(scope="module")
def shipped(minilm):
    """The policy with the weights that ship, and its own encoder."""
    assert minilm.name  # the weights package is here
    return PSMPolicy(encoder=SentenceEncoder(adapter=MINI))


LOOK_ALIKES = [
    ("I like tea.", "I like tea and coffee."),
    ("Mira likes tea.", "Mira likes tea and coffee."),
    ("I moved to Lyon.", "I flew to Lyon."),
    ("Mira moved to Lyon in May.", "Mira flew to Lyon in June."),
    ("I went to Paris in spring.", "I went to Rome in autumn."),
    ("Mira went to Paris in spring.", "Mira went to Rome in autumn."),
    ("I bought a car last week.", "I bought a bike last week."),
    ("I saw Dune on Friday.", "I saw Alien on Saturday."),
    ("I ran the Berlin marathon in 2022.", "I ran the Oslo marathon in 2023."),
    ("I had ramen for lunch.", "I had pizza for dinner."),
    ("I work at a bank.", "I might leave the bank."),
    ("I live in Lyon.", "My sister lives in Paris."),
    ("I eat fish.", "I don't eat raw fish."),
    ("I drink coffee.", "I don't drink coffee after six."),
    ("I'm a nurse.", "I was a waiter as a student."),
]


@pytest.mark.parametrize(("old", "new"), LOOK_ALIKES)
def test_the_shipped_weights_arent_fooled_by_look_alikes(shipped, entry, old, new):
    """Two events of one kind, a like and another: both can be so, in either order."""
    one, other = entry(old, id="a"), entry(new, id="b", days=60)

    assert shipped.interferes(other, one) is None
    assert shipped.interferes(one, replace(other, said_at=one.said_at)) is None
    assert shipped.relate(other, one).conflict < 0.5


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("I live in Berlin.", "I moved to Lyon last week.", ConflictKind.UPDATE),
        ("Mira lives in Berlin.", "Mira lives in Lyon now.", ConflictKind.UPDATE),
        ("I smoke.", "I quit smoking in May.", ConflictKind.UPDATE),
        (
            "I've never been abroad.",
            "I spent a summer in Spain as a child.",
            ConflictKind.CONTRADICTION,
        ),
        (
            "I'm allergic to nuts.",
            "I'm not allergic to anything.",
            ConflictKind.CONTRADICTION,
        ),
    ],
)
def test_the_shipped_weights_find_what_cant_both_hold(shipped, entry, old, new, kind):
    """A move, a habit given up, a denial; and one that no rule finds."""
    found = shipped.interferes(entry(new, id="n", days=60), entry(old, id="o"))

    assert found is not None
    assert found.kind is kind
