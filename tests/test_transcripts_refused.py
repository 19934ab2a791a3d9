"""What can't be read: every refusal names the file, the place and the way out."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_core.errors import TranscriptError
from psm_core.transcripts import read
from psm_core.transcripts.chatgpt import turns as chatgpt_turns
from psm_core.transcripts.checks import Choice, Row
from psm_core.transcripts.claude import turns as claude_turns
from psm_core.transcripts.jsonl import turns as jsonl_turns
from psm_core.transcripts.langchain import turns as langchain_turns
from psm_core.transcripts.locomo import turns as locomo_turns
from psm_core.transcripts.longmemeval import turns as longmemeval_turns

FILES = Path(__file__).parent / "transcripts"
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def refusal(path: Path) -> tuple[list[str], str]:
    """The texts that come before the fault, and what the fault says."""
    texts: list[str] = []
    with pytest.raises(TranscriptError) as fault:
        for turn in read(path).turns:
            texts.append(turn.text)
    return texts, str(fault.value)


def spoilt(name: str, at: list[Any], value: object, tmp_path: Path) -> Path:
    """A copy of one of our files in which one value is another."""
    document = inner = json.loads((FILES / name).read_text())
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    path = tmp_path / name
    path.write_text(json.dumps(document))
    return path


# Places in structured files -------------------------------------------------------

LYON = [0, "chat_messages", 0]
BREAD = [0, "mapping"]
SHED = [0, "conversation", "session_2", 1]


@pytest.mark.parametrize(
    ("name", "at", "value", "before", "message"),
    [
        ("locomo.json", [1], None, 4, "conversation 2: the item is missing"),
        ("locomo.json", [1, "sample_id"], 3, 4, "conversation 2: its sample_id is a n"),
        (
            "locomo.json",
            [0, "conversation", "session_10_date_time"],
            "2024-03-01",
            3,
            "conversation 1, session 10: its date_time is '2024-03-01'; it must be "
            "written like '1:56 pm on 8 May, 2023'",
        ),
        (
            "locomo.json",
            [0, "conversation", "session_10_date_time"],
            "12:05 am on 31 February, 2024",
            3,
            "conversation 1, session 10: its date_time is '12:05 am on 31 F",
        ),
        ("locomo.json", SHED, [], 1, "session 2, message 2: the message is a list"),
        ("locomo.json", [*SHED, "dia_id"], None, 1, "message 2: its dia_id is missing"),
        (
            "locomo.json",
            [0, "conversation", "session_2", 0, "text"],
            "",
            0,
            "conversation 1, session 2, message 1: the text of a turn is empty",
        ),
        ("chatgpt.json", [0], 7, 2, "conversation 1: the conversation is a number"),
        ("chatgpt.json", BREAD, [], 2, "conversation 1: its mapping is a list"),
        (
            "chatgpt.json",
            [*BREAD, "b2", "parent"],
            "b9",
            2,
            "conversation 1: its mapping lacks the node 'b9'",
        ),
        (
            "chatgpt.json",
            [*BREAD, "b0", "parent"],
            "b2",
            2,
            "conversation 1: its mapping goes round in a circle at 'b2'",
        ),
        (
            "chatgpt.json",
            [*BREAD, "b4", "message", "author"],
            None,
            4,
            "conversation 1, message 5: its author is missing",
        ),
        (
            "chatgpt.json",
            [*BREAD, "b3-regenerated", "message", "create_time"],
            1e30,
            3,
            "conversation 1, message 4: its create_time is '1e+30', which is no time",
        ),
        (
            "chatgpt.json",
            [0, "create_time"],
            True,
            2,
            "conversation 1: its create_time is a truth value",
        ),
        ("claude.json", [0], "x", 1, "conversation 1: the conversation is a string"),
        ("claude.json", [0, "uuid"], None, 1, "conversation 1: its uuid is missing"),
        (
            "claude.json",
            [0, "chat_messages", 1, "sender"],
            "robot",
            2,
            "conversation 1, message 2: its sender is 'robot'; it must be human or",
        ),
        (
            "claude.json",
            [*LYON, "created_at"],
            "2025-02-01T09:00:01",
            1,
            "conversation 1, message 1: its created_at is '2025-02-01T09:00:01', which "
            "names no timezone",
        ),
        (
            "claude.json",
            [*LYON, "content", 0, "text"],
            None,
            1,
            "conversation 1, message 1: a block's text is missing",
        ),
        (
            "claude.json",
            [*LYON, "attachments", 0],
            "boxes.txt",
            1,
            "conversation 1, message 1: an attachment is a string",
        ),
        (
            "longmemeval.json",
            [0, "haystack_dates", 0],
            "yesterday",
            2,
            "conversation 1, session 1: its date is 'yesterday'",
        ),
        (
            "longmemeval.json",
            [0, "haystack_session_ids"],
            ["s"],
            0,
            "conversation 1: it has 2 dates and 1 ids for 2 sessions",
        ),
        (
            "longmemeval.json",
            [0, "haystack_sessions", 0, 0, "role"],
            "oracle",
            2,
            "conversation 1, session 1, message 1: the role of a turn is 'oracle'",
        ),
        ("langchain.json", [3], None, 2, "message 4: the message is missing"),
        (
            "langchain.json",
            [3, "type"],
            "robot",
            2,
            "message 4: its role is 'robot'; it must be one of human, user, ai,",
        ),
        ("langchain.json", [3, "data"], [], 2, "message 4: its data is a list"),
        (
            "langchain.json",
            [4, "data", "content", 0, "text"],
            7,
            3,
            "message 5: a block's text is a number",
        ),
        ("dumpd.json", [1, "kwargs"], None, 1, "message 2: its kwargs is missing"),
        ("dumpd.json", [1, "id"], [], 1, "message 2: its role is missing"),
        (
            "roles.json",
            ["messages", 1, "content"],
            {"text": "Hi."},
            1,
            "conversation 1, message 2: its content is an object",
        ),
    ],
)
def test_a_fault_is_named_by_its_place(
    tmp_path: Path,
    *,
    name: str,
    at: list[Any],
    value: object,
    before: int,
    message: str,
) -> None:
    """A spoilt value is refused where it stands, and all before it is given first."""
    path = spoilt(name, at, value, tmp_path)

    texts, fault = refusal(path)

    assert len(texts) == before
    assert fault.startswith(f"{name}, ")
    assert message in fault
    assert read(path).total is None


# Lines ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": ""}', "line 3: the text of a turn is empty"),
        ('{"text": " \\u0000"}', "line 3: the text of a turn is empty"),
        ('{"speaker": "Mira"}', "line 3: the text is missing; every turn has one"),
        ('{"text": 7}', "line 3: the text is a number; it must be a string"),
        ('{"text": "Hi.", "role": "boss"}', "line 3: the role of a turn is 'boss'"),
        ('{"text": "Hi.", "session": true}', "line 3: the session is a truth value"),
        ('{"text": "Hi.", "id": []}', "line 3: the id is a list"),
        ('{"text": "Hi.", "at": "soon"}', "line 3: at is 'soon', which is no time"),
        ('{"text": "Hi.", "at": NaN}', "line 3: at is 'nan', which is no time"),
        ('{"text": "Hi.", "at": 1772565127000}', "line 3: at is '1772565127000', whi"),
        ('{"text": "Hi.", "at": {}}', "line 3: at is an object; write it as ISO 8601"),
        (
            '{"text": "Hi.", "at": "2026-03-03T20:12"}',
            "line 3: at is '2026-03-03T20:12', which names no timezone; write the "
            "offset too, for example 2026-03-03T20:12:00+01:00, or Unix seconds",
        ),
        (
            '{"text": "Hi.", "at": "0001-01-01T00:00+14:00"}',
            "line 3: at is '0001-01-01T00:00+14:00', which is no time",
        ),
        ('{"text": "Hi."', "line 3, column 15: it isn't JSON: Expecting ',' delim"),
        ('{"text": "Hi."} {}', "line 3, column 17: it isn't JSON: Extra data"),
        ("[" * 100_000, "line 3: it is no chat: maximum recursion depth"),
        (f'{{"at": {"7" * 5000}}}', "line 3: it is no chat: Exceeds the limit"),
        ("null", "line 3: the turn is missing; it must be an object"),
    ],
)
def test_a_spoilt_line_is_named_by_its_number(
    line: str, message: str, tmp_path: Path
) -> None:
    """A line that can't be a turn is refused by its number; blank lines count."""
    path = tmp_path / "chat.jsonl"
    path.write_text(f'{{"text": "One."}}\n\n{line}\n{{"text": "Two."}}\n')

    texts, fault = refusal(path)

    assert texts == ["One."]
    assert fault.startswith("chat.jsonl, ")
    assert message in fault


def test_a_single_empty_line_is_named_too(tmp_path: Path) -> None:
    """A file of one line is still a file of lines."""
    path = tmp_path / "chat.jsonl"
    path.write_text('{"text": ""}')

    assert refusal(path)[1].startswith("chat.jsonl, line 1: the text of a turn is empt")


def test_a_byte_that_is_not_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    """A line in another encoding is refused, and what stands before it is given."""
    path = tmp_path / "chat.jsonl"
    path.write_bytes(b'{"text": "One."}\n{"text": "caf\xe9"}\n')
    assert refusal(path) == (
        ["One."],
        "chat.jsonl, line 2: it isn't UTF-8; save it as UTF-8",
    )

    path.write_bytes(b'[\n{"text": "One."},\n{"text": "caf\xe9"}]')
    assert refusal(path)[1] == "chat.jsonl, line 3: it isn't UTF-8; save it as UTF-8"


# Whole files ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "found nothing;"),
        (" \n\n", "found nothing;"),
        ("03/03/26, 20:12 - Mira: Hello", "found text that isn't JSON;"),
        ("[]", "found an empty list;"),
        ("[1, 2]", "found a number;"),
        ('{"b": 1, "a": 2}', "found an object with the keys b, a;"),
        ('{"a": 1}\n{"a": 2}', "found an object with the keys a;"),
        ("{}", "found an object with the keys (none);"),
        (f'{{"{"k" * 50}": 1}}', f"found an object with the keys {'k' * 39}…;"),
    ],
)
def test_an_unknown_format_is_refused(content: str, found: str, tmp_path: Path) -> None:
    """The message names the formats that are known, what was found, and the way out."""
    path = tmp_path / "notes.txt"
    path.write_text(content)

    with pytest.raises(TranscriptError) as fault:
        read(path)

    known = "locomo, chatgpt, claude, longmemeval, langchain, json-lines"
    assert str(fault.value).startswith(
        f"notes.txt is in no format that is known ({known}); {found}"
    )
    assert '{"text": "Hello.", "speaker": "Mira", ' in str(fault.value)


def test_a_document_that_breaks_off_is_named_by_line_and_column(tmp_path: Path) -> None:
    """A download that was cut off says where it ends."""
    path = tmp_path / "conversations.json"
    path.write_text('[\n  {"mapping": {}},\n  {"map')

    assert refusal(path) == (
        [],
        "conversations.json, line 3, column 4: it isn't JSON: Unterminated string "
        "starting at",
    )


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    """A wrong path is what Python says of any wrong path."""
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "chat.json")


# Anything -------------------------------------------------------------------------

FORMATS = (
    (chatgpt_turns, "chatgpt.json"),
    (claude_turns, "claude.json"),
    (jsonl_turns, "turns.jsonl"),
    (langchain_turns, "langchain.json"),
    (locomo_turns, "locomo.json"),
    (longmemeval_turns, "longmemeval.json"),
)


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a JSON value."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [at, *(p for key, v in inner for p in places(v, (*at, key)))]


@pytest.mark.parametrize(("reader", "name"), FORMATS)
@given(data=st.data())
def test_no_value_makes_a_reader_stumble(
    reader: Any, name: str, data: st.DataObject
) -> None:
    """Whatever stands in any place, it is read or refused with the place; no crash."""
    content = (FILES / name).read_text()
    if name.endswith("jsonl"):
        content = f"[{','.join(line for line in content.splitlines() if line)}]"
    document = inner = json.loads(content)
    *way, last = data.draw(st.sampled_from(places(document)[1:]))
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(JSON)
    rows = [Row(f"x, row {n}", value) for n, value in enumerate(document, 1)]

    try:
        for turn in reader(rows, Choice("x")):
            turn.text.encode()
    except TranscriptError as fault:
        assert str(fault).startswith("x, row ")  # noqa: PT017


@given(st.sampled_from(sorted(FILES.iterdir())), st.data())
def test_a_file_that_breaks_off_anywhere_is_read_up_to_there(
    path: Path, data: st.DataObject
) -> None:
    """The first part of a file gives the first turns of the whole, or is refused."""
    content = path.read_bytes()
    size = data.draw(st.integers(0, len(content)))
    whole = [turn.text for turn in read(path).turns]
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, path.name)
        part.write_bytes(content[:size])

        texts: list[str] = []
        with contextlib.suppress(TranscriptError):
            texts.extend(turn.text for turn in read(part).turns)

    assert texts == whole[: len(texts)]


@given(st.binary() | st.text().map(str.encode) | JSON.map(json.dumps).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Whatever a file holds, nothing but a `TranscriptError` comes of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(content)
        with contextlib.suppress(TranscriptError):
            list(read(path).turns)
