"""What becomes of a chat history that a memory hears."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from psm_core import Config, Memory
from psm_core.errors import PluginError, TranscriptError, TurnError
from psm_core.hookspecs import hookimpl
from psm_core.ingest import BATCH, Ingested, ingest, rehearse

TRANSCRIPTS = Path(__file__).with_name("transcripts")


@pytest.fixture
def config(tmp_path):
    """A home of its own, and vectors without weights."""
    return Config(home=tmp_path / "home", encoder="hash")


@pytest.fixture
def memory(config):
    """The memory of Ada, empty."""
    with Memory("ada", config=config) as opened:
        yield opened


@pytest.fixture
def chat(tmp_path):
    """Writes turns, given as texts, to a file of JSON lines."""

    def write(*texts, name="chat.jsonl"):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in map(turn, texts)))
        return path

    return write


def turn(text, **more):
    """One line of JSON."""
    return json.dumps({"text": text, "speaker": "Ada", **more})


def many(count):
    """So many different sentences."""
    return [f"On day {n} I planted tree number {n}." for n in range(count)]


def held(memory):
    """The texts that a memory holds, in any tier, as they were heard."""
    return [entry.text for entry in memory.entries()]


def test_a_history_is_heard_in_its_order(memory, chat):
    """What stands in a file is remembered, in the order in which it was said."""
    done = ingest(memory, chat(*many(5)))

    assert held(memory) == many(5)
    assert (done.turns, done.new, done.known, done.conversations) == (5, 5, 0, 1)
    assert done.new == done.kept + done.deferred + done.archived


def test_hearing_it_twice_stores_nothing_twice(memory, chat):
    """A second run of the same file finds every turn known and adds none."""
    path = chat(*many(5))
    ingest(memory, path)

    again = ingest(memory, path)

    assert (again.new, again.known) == (0, 5)
    assert (again.kept, again.deferred, again.archived) == (0, 0, 0)
    assert len(held(memory)) == 5


def test_a_grown_file_adds_what_is_new(memory, chat):
    """Turns that were appended to a file are the only ones that are stored."""
    ingest(memory, chat(*many(5)))

    grown = ingest(memory, chat(*many(8)))

    assert (grown.new, grown.known) == (3, 5)


@pytest.mark.parametrize(
    ("name", "turns", "conversations"),
    [
        ("chatgpt.json", 5, 2),
        ("claude.json", 3, 2),
        ("langchain.json", 5, 1),
        ("locomo.json", 5, 2),
        ("longmemeval.json", 3, 1),
        ("turns.jsonl", 4, 2),
    ],
)
def test_every_format_is_heard(memory, name, turns, conversations):
    """Each format that is known goes in; a second time, each turn is known again."""
    first, second = (ingest(memory, TRANSCRIPTS / name) for _ in range(2))

    assert (first.turns, first.conversations) == (turns, conversations)
    assert (first.new, second.new, second.known) == (turns, 0, turns)


def test_one_conversation_can_be_chosen(memory):
    """With a conversation's id, the others stay unheard."""
    done = ingest(memory, TRANSCRIPTS / "locomo.json", conversation="garden-2")

    assert (done.turns, done.conversations) == (1, 1)
    assert held(memory) == ["Noon already."]


def test_a_listener_hears_of_every_batch(memory, chat):
    """Progress is told batch by batch, each with its turns and their decisions."""
    steps = []

    done = ingest(memory, chat(*many(2 * BATCH + 1)), on_step=steps.append)

    assert [step.so_far.turns for step in steps] == [BATCH, 2 * BATCH, 2 * BATCH + 1]
    assert [len(step.decisions) for step in steps] == [BATCH, BATCH, 1]
    assert steps[-1].so_far == done


def test_what_stands_before_a_malformed_line_is_kept(memory, chat):
    """A spoilt line is named with its place, and everything before it is remembered."""
    path = chat(*many(7))
    path.write_text(path.read_text() + '{"text": 8}\n' + turn("Never read.") + "\n")

    with pytest.raises(TranscriptError, match=r"chat\.jsonl, line 8: .* 7 turn"):
        ingest(memory, path)

    assert held(memory) == many(7)


def test_a_mended_file_goes_on_where_it_stopped(memory, chat):
    """Once the spoilt line is mended, only it and what follows are new."""
    path = chat(*many(3))
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(TranscriptError):
        ingest(memory, path)

    assert ingest(memory, chat(*many(5))).new == 2


def test_what_stands_before_an_id_used_twice_is_kept(memory, tmp_path):
    """An id that returns with other words stops the file there, not a batch earlier."""
    path = tmp_path / "chat.jsonl"
    lines = [turn(text, id=f"t{n}") for n, text in enumerate(many(5))]
    path.write_text("\n".join([*lines, turn("Something else.", id="t2"), lines[0]]))

    with pytest.raises(TurnError, match=r"'t2'.* 5 turn"):
        ingest(memory, path)

    assert held(memory) == many(5)


class Fussy:
    """A redactor that fails on one word."""

    @hookimpl
    def psm_redact(self, text):
        """Fail where the text names a secret."""
        if "secret" in text:
            raise RuntimeError
        return text


def test_what_stands_before_a_failing_redactor_is_kept(config, chat):
    """A redactor that fails keeps its turn out, and the turns before it in."""
    with Memory("ada", config=config, plugins=[Fussy()]) as memory:
        with pytest.raises(PluginError, match=r"2 turn"):
            ingest(memory, chat("I like tea.", "I like rain.", "A secret.", "Bye."))

        assert held(memory) == ["I like tea.", "I like rain."]


def test_lines_from_a_stream_are_heard(memory):
    """Lines of JSON need no file; blank ones say nothing."""
    done = ingest(memory, [turn("I like tea.").encode(), b"\n", turn("Bye.").encode()])

    assert (done.format, done.new) == ("json-lines", 2)
    assert held(memory) == ["I like tea.", "Bye."]


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (b"{", "it isn't JSON"),
        (b"\xff\xff", "it isn't UTF-8"),
        (b"[1]", "must be an object"),
        (b'{"text": "Hi.", "at": "2026-03-01T12:00:00"}', "timezone"),
    ],
)
def test_a_spoilt_line_of_a_stream_is_named(memory, spoilt, said):
    """A fault in a stream names its line, and what came before it is remembered."""
    with pytest.raises(TranscriptError, match=rf"standard input, line 2.*{said}"):
        ingest(memory, [turn("I like tea.").encode(), spoilt])

    assert held(memory) == ["I like tea."]


def test_a_conversation_that_a_stream_lacks_is_said(memory):
    """Asking a stream for a conversation that it doesn't hold is an error."""
    with pytest.raises(TranscriptError, match="no conversation 'x'"):
        ingest(memory, [turn("I like tea.").encode()], conversation="x")


def test_a_file_that_is_nowhere_is_our_error(memory, tmp_path):
    """A missing file is a sentence with its name, not a bare OSError."""
    with pytest.raises(TranscriptError, match=r"gone\.json can.t be read"):
        ingest(memory, tmp_path / "gone.json")


def test_an_interruption_says_what_is_safe_and_is_gone_on_with(memory, chat):
    """Ctrl-C keeps every batch that was told of; the next run adds the rest alone."""

    def stop(step):
        raise KeyboardInterrupt

    path = chat(*many(BATCH + 7))
    with pytest.raises(KeyboardInterrupt, match=rf"{BATCH} turn\(s\) stay remembered"):
        ingest(memory, path, on_step=stop)

    assert len(held(memory)) == BATCH
    assert ingest(memory, path).new == 7


def test_a_killed_run_is_gone_on_with(config, chat):
    """Killed without a warning, a run loses nothing that it had told of."""
    path = chat(*many(10 * BATCH))
    script = (
        "import sys; from pathlib import Path; from psm_core import Memory;"
        "from psm_core.ingest import ingest\n"
        "with Memory('ada', home=sys.argv[1], encoder='hash') as memory:\n"
        "    ingest(memory, Path(sys.argv[2]), on_step=lambda step:"
        " print(step.so_far.turns, flush=True))\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script, str(config.home), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    told = [int(run.stdout.readline()) for _ in range(2)][-1]
    os.kill(run.pid, signal.SIGKILL)
    told = max([told, *map(int, run.stdout.read().split())])
    run.wait()
    run.stdout.close()

    with Memory("ada", config=config) as memory:
        done = ingest(memory, path)

        assert done.known >= told >= 2 * BATCH
        assert held(memory) == many(10 * BATCH)


# ----------------------------------------------------------------- the rehearsal


def test_a_rehearsal_stores_nothing(config, chat):
    """A rehearsal tells of every decision, and the home isn't even made."""
    steps = []

    done = rehearse("ada", chat(*many(3)), config, on_step=steps.append)

    assert [turn.text for step in steps for turn in step.turns] == many(3)
    assert done == Ingested(
        "json-lines",
        None,
        conversations=1,
        turns=3,
        new=3,
        kept=done.kept,
        deferred=done.deferred,
        archived=done.archived,
    )
    assert not config.home.exists()


def test_a_rehearsal_decides_as_the_memory_would(config, chat):
    """What a rehearsal says of a turn is what an empty memory makes of it."""
    path, told = chat(*many(3), "hi", "I'm vegetarian."), {}

    for hear in ("rehearsal", "memory"):
        steps = told.setdefault(hear, [])
        if hear == "rehearsal":
            rehearse("ada", path, config, on_step=steps.append)
        else:
            with Memory("ada", config=config) as memory:
                ingest(memory, path, on_step=steps.append)

    assert told["rehearsal"][0].decisions == told["memory"][0].decisions


def test_a_rehearsal_leaves_no_folder_behind(config, chat, tmp_path, monkeypatch):
    """The home that a rehearsal uses is gone afterwards, after a fault too."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = chat(*many(3))
    rehearse("ada", path, config)
    path.write_text(path.read_text() + "{\n")

    with pytest.raises(TranscriptError, match=r"3 turn.* were read"):
        rehearse("ada", path, config)

    assert list(scratch.iterdir()) == []


def test_faults_and_progress_say_no_words_of_the_user(memory, chat, caplog):
    """Nothing that is logged while a history is heard holds what was said."""
    caplog.set_level("DEBUG")

    ingest(memory, chat("I planted a wollemi pine."))

    assert "wollemi" not in caplog.text


def test_a_stream_is_read_one_batch_at_a_time(memory):
    """A stream is heard as it comes: a batch is safe before the next is read."""
    taken = []

    def stream():
        for text in many(2 * BATCH):
            taken.append(text)
            yield turn(text).encode()

    seen = []
    ingest(memory, stream(), on_step=lambda step: seen.append(len(taken)))

    assert seen == [BATCH, 2 * BATCH]
