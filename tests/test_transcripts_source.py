"""Where a transcript comes from: encodings, and the zips that vendors send."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pytest

from psm_core.errors import TranscriptError
from psm_core.transcripts import read

FILES = Path(__file__).parent / "transcripts"


def refusal(path: Path) -> str:
    """What the fault says."""
    with pytest.raises(TranscriptError) as fault:
        list(read(path).turns)
    return str(fault.value)


# Encodings ------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("indent", [None, 1])
def test_utf8_and_utf16_are_read_alike(
    encoding: str, indent: int | None, tmp_path: Path
) -> None:
    """Lines and documents may be UTF-8, with a mark or without, or UTF-16 with one."""
    messages = [
        {"role": "user", "content": text} for text in ("Ça va ?", "猫 🐈 \u2028")
    ]
    lines = [json.dumps(m, ensure_ascii=False) for m in messages]
    document = json.dumps(messages, ensure_ascii=False, indent=indent)
    path = tmp_path / "chat"

    for content in (document, "\r\n".join(lines)):
        path.write_bytes(content.encode(encoding))
        assert [t.text for t in read(path).turns] == ["Ça va ?", "猫 🐈 \u2028"]


def test_half_of_a_character_pair_is_replaced(tmp_path: Path) -> None:
    """A message cut inside an emoji is read, and can be stored; whole pairs stay."""
    path = tmp_path / "chat.jsonl"
    path.write_text(
        r'{"text": "cut \ud83d", "speaker": "\udc08", "id": "\ud83d\udc08"}'
    )

    [turn] = read(path).turns

    assert (turn.text, turn.speaker, turn.id) == ("cut \ufffd", "\ufffd", "🐈")


# Zips -----------------------------------------------------------------------------


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in members.items():
            archive.writestr(name, (FILES / source).read_bytes())
    return path


@pytest.mark.parametrize("name", ["chatgpt.json", "claude.json"])
def test_an_export_is_read_from_its_zip(name: str, tmp_path: Path) -> None:
    """What both vendors send can be read as it came."""
    members = {"export/conversations.json": name, "users.json": "roles.json"}
    path = zipped(tmp_path / "export.zip", **members)

    transcript = read(path)

    assert transcript.format == name.removesuffix(".json")
    assert list(transcript.turns) == list(read(FILES / name).turns)


def test_an_export_in_parts_is_one_history(tmp_path: Path) -> None:
    """A large export's numbered parts are read together, the oldest first."""
    bread, old = json.loads((FILES / "chatgpt.json").read_text())
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conversations-000.json", json.dumps([bread]))
        archive.writestr("conversations-001.json", json.dumps([old, None]))

    turns = read(path).turns
    for expected in read(FILES / "chatgpt.json").turns:
        assert next(turns) == expected
    with pytest.raises(TranscriptError) as fault:
        next(turns)

    assert str(fault.value).startswith(
        "export.zip/conversations-001.json, conversation 2: the conversation is missing"
    )


def test_a_zip_without_conversations_is_refused(tmp_path: Path) -> None:
    """The message says what the zip holds instead."""
    path = zipped(tmp_path / "export.zip", **{"my_conversations.json": "claude.json"})

    assert refusal(path) == (
        "export.zip holds no conversations.json, as a ChatGPT or Claude export does; "
        "found my_conversations.json"
    )


def directory_entry(content: bytes) -> int:
    """Where the zip's own directory describes its first member."""
    return content.index(b"PK\x01\x02")


def test_a_zip_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    """A zip bomb is refused by the size it claims, before a byte is unpacked."""
    path = zipped(tmp_path / "bomb.zip", **{"conversations.json": "claude.json"})
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, directory_entry(content) + 24, 3_000_000_000)
    path.write_bytes(content)

    assert refusal(path).startswith(
        "bomb.zip would unpack to 3,000,000,000 bytes; at most 2,147,483,648 are read"
    )


def test_a_zip_that_claims_too_little_is_refused(tmp_path: Path) -> None:
    """No more is unpacked than was claimed, and then the zip counts as damaged."""
    path = zipped(tmp_path / "liar.zip", **{"conversations.json": "claude.json"})
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, directory_entry(content) + 24, 100)
    path.write_bytes(content)

    assert refusal(path).startswith("liar.zip is a damaged zip: Bad CRC-32")


def test_a_locked_zip_is_refused(tmp_path: Path) -> None:
    """A zip with a password says so."""
    path = zipped(tmp_path / "locked.zip", **{"conversations.json": "claude.json"})
    content = bytearray(path.read_bytes())
    content[directory_entry(content) + 8] |= 1
    path.write_bytes(content)

    assert refusal(path).startswith("locked.zip is locked with a password; unpack")


def test_a_zip_that_broke_off_is_refused(tmp_path: Path) -> None:
    """A download that was cut off says so."""
    path = zipped(tmp_path / "half.zip", **{"conversations.json": "claude.json"})
    path.write_bytes(path.read_bytes()[:200])

    assert refusal(path).startswith("half.zip is a damaged zip: ")
