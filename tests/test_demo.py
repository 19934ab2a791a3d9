"""The demo keeps its promises: what it shows is what a memory answered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from psm_core import Config
from psm_core.cli import app
from psm_core.cli.screen import plain
from psm_core.demo.play import GATE, LATER, LIFE, USER, play
from psm_core.strength import retention
from psm_core.transcripts import read
from psm_core.types import Action, ConflictKind, Tier, Trace

HEADINGS = [
    "What the gate made of what was said",
    "One question, before and after a sleep",
    "A fact, and the turns it rests on",
    "What changed, and what may not both be true",
    "How memories fade",
    "What feedback does",
    "What a language model would be given",
]


@pytest.fixture(scope="module")
def life():
    """The turns of the life, by id."""
    return {turn.id: turn for turn in read(LIFE).turns}


@pytest.fixture(scope="module")
def played():
    """The life, played once with vectors that need no weights."""
    return play(Config(encoder="hash"))


def psm(*arguments, **env):
    """Runs psm in this process."""
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80", **env})


# ------------------------------------------------------------------ the life


def test_the_life_is_as_long_as_promised(life):
    """At least 8 sessions over 3 months, about 150 turns, in order of time."""
    times = [turn.at for turn in life.values()]

    assert len(life) == 158
    assert len({turn.session for turn in life.values()}) == 10
    assert times == sorted(times)
    assert times[-1] - times[0] > timedelta(days=90)


def test_every_turn_is_heard_at_its_own_time(played, life):
    """The clock of the story moves with what is said; a sleep follows each session."""
    assert (played.turns, played.sessions) == (158, 10)
    assert [sleep.at for sleep in played.sleeps] == sorted(
        max(t.at for t in life.values() if t.session == s)
        for s in {turn.session for turn in life.values()}
    )


# ------------------------------------------------------------ what it must show


def test_gate_decisions_of_each_sort_are_shown(played, life):
    """About eight turns, kept, deferred and archived, each with a reason."""
    shown = Counter(decision.action for _, decision in played.judged)

    assert shown == {a: min(n, played.gate[a]) for a, n in GATE.items()}
    assert sum(played.gate.values()) == len(life)
    assert all(life[turn.id] == turn for turn, _ in played.judged)
    assert all(decision.reason for _, decision in played.judged)


def test_sleep_changes_what_surfaces(played):
    """The same cue, asked before and after a sleep, brings back different memories."""
    before, after = played.evening, played.morning

    assert (before.cue, before.at) == (after.cue, after.at)
    assert [hit.id for hit in before.hits] != [hit.id for hit in after.hits]
    assert Tier.SEMANTIC in {hit.tier for hit in after.hits}


def test_a_fact_is_shown_with_its_provenance(played, life):
    """The turns under a fact are those that it rests on, in their own words."""
    entry, turns = played.fact

    assert len(turns) == len(entry.sources) >= 2
    assert {turn.id for turn in turns} == set(entry.sources)
    assert all(turn.text == life[turn.id].text for turn in turns)


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("update", ConflictKind.UPDATE),
        ("contradiction", ConflictKind.CONTRADICTION),
    ],
)
def test_conflicts_are_shown_with_both_sides(played, life, part, kind):
    """An update and a contradiction, both sides with the turns they rest on."""
    conflict, new, old = getattr(played, part)

    assert conflict.kind is kind
    assert (conflict.new, conflict.old) == (new.entry.id, old.entry.id)
    for entry, turns in (new, old):
        assert {turn.id for turn in turns} == set(entry.sources)


def test_an_update_ends_the_old_side(played):
    """Of an update the side that was said earlier has an end; nothing is deleted."""
    _, *sides = played.update
    early, late = sorted((s.entry for s in sides), key=lambda entry: entry.said_at)

    assert early.valid_until == late.said_at
    assert late.valid_until is None


def test_three_memories_fade_as_the_arithmetic_says(played):
    """Strength now and later is derived from each memory's own trace."""
    assert len(played.fading) == 3
    assert len({fading.entry.kind for fading in played.fading}) == 3
    for fading in played.fading:
        trace: Trace = fading.entry.trace
        now = played.question.at
        assert fading.left == tuple(retention(trace, now + later) for later in LATER)
        assert list(fading.left) == sorted(fading.left, reverse=True)


def test_feedback_changes_strength(played):
    """What was used is stronger afterwards, what was corrected is weaker."""
    change = {lesson.outcome: lesson.after - lesson.before for lesson in played.lessons}

    assert change["used"] > 0 > change["corrected"]
    shown = {hit.id for hit in played.question.hits}
    assert {lesson.entry.id for lesson in played.lessons} <= shown


def test_the_prompt_is_within_its_budget(played):
    """The prompt is fenced, names whose memory it is, and isn't empty."""
    prompt = played.prompt.as_context()

    assert prompt.startswith(f'<memories of="{USER}">')
    assert prompt.endswith("</memories>")
    assert played.prompt.hits


# -------------------------------------------------------------------- the screen


@pytest.mark.parametrize("columns", [80, 120])
def test_the_demo_fits_the_screen(columns):
    """Nothing is wider than the screen, in order, without colours when piped."""
    result = psm("demo", "--fast", COLUMNS=str(columns))

    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert "\x1b" not in result.stdout
    found = [result.stdout.find(heading) for heading in HEADINGS]
    assert found == sorted(found)
    assert -1 not in found
    assert "psm ingest" in lines[-1]


def test_the_demo_is_read_in_a_minute():
    """At 240 words a minute, and glances at the tables, it is at most 100 lines."""
    lines = psm("demo", "--fast", COLUMNS="100").stdout.splitlines()

    assert len(lines) <= 100


def test_the_screen_shows_what_the_json_says():
    """Every result on the screen stands in the JSON of the same demo."""
    told = json.loads(psm("demo", "--fast", "--json").stdout)
    screen = " ".join(psm("demo", "--fast", COLUMNS="110").stdout.split())

    for action in map(str, Action):
        assert f"{told['gate'][action]} {action}" in screen
    assert told["fact"]["entry"]["text"][:40] in screen
    for lesson in told["lessons"]:
        assert f"{lesson['before']:.2f} → {lesson['after']:.2f}" in screen
    for fading in told["fading"]:
        for left in fading["left"]:
            assert f"{left:.2f}" in screen
    for text in told["prompt"]["context"].splitlines():
        assert text[:60] in screen


def test_the_demo_leaves_nothing_behind(tmp_path, monkeypatch):
    """Its home is thrown away, and the reader's own isn't touched."""
    scratch, home = tmp_path / "scratch", tmp_path / "home"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    assert psm("demo", "--fast", PSM_HOME=str(home)).exit_code == 0

    assert list(scratch.iterdir()) == []
    assert not home.exists()


def test_a_listener_hears_of_every_session():
    """Progress is told session by session, in turns."""
    told = []

    play(Config(encoder="hash"), on_turns=lambda *where: told.append(where))

    assert len(told) == 10
    assert told == sorted(told)
    assert told[-1] == (158, 158)


def test_the_demo_plays_the_same_every_time(played):
    """Two plays of one life answer the same."""
    again = play(Config(encoder="hash"))

    assert again.judged == played.judged
    assert plain(again.lessons) == plain(played.lessons)
    assert again.prompt.context == played.prompt.context


@pytest.mark.slow
def test_the_demo_runs_with_the_real_encoder():
    """As a newcomer runs it: JSON alone on stdout, both sides of the contradiction."""
    run = subprocess.run(
        [sys.executable, "-m", "psm_core.cli", "demo", "--json"],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert (run.returncode, run.stderr) == (0, "")
    told = json.loads(run.stdout)
    assert "vegetarian" in told["prompt"]["context"]
    sides = [told["contradiction"][side]["entry"]["text"] for side in ("new", "old")]
    assert all("allergic" in text for text in sides)


def test_missing_weights_are_said_in_a_sentence(tmp_path):
    """Without weights the demo says which, in one line, and doesn't trace back."""
    result = psm("demo", PSM_ENCODER_PATH=str(tmp_path / "nowhere"))

    assert result.exit_code == 1
    assert re.fullmatch(r"psm: PSM_ENCODER_PATH is .*\n", result.stderr)
