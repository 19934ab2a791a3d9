"""What a person and a machine get from each command."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from typer.testing import CliRunner

import psm_core
from psm_core import Memory
from psm_core.cli import COMMANDS, app
from psm_core.demo.play import LIFE
from psm_core.store.queue import Queue
from psm_core.types import Feedback

from .conftest import T0

PSM = [sys.executable, "-m", "psm_core.cli"]

NAMES = [name for name, _, _ in COMMANDS]

ANSI = re.compile(r"\x1b\[")


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A home in which Mira's life was heard and slept on."""
    home = tmp_path_factory.mktemp("lived")
    run = runner(home)
    assert run("ingest", str(LIFE), "--user", "Mira").exit_code == 0
    assert run("sleep", "--user", "Mira").exit_code == 0
    return home


@pytest.fixture
def home(lived, tmp_path):
    """A copy of it, to do with as one likes."""
    return shutil.copytree(lived, tmp_path / "home")


@pytest.fixture
def psm(home):
    """Runs a command in that home."""
    return runner(home)


def runner(home):
    """Runs commands in *home*, with vectors that need no weights."""
    env = {"PSM_HOME": str(home), "PSM_ENCODER": "hash", "COLUMNS": "80"}

    def run(*arguments, stdin=None, **more):
        return CliRunner().invoke(app, [*arguments], input=stdin, env=env | more)

    return run


def asked(psm, *arguments):
    """What a command answers to a machine about Mira."""
    result = psm(*arguments, "--user", "Mira", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def facts(psm):
    """Everything that the sleeps wrote down, strongest first."""
    return asked(psm, "inspect", "--tier", "semantic", "--limit", "999")["entries"]


def shell(*arguments, home, stdin=None, **more):
    """Runs psm in a process of its own."""
    env = {**os.environ, "PSM_HOME": str(home), "PSM_ENCODER": "hash", **more}
    command = [*PSM, *arguments]
    return subprocess.run(
        command, env=env, input=stdin, capture_output=True, text=True, check=False
    )


# ------------------------------------------------------------------ the way in


@pytest.mark.parametrize(("name", "example"), [(n, e) for n, _, e in COMMANDS])
def test_every_command_explains_itself_with_an_example(psm, name, example):
    """--help says in a sentence what a command does, and shows a line to type."""
    help_text = psm(name, "--help", TERMINAL_WIDTH="200").stdout

    assert example in help_text
    assert f"Usage: root {name}" in help_text or f"{name} [OPTIONS]" in help_text


@pytest.mark.parametrize("name", NAMES)
def test_every_command_answers_machines(psm, name):
    """Every command has --json, and every one about people --home, about one --user."""
    help_text = psm(name, "--help", TERMINAL_WIDTH="200").stdout

    assert "--json" in help_text
    nobody = ("demo", "plugins", "train", "eval")
    assert ("--home" in help_text) == (name not in nobody)
    assert ("--user" in help_text) == (name not in (*nobody, "learn"))


def test_every_example_is_a_line_that_psm_understands(psm):
    """No example in a help text names an option that doesn't exist."""
    for name, _, example in COMMANDS:
        known = psm(name, "--help", TERMINAL_WIDTH="200").stdout
        assert example.split()[:2] == ["psm", name]
        assert all(o in known for o in re.findall(r"--[a-z]+", example))


def test_the_benchmark_explains_itself(psm):
    """`psm bench speed` has help with an example, and --json, like all the others."""
    help_text = psm("bench", "speed", "--help", TERMINAL_WIDTH="200").stdout

    assert "psm bench speed --quick" in help_text
    assert "--json" in help_text


def test_the_version_is_the_package_s(psm):
    """`psm --version` says which release this is."""
    assert psm("--version").stdout == f"psm {psm_core.__version__}\n"


def test_help_loads_nothing_heavy(tmp_path):
    """`psm --help` answers without torch, Chroma or SQLAlchemy."""
    script = (
        "import sys; from typer.testing import CliRunner; from psm_core.cli import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "print([m for m in ('torch', 'chromadb', 'sqlalchemy', 'transformers')"
        " if m in sys.modules])"
    )

    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert run.stdout == "[]\n"


def test_psm_runs_as_a_module(home):
    """`python -m psm_core.cli` is psm, and its JSON stands alone on stdout."""
    run = shell("inspect", "--user", "Mira", "--json", home=home)

    assert run.returncode == 0
    assert sum(json.loads(run.stdout)["counts"].values()) > 0
    assert run.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("recall",),
        ("recall", "x", "--limit", "0"),
        ("inspect", "--tier", "cellar"),
        ("import", "/nowhere/at/all.psm"),
        ("conflicts", "--resolve", "c-1"),
        ("conflicts", "--interactive"),
        ("eval", "--operation", "ceiling"),
        ("dream",),
    ],
)
def test_wrong_usage_is_exit_code_2(psm, arguments):
    """What can't be understood is refused before anything is opened."""
    result = psm(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""


# ------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain", "nobody-said-this"), "nobody-said-this"),
        (("history", "nobody-said-this"), "nobody-said-this"),
        (("pin", "nobody-said-this"), "nobody-said-this"),
        (("forget", "nobody-said-this", "--yes"), "nobody-said-this"),
        (("conflicts", "--resolve", "c-1", "--keep", "new"), "c-1"),
    ],
)
def test_our_errors_are_one_line_on_stderr(psm, arguments, said):
    """An error of PSM's own is one sentence with exit code 1, and no traceback."""
    result = psm(*arguments, "--user", "Mira", "--json")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("psm: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_a_person_who_was_never_heard_isn_t_made_up(psm, home):
    """A misspelt name is told who is there, and leaves no folder behind."""
    before = sorted(home.iterdir())

    result = psm("recall", "Where do I live?", "--user", "Mria")

    assert result.exit_code == 1
    assert "Mria" in result.stderr
    assert "Mira" in result.stderr
    assert sorted(home.iterdir()) == before


def test_a_wrong_setting_is_one_line(psm):
    """A setting out of range is named, in one line."""
    result = psm("recall", "tea", PSM_RECALL_LIMIT="0")

    assert result.exit_code == 1
    assert result.stderr == "psm: recall_limit is 0; it must be at least 1\n"


@pytest.mark.parametrize("path", ["/nowhere/at/all.json", "/"])
def test_a_history_that_can_t_be_read_is_one_line(psm, path):
    """A file that is nowhere, or no file, is a sentence."""
    result = psm("ingest", path, "--user", "bo")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "can't be read" in result.stderr


def test_an_export_to_nowhere_is_one_line(psm):
    """A file that can't be written is a sentence, not a traceback."""
    result = psm("export", "/nowhere/at/all.psm", "--user", "Mira")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


# ------------------------------------------------------------------------ ingest


def test_ingesting_twice_stores_nothing_twice(psm):
    """The second run of a file says how many turns were known, and none is new."""
    done = asked(psm, "ingest", str(LIFE))

    assert (done["new"], done["known"], done["conversations"]) == (0, 158, 10)
    again = psm("ingest", str(LIFE), "--user", "Mira").stdout
    assert "0 new, 158 known" in again


def test_a_malformed_file_keeps_what_stands_before(psm, tmp_path):
    """The place is named, and the turns before it can be recalled."""
    path = tmp_path / "chat.jsonl"
    path.write_text('{"text": "I keep bees in Ulm.", "id": "b1"}\n{"text": 7}\n')

    result = psm("ingest", str(path), "--user", "bo")

    assert result.exit_code == 1
    assert "chat.jsonl, line 2" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "bees" in psm("recall", "Who keeps bees?", "--user", "bo").stdout


def test_a_dry_run_shows_decisions_and_stores_nothing(psm, home):
    """--dry-run tells of each turn what the gate would do, and touches no file."""
    before = snapshot(home)

    done = asked(psm, "ingest", str(LIFE), "--dry-run")

    assert snapshot(home) == before
    assert len(done["decisions"]) == done["turns"] == 158
    turn, decision = done["decisions"][0]
    assert turn["text"] == "hi. is this thing on?"
    assert decision["action"] in ("keep", "defer", "archive")
    assert decision["reason"]


def test_a_dry_run_makes_no_home(psm, tmp_path):
    """A home that isn't there isn't there after a dry run either."""
    home = tmp_path / "new"

    result = psm("ingest", str(LIFE), "--dry-run", "--home", str(home))

    assert result.exit_code == 0
    assert "Nothing was stored" in result.stdout
    assert not home.exists()


def test_standard_input_is_read_as_lines(psm):
    """`psm ingest -` hears JSON lines from a pipe."""
    done = psm("ingest", "-", "--user", "bo", "--json", stdin='{"text": "I like tea."}')

    assert json.loads(done.stdout)["new"] == 1


def test_an_interruption_is_exit_code_130(home, tmp_path):
    """Ctrl-C says what is safe and exits with 130."""
    run = subprocess.Popen(
        [*PSM, "ingest", "-", "--user", "bo"],
        env={**os.environ, "PSM_HOME": str(home), "PSM_ENCODER": "hash"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell lets its background jobs ignore Ctrl-C, and so may this suite be one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    for n in range(150):
        run.stdin.write(b'{"text": "I planted tree %d.", "id": "%d"}\n' % (n, n))
    run.stdin.flush()
    with Memory("bo", home=home, encoder="hash") as memory:
        wait_until(lambda: sum(memory.counts().values()) >= 100)
    run.send_signal(2)
    run.stdin.close()
    said = run.stderr.read().decode()
    run.stdout.close()
    run.stderr.close()

    assert run.wait() == 130
    assert said == "psm: stopped; 100 turn(s) stay remembered\n"


def test_an_ended_dry_run_leaves_no_folder_behind(home, tmp_path):
    """SIGTERM in the middle of a dry run removes the home that it threw away."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run = subprocess.Popen(
        [*PSM, "ingest", "-", "--dry-run"],
        env={**os.environ, "PSM_ENCODER": "hash", "TMPDIR": str(scratch)},
        stdin=subprocess.PIPE,
    )
    wait_until(lambda: list(scratch.glob("psm-*/people/*/*/ledger.sqlite")))

    run.terminate()
    run.stdin.close()

    assert run.wait() == 143
    assert list(scratch.iterdir()) == []


def test_who_can_t_be_opened_can_be_erased(psm, home):
    """A damaged ledger is said in one line, and doesn't keep its owner from leaving."""
    [ledger] = home.rglob("ledger.sqlite")
    for file in ledger.parent.glob("ledger.sqlite*"):
        file.write_bytes(b"not a ledger" * 1000)

    queue = Queue(home)
    queue.ask("Mira", T0, idle=timedelta(0), ceiling=timedelta(0), most=1)

    assert psm("inspect", "--user", "Mira").exit_code == 1
    proof = asked(psm, "erase", "--yes")

    assert proof["left"] == []
    assert not ledger.exists()
    assert queue.waiting() == []
    queue.close()


def wait_until(holds, seconds=60.0):
    """Until *holds*() does; a process needs time to start."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def snapshot(folder):
    """Every file below *folder*, with size and time."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


# ------------------------------------------------------------------------ recall


def test_recall_shows_hits_with_their_sources(psm):
    """Each hit comes with its words, its strength and the turns it rests on."""
    found = asked(psm, "recall", "When is Ines's birthday?", "--limit", "3")

    assert 1 <= len(found["hits"]) <= 3
    shown = psm("recall", "When is Ines's birthday?", "--limit", "3", "--user", "Mira")
    for hit in found["hits"]:
        assert hit["id"] in shown.stdout
        assert f"strength {hit['strength']:.2f}" in shown.stdout
        assert hit["sources"][0] in shown.stdout


def test_recall_gives_the_text_for_a_prompt(psm):
    """--context prints what a prompt gets, as the library gives it."""
    found = asked(psm, "recall", "When is Ines's birthday?", "--budget", "120")

    context = psm(
        *("recall", "When is Ines's birthday?", "--budget", "120"),
        *("--context", "--user", "Mira"),
    )

    assert context.stdout.rstrip("\n") == found["context"]


def test_what_isn_t_known_is_said(psm):
    """A cue that nothing fits is answered in words, with exit code 0."""
    result = psm("recall", "  ", "--user", "Mira")

    assert (result.exit_code, result.stdout) == (0, "Nothing fits.\n")


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_every_line_fits_the_screen(psm, columns):
    """Long texts are cut with an ellipsis; no line is longer than the screen."""
    shown = [
        psm("recall", "What did Mira say?", "--user", "Mira", COLUMNS=str(columns)),
        psm("inspect", "--user", "Mira", COLUMNS=str(columns)),
        psm("conflicts", "--user", "Mira", COLUMNS=str(columns)),
        psm("ingest", str(LIFE), "--dry-run", COLUMNS=str(columns)),
    ]

    assert all("…" in result.stdout for result in shown[:2])
    for result in shown:
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= columns
        assert not ANSI.search(result.stdout)


def test_what_somebody_said_can_t_steer_the_terminal(psm):
    """Escape codes inside a memory are shown as text, never sent to the screen."""
    spiteful = json.dumps({"text": "[bold]cake[/] and \x1b[31mred\x1b[0m\rtea"})
    psm("ingest", "-", "--user", "bo", stdin=spiteful)

    shown = psm("inspect", "--user", "bo").stdout

    assert "\x1b" not in shown
    assert "[bold]cake[/]" in shown


# ------------------------------------------------------------------------- sleep


def test_a_sleep_says_what_it_did_and_why(psm):
    """The report has counts, and a reason for each change."""
    told = '{"text": "I work as a baker in Ulm.", "id": "b1"}'
    psm("ingest", "-", "--user", "bo", stdin=told)

    result = psm("sleep", "--user", "bo", "--json")

    report = json.loads(result.stdout)
    assert report["user"] == "bo"
    assert report["episodes"] == 1
    assert all(change["reason"] for change in report["changes"])


def test_everybody_in_the_home_sleeps(psm):
    """--all lets every person of the home sleep, one report each."""
    psm("ingest", "-", "--user", "bo", stdin='{"text": "I like tea."}')

    result = psm("sleep", "--all", "--json")

    assert [report["user"] for report in json.loads(result.stdout)] == ["Mira", "bo"]


def test_everybody_sleeps_in_several_processes(psm, home):
    """--workers lets several sleep at a time, each once, and the queue is empty then."""
    for name in ("bo", "cy"):
        psm("ingest", "-", "--user", name, stdin='{"text": "I like tea."}')

    run = subprocess.run(
        [*PSM, "sleep", "--all", "--workers", "2", "--json"],
        env={**os.environ, "PSM_HOME": str(home), "PSM_ENCODER": "hash"},
        capture_output=True,
        text=True,
        check=True,
    )

    reports = {report["user"]: report for report in json.loads(run.stdout)}
    assert sorted(reports) == ["Mira", "bo", "cy"]
    assert reports["bo"]["episodes"] == reports["cy"]["episodes"] == 1
    queue = Queue(home)
    assert queue.waiting() == []
    queue.close()


def test_a_sleep_that_fails_is_named_and_the_others_sleep(psm, home):
    """One damaged ledger keeps nobody awake; why it failed is said, and tried again."""
    psm("ingest", "-", "--user", "bo", stdin='{"text": "I like tea."}')
    with Memory("Mira", home=home, encoder="hash") as memory, memory._open() as store:
        store.run("DROP TABLE gist")

    result = psm("sleep", "--all", "--json")

    assert result.exit_code == 1
    assert [report["user"] for report in json.loads(result.stdout)] == ["bo"]
    assert "the sleep of Mira failed (StoreError" in result.stderr
    queue = Queue(home)
    assert [(due.user, due.tries) for due in queue.waiting()] == [("Mira", 1)]
    queue.close()


def test_watching_lets_sleep_who_is_due(psm, home):
    """--watch stays, sleeps what the queue asks for, and ends with Ctrl-C as a stop."""
    queue = Queue(home)
    queue.ask("Mira", T0, idle=timedelta(0), ceiling=timedelta(0), most=1)
    run = subprocess.Popen(
        [*PSM, "sleep", "--watch", "--json"],
        env={**os.environ, "PSM_HOME": str(home), "PSM_ENCODER": "hash"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in the background has it ignored, and its children too.
        preexec_fn=lambda: signal.signal(  # noqa: PLW1509
            signal.SIGINT, signal.default_int_handler
        ),
    )
    wait_until(lambda: not queue.waiting())
    queue.close()

    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)

    assert run.returncode == 130, err
    assert json.loads(out)["user"] == "Mira"


# ----------------------------------------------------------------------- looking


def test_inspect_shows_the_strongest_of_a_tier(psm):
    """Counts of all tiers, and entries of one, the strongest first."""
    seen = asked(psm, "inspect", "--tier", "semantic", "--limit", "5")

    strengths = [entry["strength"] for entry in seen["entries"]]
    assert strengths == sorted(strengths, reverse=True)
    assert {entry["tier"] for entry in seen["entries"]} == {"semantic"}
    assert len(strengths) == min(5, seen["counts"]["semantic"])


def test_conflicts_have_both_sides(psm):
    """A conflict is listed with both memories, their dates and their sources."""
    pairs = asked(psm, "conflicts")

    assert pairs
    for pair in pairs:
        assert pair["new"]["sources"]
        assert pair["old"]["said_at"]
        assert pair["status"] == "open"


def test_a_conflict_is_settled_once(psm):
    """After --resolve ID --keep new the conflict is open no more, and says so."""
    first = asked(psm, "conflicts")[0]

    settled = asked(psm, "conflicts", "--resolve", first["id"], "--keep", "new")

    assert settled["status"] == "new"
    assert first["id"] not in [pair["id"] for pair in asked(psm, "conflicts")]
    refuted = [c["what"] for c in asked(psm, "history", first["old"]["id"])]
    assert "refuted" in refuted


def test_a_conflict_is_settled_by_what_is_true(psm):
    """--keep TEXT puts a sentence in the place of both sides."""
    first = asked(psm, "conflicts")[0]
    true = "Mira's rent is 700 euros since May."

    settled = asked(psm, "conflicts", "--resolve", first["id"], "--keep", true)

    assert settled["status"] == "text"
    [said] = [fact for fact in facts(psm) if fact["text"] == true]
    for side in ("new", "old"):
        assert set(first[side]["sources"]) <= set(said["sources"])


def test_one_thing_that_a_sleep_did_is_taken_back(psm):
    """undo takes the number of a change, or the id of a fact; a slip is one line."""
    [superseded] = [f for f in facts(psm) if f["superseded_by"]][:1]
    changes = asked(psm, "history", superseded["id"])
    number = next(c["number"] for c in changes if c["what"] == "superseded")

    undone = asked(psm, "undo", str(number))
    retracted = asked(psm, "undo", superseded["id"])

    assert undone["valid_until"] is None
    assert retracted == {"retracted": superseded["id"]}
    assert superseded["id"] not in [fact["id"] for fact in facts(psm)]
    refused = psm("undo", "999999", "--user", "Mira")
    assert refused.exit_code == 1
    assert "Mira has no change 999999" in refused.stderr


def test_conflicts_are_settled_one_by_one_in_a_terminal(psm, home):
    """--interactive shows each conflict, and settles those that get an answer."""
    before = [pair["id"] for pair in asked(psm, "conflicts")]
    person, terminal = pty.openpty()
    os.write(person, b"skip\nboth\n" + b"skip\n" * len(before))

    run = subprocess.run(
        [*PSM, "conflicts", "--interactive", "--user", "Mira"],
        env={**os.environ, "PSM_HOME": str(home), "PSM_ENCODER": "hash"},
        stdin=terminal,
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(terminal)
    os.close(person)

    assert run.stderr.count("keep new, old, both, say what is true, or skip?") == len(
        before
    )
    after = [pair["id"] for pair in asked(psm, "conflicts")]
    assert after == [before[0], *before[2:]]


def test_a_memory_explains_itself(psm):
    """Why it is here, and all that happened to it."""
    old = asked(psm, "conflicts")[0]["old"]

    explained = asked(psm, "explain", old["id"])
    changes = asked(psm, "history", old["id"])

    assert old["id"] in explained["explanation"]
    assert explained["strength"] == pytest.approx(old["strength"], abs=1e-3)
    assert {change["memory"] for change in changes} == {old["id"]}
    assert all(change["reason"] for change in changes)


def test_plugins_lists_what_ships(psm):
    """The encoders and policies that ship are listed, with their names."""
    offers = json.loads(psm("plugins", "--json").stdout)["offers"]

    assert {"hash", "all-MiniLM-L6-v2", "rules"} <= {offer["name"] for offer in offers}


# ----------------------------------------------------------------------- keeping


def test_a_pinned_memory_stays_until_it_is_let_go(psm):
    """pin sets the mark, --off takes it back."""
    fact = facts(psm)[-1]["id"]

    for options, pinned in ([], True), (["--off"], False):
        assert asked(psm, "pin", fact, *options) == {"id": fact, "pinned": pinned}
        assert asked(psm, "explain", fact)["pinned"] is pinned


def test_forgetting_asks_first(psm, home):
    """Without --yes a person is asked, and "n" changes nothing."""
    fact = facts(psm)[0]["id"]

    refused = shell("forget", fact, "--user", "Mira", home=home, stdin="n\n")

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert asked(psm, "explain", fact)["id"] == fact
    assert asked(psm, "forget", fact, "--yes") == {"forgotten": fact}
    assert psm("explain", fact, "--user", "Mira").exit_code == 1


def test_a_memory_travels_in_a_file(psm, tmp_path):
    """What was exported can be imported under another name, whole."""
    file = tmp_path / "mira.psm"
    counts = asked(psm, "inspect")["counts"]

    assert asked(psm, "export", str(file))["bytes"] == file.stat().st_size
    arrived = psm("import", str(file), "--user", "twin", "--json")

    assert json.loads(arrived.stdout) == {"user": "twin", "counts": counts}
    assert "Rhône" in psm("recall", "Rhône", "--user", "twin", "--deep").stdout


def test_an_import_replaces_nobody_unasked(psm, tmp_path):
    """Importing over a person who is there needs --replace."""
    file = tmp_path / "mira.psm"
    asked(psm, "export", str(file))

    refused = psm("import", str(file), "--user", "Mira")
    replaced = psm("import", str(file), "--user", "Mira", "--replace")

    assert (refused.exit_code, replaced.exit_code) == (1, 0)
    assert refused.stderr.count("\n") == 1


def test_erasing_asks_for_the_name(psm, home):
    """Only whoever types the name erases; the proof says that nothing is left."""
    refused = psm("erase", "--user", "Mira", stdin="Maria\n")
    assert refused.exit_code == 1
    assert asked(psm, "inspect")["entries"]

    erased = shell("erase", "--user", "Mira", "--json", home=home, stdin="Mira\n")

    proof = json.loads(erased.stdout)
    assert proof["memories"] > 100
    assert proof["left"] == []
    assert psm("inspect", "--user", "Mira").exit_code == 1


def test_doctor_finds_and_rebuild_mends_a_lost_index(psm, home):
    """Whoever deletes chroma/ by hand is told, and loses no memory."""
    indexed = asked(psm, "rebuild")["indexed"]
    assert asked(psm, "doctor")["faults"] == []
    before = asked(psm, "inspect")["counts"]
    for index in home.rglob("chroma"):
        shutil.rmtree(index)

    ill = psm("doctor", "--user", "Mira", "--json")
    mended = asked(psm, "rebuild")

    assert ill.exit_code == 1
    assert all(fault["remedy"] for fault in json.loads(ill.stdout)["faults"])
    assert mended["indexed"] == indexed == before["episodic"] + before["semantic"]
    assert asked(psm, "doctor")["faults"] == []
    assert asked(psm, "inspect")["counts"] == before


def test_what_was_used_shows_in_inspect(psm, home):
    """Uses that a program reported are counted where a person looks."""
    with Memory("Mira", home=home, encoder="hash") as memory:
        found = memory.recall("When is Ines's birthday?")
        memory.learn(Feedback(found.id, used=[found.hits[0].id]))
    psm("sleep", "--user", "Mira")

    assert asked(psm, "explain", found.hits[0].id)["used"] == 1


# -------------------------------------------------------------------- both kinds


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", str(LIFE)),
        ("ingest", str(LIFE), "--dry-run"),
        ("recall", "tea"),
        ("recall", ""),
        ("sleep",),
        ("sleep", "--all"),
        ("inspect",),
        ("conflicts",),
        ("history", "s01-09"),
        ("explain", "s01-09"),
        ("pin", "s01-09"),
        ("doctor",),
        ("rebuild",),
        ("plugins",),
        ("forget", "s01-09", "--yes"),
        ("erase", "--yes"),
    ],
)
def test_each_command_speaks_to_people_and_machines(home, tmp_path, arguments):
    """With --json stdout is one JSON document; without, it is text; stderr is empty."""
    whose = () if arguments == ("plugins",) else ("--user", "Mira")
    for machine in (True, False):
        psm = runner(shutil.copytree(home, tmp_path / f"home-{machine}"))
        result = psm(*arguments, *whose, *(["--json"] if machine else []))

        assert result.exit_code == 0
        assert result.stderr == ""
        assert result.stdout.strip()
        if machine:
            json.loads(result.stdout)


def test_a_screen_without_our_letters_gets_replacements(home):
    """Where standard output knows ASCII only, nothing breaks."""
    run = shell(
        "recall", "Rhône", "--user", "Mira", home=home, PYTHONIOENCODING="ascii"
    )

    assert run.returncode == 0
    assert "#" in run.stdout


@pytest.mark.slow
def test_the_real_encoder_answers_from_the_command_line(tmp_path):
    """Ingest and recall with the default encoder, in processes of their own."""
    home, weights = tmp_path / "home", {"PSM_ENCODER": "all-MiniLM-L6-v2"}
    told = tmp_path / "chat.jsonl"
    told.write_text('{"text": "My cat is called Pixel.", "id": "p1"}\n')

    heard = shell("ingest", str(told), "--json", home=home, **weights)
    found = shell("recall", "name of the pet", "--json", home=home, **weights)

    assert (heard.returncode, heard.stderr) == (0, "")
    assert json.loads(found.stdout)["hits"][0]["id"] == "p1"
    assert found.stderr == ""
