"""What every command prints with: consoles, bars, JSON. It knows no command."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from os import PathLike
from typing import Any

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

WIDTH_MAX = 110
"""Columns beyond which lines are hard to read, so they stay empty."""

DIM = "dim"
"""Style of what stands beside the point."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def out() -> Console:
    """Standard output: colours only where a person looks on."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH_MAX)
    return console


def say(message: str) -> None:
    """One line on standard error."""
    typer.echo(clean(message), err=True)


def ask(question: str) -> str:
    """What a person answers; asked on standard error, so that stdout stays JSON.

    Raises:
        Abort: Nobody is there to answer.
    """
    typer.echo(f"{clean(question)} ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        raise typer.Abort
    return answer.strip()


def emit(as_json: bool, value: object, *shown: RenderableType) -> None:
    """Print *value* as JSON for a machine, or what is *shown* of it for a person."""
    if as_json:
        typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))
        return
    show(*shown)


def show(*shown: RenderableType) -> None:
    """Print for a person; text of ours is laid out, a bare string stays as it is."""
    console = out()
    for each in shown:
        with console.capture() as captured:
            console.print(each)
        printed = each if isinstance(each, str) else captured.get()
        for row in printed.splitlines():
            # Rich fills up a table's last column, which nobody wants in a file.
            typer.echo((safe(row) if isinstance(each, str) else row).rstrip())


def safe(text: str) -> str:
    """*text* without what could steer a terminal."""
    return _UNSAFE.sub(" ", text)


def clean(text: str) -> str:
    r"""*text* on one line, without what could steer a terminal; see `safe`.

    >>> clean("red:\x1b[31m\nnext")
    'red: [31m next'
    """
    return " ".join(safe(text).split())


def line(text: str, style: str = "") -> Text:
    """*text* on one line, cut off with an ellipsis where the screen ends."""
    return Text(clean(text), style, no_wrap=True, overflow="ellipsis")


def day(at: date | None) -> str:
    """A day as people write it; "" for none.

    >>> day(date(2026, 4, 7))
    '7 Apr 2026'
    """
    return "" if at is None else f"{at.day} {at:%b %Y}"


def bar(share: float, width: int = 8, style: str = "cyan") -> Text:
    """A bar of *width* columns, of which *share* in [0, 1] is filled.

    >>> bar(0.5, 4).plain in ("██░░", "##..")
    True
    """
    filled = round(max(0.0, min(share, 1.0)) * width)
    on, off = ("█", "░") if _draws_blocks() else ("#", ".")
    return Text.assemble((on * filled, style), (off * (width - filled), DIM))


def level(share: float, style: str = "cyan") -> Text:
    """A bar of one column that stands upright, for rows of several numbers.

    >>> level(0.5).plain in ("▅", "+")
    True
    """
    heights = "▁▂▃▄▅▆▇█" if _draws_blocks() else "_.-=+xX#"
    return Text(heights[min(int(max(share, 0.0) * 8), 7)], style)


def _draws_blocks() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")


def heading(text: str) -> Text:
    """What a part of the screen is about."""
    return Text(f"\n{text}", "bold")


def indented(*shown: RenderableType, by: int = 2) -> Padding:
    """The same, moved in under its heading."""
    return Padding(Group(*shown), (0, 0, 0, by))


def columns(*names: str, **options: Any) -> Table:
    """An open table: a row is a line, the last column takes what room is left."""
    table = Table(
        box=None,
        padding=(0, 2, 0, 0),
        show_header=any(names),
        header_style=DIM,
        expand=False,
        **options,
    )
    for name in names[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(names[-1], ratio=None, overflow="ellipsis")
    return table


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A bar on standard error, which isn't drawn where nobody looks on."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bars:
        bars.add_task(what, total=None)
        yield bars


def advance(bars: Progress, done: int, total: int | None = None) -> None:
    """Move the one bar of *bars* to *done*."""
    for task in bars.task_ids:
        bars.update(task, completed=done, total=total)


# ---------------------------------------------------------------- for a machine


def plain(value: object) -> Any:
    """*value* in JSON's own words; a time span stands in days, under such a name.

    >>> plain({"half_life": timedelta(hours=12), "at": None})
    {'half_life_days': 0.5, 'at': None}
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value / timedelta(days=1)
    if isinstance(value, PathLike):
        return str(value)
    if (fields := _fields(value)) is not None:
        return {
            f"{key}_days" if isinstance(each, timedelta) else str(key): plain(each)
            for key, each in fields.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def _fields(value: object) -> Mapping[Any, object] | None:
    """What a thing has by name; a vector is for no reader's eyes."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        named: dict[str, object] = value._asdict()
        return named
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value)]
        return {n: getattr(value, n) for n in names if n != "vector"}
    return None
