"""How the demo looks: seven parts, a minute to read, every line from the memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from psm_core.acts.explain import duration
from psm_core.cli.screen import (
    DIM,
    bar,
    clean,
    columns,
    day,
    heading,
    indented,
    level,
    line,
)
from psm_core.cli.tables import ACTION, NOTHING, by_tier, some
from psm_core.demo.play import LATER
from psm_core.demo.scenes import Fading, Lesson, Play, Proven, Sides
from psm_core.types import Action, Recall

MOVED = 0.5
"""Emotional weight from which on it is worth a word, in [0, 1]."""

TURNS_SHOWN = 3
"""Turns that are shown of those a fact rests on."""


def shown(play: Play) -> RenderableType:
    """The whole demo, from top to bottom."""
    return Group(
        *_opening(play),
        heading("1  What the gate made of what was said"),
        indented(*_gate(play)),
        heading("2  One question, before and after a sleep"),
        indented(*_recalls(play)),
        heading("3  A fact, and the turns it rests on"),
        indented(*_proof(play.fact)),
        heading("4  What changed, and what may not both be true"),
        indented(*_sides(play.update), *_sides(play.contradiction)),
        heading("5  How memories fade"),
        indented(_fading(play.fading)),
        heading("6  What feedback does"),
        indented(*_lessons(play.question, play.lessons)),
        heading("7  What a language model would be given"),
        indented(*_prompt(play.prompt)),
        *_closing(),
    )


def _opening(play: Play) -> Iterable[RenderableType]:
    yield Text.assemble(
        ("PSM", "bold cyan"),
        " keeps what matters of what was said, sleeps on it, forgets, and says why.",
    )
    yield line(
        f"{play.turns} turns of {play.user}'s life, {play.first.day} "
        f"{play.first:%b} to {day(play.last)}; {play.encoder}, no LLM; "
        f"{play.seconds:.0f} s.",
        DIM,
    )


def _gate(play: Play) -> Iterable[RenderableType]:
    table = columns("", "", "")
    for turn, decision in play.judged:
        moved = decision.emotion >= MOVED
        emotion = f", emotion {decision.emotion:.2f}" if moved else ""
        table.add_row(
            Text(decision.action, ACTION[decision.action]),
            bar(decision.strength, 4),
            Group(
                line(f"{turn.speaker}: {turn.text}"),
                line(f"{decision.reason}{emotion}", DIM),
            ),
        )
    yield table
    totals = ", ".join(f"{play.gate[action]} {action}" for action in Action)
    yield line(f"Of all {play.turns} turns: {totals}. Nothing is deleted.", DIM)


def _recalls(play: Play) -> Iterable[RenderableType]:
    yield line(f"“{play.morning.cue}”", "italic")
    for when, found in (("before", play.evening), ("after", play.morning)):
        yield line(f"{when} the sleep of {day(found.at)}", "yellow")
        yield _hits(found)
    facts = sum(sleep.facts for sleep in play.sleeps)
    conflicts = sum(sleep.conflicts for sleep in play.sleeps)
    yield line(
        f"{len(play.sleeps)} sleeps: {facts} facts, {conflicts} conflicts; "
        f"now {by_tier(play.tiers)}.",
        DIM,
    )


def _hits(found: Recall) -> RenderableType:
    if not found.hits:
        return line(NOTHING)
    table = columns("", "", "", "")
    for hit in found.hits:
        table.add_row(
            bar(hit.score, 6), Text(hit.tier, DIM), day(hit.said_at), line(hit.text)
        )
    return table


def _proof(fact: Proven | None) -> Iterable[RenderableType]:
    if fact is None:
        yield line("No sleep found a fact.")
        return
    entry, turns = fact
    yield line(entry.text, "bold")
    yield line(
        f"{entry.kind}, confidence {entry.confidence:.2f}, said {entry.mentions} "
        f"times since {day(entry.said_at)}",
        DIM,
    )
    table = columns("", "", "")
    for turn in turns[:TURNS_SHOWN]:
        table.add_row(Text(turn.id, DIM), day(turn.at), line(f"“{turn.text}”"))
    yield table
    if more := turns[TURNS_SHOWN:]:
        names = some([turn.id for turn in more], len(more))
        yield line(f"and {len(more)} more: {names}", DIM)


def _sides(sides: Sides | None) -> Iterable[RenderableType]:
    if sides is None:
        return
    conflict, new, old = sides
    yield Text.assemble(
        (conflict.kind, "bold red"),
        f" {conflict.confidence:.2f}: {conflict.reason}; {conflict.status}",
    )
    table = columns("", "", "")
    for name, (entry, turns) in (("old", old), ("new", new)):
        until = f" (until {day(entry.valid_until)})" if entry.valid_until else ""
        said = [line(f"{turn.id} “{turn.text}”", DIM) for turn in turns[:1]]
        table.add_row(
            name, day(entry.said_at), Group(line(f"{entry.text}{until}"), *said)
        )
    yield table


def _fading(memories: Sequence[Fading]) -> RenderableType:
    table = columns("", "")
    for what, entry, left in memories:
        half_life = f"half: {duration(entry.trace.half_life)}"
        strengths = [
            part
            for later, share in zip(LATER, left, strict=True)
            for part in (_when(later), level(share), f" {share:.2f}   ")
        ]
        table.add_row(
            Group(Text(what, "yellow"), Text(half_life, DIM)),
            Group(line(entry.text), Text.assemble(*strengths)),
        )
    return table


def _when(later: timedelta) -> tuple[str, str]:
    return (f"{later.days} d " if later else "now ", DIM)


def _lessons(question: Recall, lessons: Iterable[Lesson]) -> Iterable[RenderableType]:
    yield line(f"“{question.cue}”", "italic")
    table = columns("", "", "", "")
    for outcome, entry, before, after in lessons:
        table.add_row(
            Text(outcome, "green" if after > before else "red"),
            bar(after, 6),
            f"{before:.2f} → {after:.2f}",
            clean(f"{entry.speaker}: {entry.text}"),
        )
    yield table


def _prompt(found: Recall) -> Iterable[RenderableType]:
    yield line(f"“{found.cue}”", "italic")
    yield Panel(Text(found.as_context() or NOTHING), box=ROUNDED, border_style=DIM)


def _closing() -> Iterable[RenderableType]:
    yield Text.assemble(
        "\nNow yours: ", ("psm ingest conversations.json --user you", "bold cyan")
    )
