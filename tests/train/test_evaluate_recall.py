"""Recall and consolidation on the report card: what is counted, and for whom."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from psm_core.errors import TranscriptError
from psm_core.model.encoder import HashEncoder
from psm_core.model.network import PSM, Shape
from psm_core.model.pool import LEARNED_NAMES
from psm_core.model.rules import RulePolicy
from psm_core.protocols import Weighting
from psm_core.train.corpus import Question, Said, lives
from psm_core.train.evaluate.ablations import GROUPS, evaluate_ablations
from psm_core.train.evaluate.asking import (
    AFTER,
    System,
    all_readable,
    answers,
    filled,
    heard,
)
from psm_core.train.evaluate.baselines import (
    BASELINES,
    BM25,
    COSINE,
    FUSED,
    MASKED,
    Baselines,
    Lexicon,
    fused,
)
from psm_core.train.evaluate.consolidation import (
    evaluate_consolidation,
    rests_on_lasting,
    still_readable,
)
from psm_core.train.evaluate.locomo import conversations
from psm_core.train.evaluate.pooled import NAMELESS, TOLD_APART, evaluate_pools
from psm_core.train.evaluate.recall import evaluate_recall, gain
from psm_core.train.material import Remembered
from psm_core.train.pools import Asking, asked
from psm_core.train.ranking import imitate
from psm_core.types import Entry, Kind, Tier, Trace, Turn

T0 = datetime(2024, 5, 1, tzinfo=UTC)


class Knowing(RulePolicy):
    """Knows which turns answer which question, and is silent where none does."""

    def __init__(self, people):
        self._evidence = {
            q.text: set(q.evidence) for life in people for q in life.questions
        }

    def weigh(self, cue, candidates):
        known = self._evidence.get(cue.text, set())
        fits = [not known.isdisjoint(c.entry.sources) for c in candidates]
        scores = np.array(fits, np.float32) * 0.9
        table = np.zeros((len(fits), 1), np.float32)
        return Weighting(scores, table, ("known",), np.ones(len(fits), np.float32))


def turn(n, text, speaker="Ada"):
    return Turn(text, speaker, at=T0, session="s1", id=f"t{n}")


def said(turns):
    return tuple(
        Said(t, keep=True, kind=Kind.STATE, valence=0, arousal=0) for t in turns
    )


@pytest.fixture(scope="module")
def encoder():
    return Remembered(HashEncoder(64))


@pytest.fixture(scope="module")
def people():
    """Two people of the training split, with ten questions each, two unanswerable."""

    def fewer(life):
        silent = [q for q in life.questions if not q.evidence][:2]
        told = [q for q in life.questions if q.evidence][:8]
        return replace(life, questions=(*told, *silent))

    return [fewer(life) for life in lives("train")[:2]]


@pytest.fixture(scope="module")
def systems(people, encoder):
    return [
        System("knowing", Knowing(people), encoder),
        System("rules", RulePolicy(), encoder),
    ]


def values(rows, system):
    return {row.measure: row.value for row in rows if row.system == system}


@pytest.fixture(scope="module")
def recalled(systems, people, encoder):
    return evaluate_recall(systems, people, encoder, lambda _: None)


@pytest.fixture(scope="module")
def pooled(systems, people, encoder):
    return evaluate_pools(systems, people, encoder)


# ---------------------------------------------------------------------- recall


def test_who_knows_finds_all_that_is_proposed(recalled):
    """A policy that knows the evidence is above every other one, for everybody."""
    knowing = values(recalled, "knowing")

    for system in ("rules", *BASELINES):
        assert knowing["R@10"] > values(recalled, system)["R@10"]
    assert knowing["R@10"] > 0.8
    assert knowing["people whose R@10 is best"] == 1.0


def test_a_gain_is_the_mean_of_the_differences(recalled):
    """The gain over a system is that of the means, with an interval of its own."""
    row = next(r for r in recalled if r.measure == gain("R@10", "rules"))
    means = [values(recalled, s)["R@10"] for s in ("knowing", "rules")]

    assert row.system == "knowing"
    assert row.value == pytest.approx(means[0] - means[1])
    assert row.low <= row.value <= row.high
    assert row.n == 16


def test_every_person_and_sort_is_told(recalled, people):
    """Each figure stands for each person, and R@10 for each sort that is asked."""
    sorts = {q.sort for life in people for q in life.questions if q.evidence}
    measures = {row.measure for row in recalled}

    assert {f"R@10, {sort}" for sort in sorts} <= measures
    row = next(r for r in recalled if r[1:3] == ("R@10", "rules"))
    assert set(row.people) == {life.name for life in people}


def test_more_tokens_hold_more_evidence(recalled):
    """Every system reads at least as much within 2,000 tokens as within 500."""
    for system in ("knowing", "rules", *BASELINES):
        own = values(recalled, system)
        some, most = (own[f"all evidence in {n} tokens"] for n in ("500", "2,000"))
        assert 0 <= some <= most <= 1


def test_cpu_time_is_taken_of_memories_alone(recalled):
    """A recall costs more than nothing; plain rankings share vectors, so have none."""
    spent = {r.system: r.value for r in recalled if r.measure.startswith("CPU")}

    assert set(spent) == {"knowing", "rules"}
    assert min(spent.values()) > 0


# ------------------------------------------------------------------------ pools


def test_who_knows_is_silent_where_nothing_answers(pooled):
    """Nothing unanswerable is answered, and the two are told apart."""
    knowing = values(pooled, "knowing")

    assert knowing["unanswerable answered"] == 0.0
    assert knowing[TOLD_APART] > 0.9
    assert values(pooled, "rules")["unanswerable answered"] > 0.0


def test_scores_that_are_always_right_are_further_from_nine_tenths(pooled):
    """Who says 0.9 and is always right is 0.1 away from the truth."""
    assert values(pooled, "knowing")["distance of score and truth"] == pytest.approx(
        0.1, abs=1e-6
    )
    (row,) = [
        r for r in pooled if r[1:3] == ("evidence where 0.90 was said", "knowing")
    ]
    assert row.value == 1.0


def test_without_names_a_policy_sees_no_names(people, encoder):
    """The probe takes the names out of the cue and out of what is known of it."""
    seen = []

    class Listening(RulePolicy):
        def weigh(self, cue, candidates):
            seen.append(cue)
            return super().weigh(cue, candidates)

    life = people[0]
    systems = [System("listening", Listening(), encoder)]
    rows = evaluate_pools(systems, [life], encoder)

    bare = seen[len(life.questions) + 1 :: 2]
    assert len(bare) == len(life.questions)
    names = set(life.people)
    assert not any(names & set(cue.text.split()) or cue.named for cue in bare)
    assert {r.system for r in rows if r.measure == NAMELESS} == {
        "listening",
        *(MASKED, BM25, FUSED),
    }


def test_a_group_taken_away_is_missed(people, encoder):
    """Without any feature the ranking finds less than with all; every one is grouped."""
    network = PSM(Shape(width=64))
    questions = asked(people, encoder, RulePolicy(), Asking())
    imitate(network.recall, questions)

    rows = {
        row.system: row.value
        for row in evaluate_ablations(network.recall.eval(), questions)
    }

    assert sorted(n for group in GROUPS.values() for n in group) == sorted(
        LEARNED_NAMES
    )
    assert len(rows) == len(GROUPS) + 2
    assert rows["psm without words"] < rows["psm"]
    # What imitates the rules has nothing in its hidden layer yet.
    assert rows["psm, linear part alone"] == rows["psm"]


def test_an_ablation_can_be_trained_anew(people, encoder):
    """Trained without a group, the row says so; the trained one isn't touched."""
    network = PSM(Shape(width=64)).eval()
    policy = RulePolicy()
    questions = asked(people[:1], encoder, policy, Asking())
    before = network.recall.linear.weight.clone()

    rows = evaluate_ablations(network.recall, questions, train=questions)

    assert "psm without words, trained anew" in {row.system for row in rows}
    assert (network.recall.linear.weight == before).all()


# -------------------------------------------------------------------- baselines


@pytest.fixture
def talk(people):
    turns = [
        turn(1, "Hey Bob, how was the zoo?"),
        turn(2, "The zoo had nine otters, Ada.", "Bob"),
        turn(3, "Otters! I once fed otters."),
    ]
    return replace(people[0], said=said(turns), people={"Ada": "", "Bob": ""})


def test_bm25_puts_the_rare_word_first():
    """One rare word weighs more than one that all texts have; absent ones nothing."""
    scores = Lexicon(["otter zoo", "zoo bear", "zoo lion cage"]).scores("otter zoo xyz")

    assert scores.argmax() == 0
    assert scores[1] > scores[2] > 0
    # idf(otter) = ln(1 + 2.5/1.5), idf(zoo) = ln(1 + .5/3.5); length 2 of mean 7/3.
    damp = 1.2 * (0.25 + 0.75 * 2 / (7 / 3))
    idf = np.log(1 + 2.5 / 1.5) + np.log(1 + 0.5 / 3.5)
    assert scores[0] == pytest.approx(idf * 2.2 / (1 + damp))


def test_fusion_adds_reciprocal_ranks():
    """First of one and third of the other is 1/60 + 1/62."""
    both = fused([np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0])])

    assert both.tolist() == pytest.approx([1 / 60 + 1 / 62, 2 / 61, 1 / 60 + 1 / 62])


def test_each_baseline_ranks_every_turn(talk, encoder):
    """All four rank the whole life; the otters come before the greeting."""
    found = Baselines(talk, encoder).rankings("How many otters did Bob see?")

    assert tuple(found) == (COSINE, MASKED, BM25, FUSED)
    for ranked in found.values():
        assert sorted(ranked.ranking) == ["t1", "t2", "t3"]
    assert found[BM25].ranking[0] == "t2"


def test_nameless_baselines_hear_no_names(talk, encoder):
    """With names out, a question about a speaker finds nothing by the name."""
    bare = Baselines(talk, encoder, nameless=True)

    assert bare.rankings("Ada Bob otters")[BM25] == bare.rankings("otters")[BM25]


def test_a_context_is_filled_as_a_memory_would():
    """The best that fit go in, and what is in it can be read."""
    turns = {f"t{n}": turn(n, f"word{n} " * 40) for n in (1, 2)}
    turns["t3"] = turn(3, "short and sweet")

    text, named = filled(["t1", "t2", "t3"], turns, 100)

    assert named == {"t1", "t3"}
    assert all_readable(text, named, [turns["t1"], turns["t3"]])
    assert not all_readable(text, named, [turns["t2"]])
    assert not all_readable(text, {"t1"}, [turns["t3"]])


def test_a_memory_is_asked_a_year_later(people, systems):
    """What a memory has retained is counted to a year after the last turn."""
    life = people[0]
    with heard(life, systems[1]) as memory:
        answered = answers(memory, life, budgets=[500])
        recall = memory.recall("tea")

    assert recall.at == life.turns[-1].at + AFTER
    assert len(answered) == 8
    assert set(answered[0].read) == {500}
    assert answered[0].milliseconds is None


# ---------------------------------------------------------------- consolidation


def entry(text, sources, tier=Tier.SEMANTIC):
    trace = Trace(0.5, AFTER, T0)
    return Entry("f1", tier, Kind.STATE, text, "Ada", "user", "s1", T0, sources, trace)


def test_a_fact_counts_where_all_its_sources_last():
    """One source of small talk, and the fact doesn't rest on lasting turns."""
    turns = [turn(1, "I live in Lyon."), turn(2, "Ha, Lyon!")]
    labels = list(said(turns))
    labels[1] = labels[1]._replace(keep=False)

    facts = [entry("Ada lives in Lyon.", ("t1",)), entry("Lyon!", ("t1", "t2"))]

    assert rests_on_lasting(facts, labels) == [1.0, 0.0]


def test_evidence_survives_by_its_own_words():
    """A fact that names a turn and lost its words doesn't count as holding it."""
    turns = [turn(1, "I bought nine red kites"), turn(2, "My sister sails dinghies")]
    entries = [
        entry("Ada bought kites", ("t1",)),
        entry("My sister sails dinghies", ("t2",), Tier.EPISODIC),
    ]

    assert still_readable(entries, turns) == [0.0, 1.0]
    assert still_readable([*entries, entry("nine red", ("t1",))], turns) == [1.0, 1.0]


def test_a_sleep_is_measured_before_and_after(people, systems):
    """The change by the sleep is after less before, question by question."""
    rows = evaluate_consolidation(systems[1:], people[:1], lambda _: None)

    found = values(rows, "rules")
    change = found["R@10, change by the sleep"]
    assert change == pytest.approx(found["R@10, after"] - found["R@10, before"])
    assert found["evidence readable in index or archive"] == 1.0
    assert 0 < found["tokens in the index, after / before"] < 1.5


def test_without_labels_no_fact_is_judged(people, systems):
    """Conversations that nobody labelled get no share of lasting facts."""
    life = replace(people[0], questions=people[0].questions[:1])

    rows = evaluate_consolidation(systems[1:], [life], lambda _: None, labelled=False)

    assert "facts on lasting turns" not in values(rows, "rules")


# ----------------------------------------------------------------------- LoCoMo


@pytest.fixture
def locomo(tmp_path):
    item = {
        "sample_id": "conv-1",
        "conversation": {
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ada", "dia_id": "D1:1", "text": "I moved to Lyon."},
                {"speaker": "Bob", "dia_id": "D1:2", "text": "To Lyon!"},
            ],
        },
        "qa": [
            {
                "question": "Where?",
                "category": 4,
                "evidence": ["D1:1"],
                "answer": "Lyon",
            },
            {"question": "Both?", "category": 1, "evidence": ["D1:1; D:1:02", "D9:9"]},
            {"question": "Never?", "category": 5, "evidence": ["D1:2"]},
            {"question": "Open?", "category": 3, "evidence": []},
        ],
    }
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([item]), encoding="utf-8")
    return file


def test_locomo_is_read_as_lives(locomo):
    """Turns, people and questions; what has no evidence is left out or unanswerable."""
    (life,) = conversations(locomo)

    assert list(life.people) == ["Ada", "Bob"]
    assert [t.id for t in life.turns] == ["conv-1/D1:1", "conv-1/D1:2"]
    assert life.questions == (
        Question("Where?", "single-hop", ("conv-1/D1:1",), "Lyon"),
        Question("Both?", "multi-hop", ("conv-1/D1:1", "conv-1/D1:2"), ""),
        Question("Never?", "unanswerable", (), ""),
    )


def test_another_format_has_no_questions(tmp_path):
    """A chat history that isn't LoCoMo's says so in one line."""
    file = tmp_path / "chat.jsonl"
    file.write_text('{"text": "hi there"}', encoding="utf-8")

    with pytest.raises(TranscriptError, match="questions come with LoCoMo's format"):
        conversations(file)
