"""The benchmarks run as the README says, and judge as they claim."""

import json

import pytest
from typer.testing import CliRunner

from psm_core.bench import facts as bench_facts
from psm_core.bench import recall as bench
from psm_core.bench import sleep as bench_sleep
from psm_core.bench.speed import Figure, life
from psm_core.cli import app
from psm_core.train.corpus import lives


def test_a_question_is_judged_by_the_turns_that_answer_it():
    """One of two answers at rank 2 is R@5 1/2; the other at rank 7 makes R@10 whole."""
    ranking = ["x", "a", "y", "z", "v", "w", "b"]
    question = bench.Question("?", frozenset({"a", "b"}))

    five, ten, ndcg = bench._judged(ranking, question)

    assert (five, ten) == (0.5, 1.0)
    assert ndcg == pytest.approx((1 / 1.58496 + 1 / 3) / (1 + 1 / 1.58496), abs=1e-4)


def test_a_life_is_the_same_whenever_it_is_made_up():
    """The made-up turns of a seed never differ; another seed's do."""
    assert list(life(30)) == list(life(30))
    assert list(life(30)) != list(life(30, seed=1))


def test_a_figure_knows_whether_it_is_met():
    """Lower is better, unless at least so much is wanted."""
    assert Figure("a", 1.2, "x", 1.3).met
    assert not Figure("a", 1.2, "x", 1.3, at_least=True).met


@pytest.mark.slow
def test_recall_beats_its_baselines_on_the_demo_life():
    """On the shipped life PSM brings back more of the answers than any baseline."""
    result = CliRunner().invoke(app, ["bench", "recall", "--json"])

    scores = {s["system"]: s["recall_10"] for s in json.loads(result.stdout)}
    assert list(scores) == ["cosine", "BM25", "RRF of both", "psm"]
    assert scores["psm"] == max(scores.values()) > 0.6


def test_a_file_without_questions_is_refused(tmp_path):
    """A chat history that isn't LoCoMo's says so in one line."""
    file = tmp_path / "chat.jsonl"
    file.write_text('{"text": "hi there"}')

    result = CliRunner().invoke(app, ["bench", "recall", "--data", str(file)])

    assert result.exit_code == 1
    assert "questions come with LoCoMo's format" in result.stderr


def one_life(split=None):
    """Kofi's life alone, so that a test takes seconds."""
    return [life for life in lives(split) if life.name == "kofi"]


@pytest.mark.slow
def test_a_sleep_loses_no_word_and_saves_tokens(monkeypatch):
    """Whatever share is kept, index and archive hold all evidence in its own words."""
    monkeypatch.setattr(bench_sleep, "lives", one_life)

    (whole, less), told = bench_sleep.sleep(None, (1.0, 0.5))

    assert whole.kept == less.kept == 1.0
    assert less.tokens < whole.tokens <= 1.05
    assert less.own_words <= whole.own_words
    assert whole.recall_10[0] == less.recall_10[0]
    assert told.pairs == sum(p.ids is not None for p in one_life()[0].pairs)
    assert 0 <= told.alarms <= 1


@pytest.mark.slow
def test_facts_are_drawn_beside_the_turns_they_rest_on(monkeypatch):
    """The same draw each time, and what was said is the turns' own words."""
    monkeypatch.setattr(bench_facts, "lives", one_life)

    drawn, of = bench_facts.facts(3)

    assert bench_facts.facts(3) == (drawn, of)
    said = {turn.text for turn in one_life()[0].turns}
    assert len(drawn) == min(3, of)
    assert all(said.issuperset(fact.said) and fact.said for fact in drawn)


@pytest.mark.slow
def test_a_life_of_nights_is_told_month_by_month(tmp_path):
    """Every turn is heard, every month has its row, and the picture can be read."""
    picture = tmp_path / "nights.svg"
    arguments = ["--turns", "150", "--years", "0.15", "--plot", str(picture), "--json"]

    result = CliRunner().invoke(app, ["bench", "nights", *arguments])

    course = json.loads(result.stdout)
    assert [month["number"] for month in course] == [1, 2]
    assert sum(month["turns"] for month in course) >= 150
    last = course[-1]
    heard = last["indexed"] - last["facts"] + last["archived"]
    assert heard >= sum(month["turns"] for month in course)
    assert "<svg" in picture.read_text()
