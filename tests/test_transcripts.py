"""Each format's own small file, read to the last value; and what holds for them all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.errors import TranscriptError
from psm_core.transcripts import read
from psm_core.types import Turn

FILES = Path(__file__).parent / "transcripts"
ALL = sorted(path.name for path in FILES.iterdir())
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text.strip(" \t\r\n\0")
)


def turns(name: str, conversation: str | None = None) -> list[Turn]:
    return list(read(FILES / name, conversation=conversation).turns)


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


# Each format ----------------------------------------------------------------------


def test_locomo_gives_both_people_and_their_pictures() -> None:
    """A LoCoMo file is read session by session, in the order of their numbers."""
    transcript = read(FILES / "locomo.json")

    assert (transcript.format, transcript.total) == ("locomo", 5)
    assert [turn.text for turn in transcript.turns] == [
        "I rented the plot by the canal.",
        "Look what I found in the shed. [shares an image: a rusty watering can]",
        "[shares an image: two gloves]",
        "The first crocus is out!",
        "Noon already.",
    ]


def test_locomo_names_times_and_sessions() -> None:
    """A LoCoMo turn has its sample's name in id and session, and its session's time."""
    first, *_, crocus, noon = turns("locomo.json")

    at = datetime(2024, 1, 9, 13, 30, tzinfo=UTC)
    assert first == Turn(
        text="I rented the plot by the canal.",
        speaker="Ines",
        role="user",
        at=at,
        session="garden-1/S2",
        id="garden-1/D2:1",
    )
    assert crocus.at == datetime(2024, 3, 1, 0, 5, tzinfo=UTC)
    assert (noon.at, noon.id) == (
        datetime(2024, 2, 29, 12, tzinfo=UTC),
        "garden-2/D2:1",
    )


def test_chatgpt_gives_the_branch_that_was_last_open() -> None:
    """A ChatGPT export gives what was shown and kept, the oldest conversation first."""
    transcript = read(FILES / "chatgpt.json")

    assert (transcript.format, transcript.total) == ("chatgpt", 5)
    assert [(t.session, t.id, t.role, t.text) for t in transcript.turns] == [
        ("c-old", "m1", "user", "What is 17 * 3?"),
        ("c-old", "m4", "assistant", "51."),
        ("c-bread", "b2", "user", "My starter is called Otto."),
        ("c-bread", "b3-regenerated", "assistant", "Feed Otto twice a day."),
        ("c-bread", "b4", "user", "This is he.\nAnd this is his jar."),
    ]


def test_a_chatgpt_message_without_a_time_takes_the_one_before() -> None:
    """A missing time is that of the message before, or the conversation's own."""
    bread = turns("chatgpt.json", "Bread")

    assert [t.at.timestamp() for t in bread if t.at] == [
        1709290000,
        1709290060,
        1709290060,
    ]


def test_chatgpt_without_a_current_node_gives_the_newest_branch(tmp_path: Path) -> None:
    """An export that doesn't say what was last open gives the last leaf's branch."""
    export = json.loads((FILES / "chatgpt.json").read_text())
    del export[0]["current_node"], export[0]["conversation_id"]
    path = written(tmp_path / "x", export)

    bread = list(read(path, conversation="Bread").turns)

    assert [t.id for t in bread] == ["b2", "b3-regenerated", "b4"]
    assert {t.session for t in bread} == {"b0"}


def test_claude_gives_words_and_what_was_pasted() -> None:
    """A Claude export gives what people wrote and pasted, but no notes on tools."""
    transcript = read(FILES / "claude.json")

    assert (transcript.format, transcript.total) == ("claude", 3)
    early, pasted, answer = transcript.turns
    assert early == Turn(
        "Am I early?",
        at=datetime(2024, 7, 1, 8, tzinfo=UTC),
        session="conv-early",
        id="e1",
    )
    assert pasted.text == "I moved to Lyon.\n\n[attaches boxes.txt]\n12 boxes"
    assert pasted.at == datetime(2025, 2, 1, 9, 0, 1, 250000, tzinfo=UTC)
    assert (answer.role, answer.text) == ("assistant", "Let me look.\n\nWelcome.")


def test_longmemeval_gives_the_haystack_in_order() -> None:
    """A LongMemEval item gives its sessions by date, without question and answer."""
    transcript = read(FILES / "longmemeval.json")

    assert (transcript.format, transcript.total) == ("longmemeval", 3)
    assert [(t.id, t.text) for t in transcript.turns] == [
        ("q7/s_early/1", "I planted leeks."),
        ("q7/s_early/3", "Are you there?"),
        ("q7/s_late/1", "The leeks are up."),
    ]
    assert turns("longmemeval.json")[0].at == datetime(2023, 5, 20, 2, 21, tzinfo=UTC)
    assert turns("longmemeval.json")[0].session == "q7/s_early"


def test_a_haystack_with_one_session_twice_has_no_id_twice(tmp_path: Path) -> None:
    """Two sessions of one name go on counting, so that no turn hides another."""
    [item] = json.loads((FILES / "longmemeval.json").read_text())
    item["haystack_session_ids"] = ["s", "s"]
    path = written(tmp_path / "x", item)

    assert [t.id for t in read(path).turns] == ["q7/s/1", "q7/s/3", "q7/s/4"]


def test_langchain_gives_every_role() -> None:
    """A dump of messages gives the words of people, model, system and tools."""
    transcript = read(FILES / "langchain.json")

    assert (transcript.format, transcript.total) == ("langchain", 5)
    assert [(t.role, t.speaker, t.text) for t in transcript.turns] == [
        ("system", "system", "Be brief."),
        ("user", "Mira", "My cat is Mog."),
        ("tool", "note", "noted"),
        ("assistant", "", "A fine name.\nHello, Mog."),
        ("user", "", "Bye."),
    ]
    assert {(t.session, t.at) for t in turns("langchain.json")} == {("langchain", None)}


def test_langchain_reads_serialised_messages() -> None:
    """What `dumpd` writes is read like what `messages_to_dict` writes."""
    first, second = turns("dumpd.json")

    assert (first.role, first.text, first.id) == ("user", "My cat is Mog.", "h1")
    assert (second.role, second.text) == ("assistant", "A fine name.")


def test_the_bare_list_of_chat_models_is_read() -> None:
    """Roles and contents alone are a chat, and a call without words is no turn."""
    assert [(t.role, t.text) for t in turns("roles.json")] == [
        ("system", "Be brief."),
        ("user", "My cat is Mog."),
        ("assistant", "A fine name."),
    ]


def test_what_langchain_itself_dumps_is_read(tmp_path: Path) -> None:
    """The installed LangChain's own three ways to dump messages give one chat."""
    messages = pytest.importorskip("langchain_core.messages")
    load = pytest.importorskip("langchain_core.load")
    chat = [
        messages.SystemMessage("Be brief."),
        messages.HumanMessage("My cat is Mog.", id="h1"),
        messages.AIMessage([{"type": "text", "text": "A fine name."}]),
        messages.ToolMessage("noted", tool_call_id="t", name="note"),
    ]
    dumps: list[list[Any]] = [
        messages.messages_to_dict(chat),
        load.dumpd(chat),
        [message.model_dump() for message in chat],
    ]

    first, *others = [
        list(read(written(tmp_path / "chat.json", dump)).turns) for dump in dumps
    ]

    assert [t.role for t in first] == ["system", "user", "assistant", "tool"]
    assert all(other == first for other in others)


def test_messages_are_read_from_lines_as_from_a_list(tmp_path: Path) -> None:
    """One message a line gives the same turns, with the same ids, as a list of them."""
    messages = json.loads((FILES / "langchain.json").read_text())
    path = written(tmp_path / "langchain.jsonl", *messages)

    transcript = read(path)

    assert (transcript.format, transcript.total) == ("langchain", None)
    assert list(transcript.turns) == turns("langchain.json")


def test_one_conversation_a_line_gives_one_session_each(tmp_path: Path) -> None:
    """Lines of `messages` are conversations, and one of them can be asked for."""
    chats = [
        {"messages": [{"role": "user", "content": text}]} for text in ("One.", "Two.")
    ]
    path = written(tmp_path / "chats.jsonl", *chats)

    assert [t.session for t in read(path).turns] == ["chats", "chats-2"]
    assert [t.text for t in read(path, conversation="chats-2").turns] == ["Two."]


def test_json_lines_say_all_that_a_turn_has() -> None:
    """Each key of a line becomes what it is called in a turn; only the text must be."""
    transcript = read(FILES / "turns.jsonl")

    assert (transcript.format, transcript.total) == ("json-lines", None)
    first, second, third, fourth = transcript.turns
    assert first == Turn(
        text="I moved to Lyon.",
        speaker="Mira",
        at=datetime.fromisoformat("2026-03-03T20:12:07+01:00"),
        session="s1",
        id="a1",
    )
    assert second == Turn(
        text="How is it?",
        speaker="Juno",
        role="assistant",
        at=datetime(2026, 3, 3, 19, 12, 10, 500000, tzinfo=UTC),
        session="s1",
        id="2",
    )
    assert (third.text, third.role, third.at, third.session) == (
        "Hm.",
        "user",
        None,
        "default",
    )
    assert len({third.id, fourth.id}) == 2


# All formats ----------------------------------------------------------------------


def test_every_format_has_a_file_here() -> None:
    """No format is offered that this page doesn't read."""
    from psm_core.transcripts import FORMATS

    assert {read(FILES / name).format for name in ALL} == {f.name for f in FORMATS}


@pytest.mark.parametrize("name", ALL)
def test_reading_twice_gives_the_same_turns(name: str) -> None:
    """An import that was cut off can go on, since each turn keeps its own id."""
    once, again = turns(name), turns(name)

    assert once == again
    assert len({turn.id for turn in once}) == len(once)
    assert all(turn.id for turn in once)


@pytest.mark.parametrize("name", ALL)
def test_the_name_of_a_file_decides_nothing(name: str, tmp_path: Path) -> None:
    """A file under another name is read alike, and keeps its ids."""
    path = tmp_path / "history.bin"
    path.write_bytes((FILES / name).read_bytes())

    transcript = read(path)

    assert transcript.format == read(FILES / name).format
    assert [(t.id, t.text) for t in transcript.turns] == [
        (t.id, t.text) for t in turns(name)
    ]


@pytest.mark.parametrize("name", [n for n in ALL if n.endswith(".json")])
def test_indented_or_on_one_line_is_the_same(name: str, tmp_path: Path) -> None:
    """How a document is laid out changes nothing."""
    path = written(tmp_path / name, json.loads((FILES / name).read_text()))

    assert list(read(path).turns) == turns(name)


@pytest.mark.parametrize(
    ("name", "conversation", "expected"),
    [
        ("locomo.json", "garden-2", ["Noon already."]),
        ("chatgpt.json", "c-old", ["What is 17 * 3?", "51."]),
        ("claude.json", "conv-early", ["Am I early?"]),
        ("turns.jsonl", "s1", ["I moved to Lyon.", "How is it?"]),
        ("longmemeval.json", "q7", None),
        ("langchain.json", "langchain", None),
    ],
)
def test_one_conversation_can_be_asked_for(
    name: str, conversation: str, expected: list[str] | None
) -> None:
    """Only the conversation that was asked for is read, and counted."""
    transcript = read(FILES / name, conversation=conversation)
    texts = [turn.text for turn in transcript.turns]

    assert texts == (expected or [turn.text for turn in turns(name)])
    assert transcript.total in (len(texts), None)


def test_a_conversation_that_is_nowhere_is_refused() -> None:
    """The message says which conversations there are instead."""
    with pytest.raises(
        TranscriptError, match=r"'Cake'; found c-old, c-bread$"
    ) as fault:
        turns("chatgpt.json", "Cake")
    assert str(fault.value).startswith("chatgpt.json holds no conversation")


def test_lines_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    """Lines are never held whole: what comes later may even be written later."""
    path = written(tmp_path / "x", {"text": "One."}, {"text": "Two."})
    stream: Iterator[Turn] = read(path).turns
    assert next(stream).text == "One."

    with path.open("a") as file:
        # More than any buffer, so that only reading on can find it.
        file.writelines(f'{{"text": "{n}{"." * 1000}"}}\n' for n in range(1000))

    assert sum(1 for _ in stream) == 1001


# Any text -------------------------------------------------------------------------


@given(st.lists(st.fixed_dictionaries({"text": WORDS, "session": WORDS})))
def test_any_text_survives_json_lines(said: list[dict[str, str]]) -> None:
    """Whatever was said is read as it was said, in both of JSON's spellings."""
    for ascii_only in (True, False):
        lines = [json.dumps(line, ensure_ascii=ascii_only) + "\n" for line in said]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "x")
            path.write_text('{"text": "first"}\n' + "".join(lines), encoding="utf-8")
            _, *read_back = read(path).turns
        assert [{"text": t.text, "session": t.session} for t in read_back] == said


@given(st.lists(st.sampled_from(["yes", "no", "well"]), min_size=1), st.data())
def test_a_history_that_grew_keeps_its_ids(
    said: list[str], data: st.DataObject
) -> None:
    """Reading the first lines alone gives the ids that they have in the whole."""
    fewer = data.draw(st.integers(1, len(said)))
    for key in ("text", "content"):
        lines = [{"role": "user", key: text} for text in said]
        with tempfile.TemporaryDirectory() as folder:
            ids = [t.id for t in read(written(Path(folder, "x"), *lines)).turns]
            path = written(Path(folder, "x"), *lines[:fewer])
            assert [t.id for t in read(path).turns] == ids[:fewer]
        assert len(set(ids)) == len(said)
