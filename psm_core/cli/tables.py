"""How each answer looks on a screen. Nothing is asked or decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from psm_core.acts.explain import duration
from psm_core.cli.screen import DIM, bar, clean, columns, day, indented, line, plain
from psm_core.ingest import Ingested
from psm_core.offers import Offer
from psm_core.plugins import Plugin
from psm_core.types import (
    Action,
    Change,
    Conflict,
    Entry,
    Erasure,
    Fault,
    GateDecision,
    Hit,
    Recall,
    SleepReport,
    Tier,
    Turn,
)

Pair = tuple[Conflict, tuple[Entry, float], tuple[Entry, float]]
"""A conflict, and each side with what it has retained: the new one first."""

ACTION = {Action.KEEP: "green", Action.DEFER: "yellow", Action.ARCHIVE: DIM}
"""Colours of what the gate does."""

STORED = (Tier.EPISODIC, Tier.SEMANTIC, Tier.ARCHIVAL)
"""The tiers that are on the disk, from the freshest to the coldest."""

NOTHING = "Nothing fits."
"""What a recall says that found nothing."""


def judged(turns: Iterable[tuple[Turn, GateDecision]]) -> Table:
    """What the gate makes of each turn, and why."""
    table = columns("", "strength", "fades", "what was said, and why")
    for turn, decision in turns:
        table.add_row(
            Text(decision.action, ACTION[decision.action]),
            bar(decision.strength, 6),
            duration(decision.half_life),
            Group(
                line(f"{turn.speaker or turn.role}: {turn.text}"),
                line(decision.reason, DIM),
            ),
        )
    return table


def ingested(done: Ingested, user: str, *, dry_run: bool) -> RenderableType:
    """What became of a chat history, in a few lines."""
    known = f", {done.known:,} known" if done.known else ""
    where = "Nothing was stored" if dry_run else f"In the memory of {user}"
    lines = [line(f"{where}: {done.new:,} new{known}.", "bold")]
    if done.new:
        fates = f"{done.kept:,} kept, {done.deferred:,} deferred"
        lines.append(line(f"New: {fates}, {done.archived:,} archived.", DIM))
    source = f"{done.turns:,} turns, {done.conversations:,} conversation(s)"
    lines.append(line(f"Read: {source}, {done.format}.", DIM))
    if done.new and not dry_run:
        lines.append(line(f"Next, psm sleep --user {user} makes facts of it."))
    return Group(*lines)


# ----------------------------------------------------------------------- recall


def recall(found: Recall) -> RenderableType:
    """The hits, best first: score and words, then where they come from, then why."""
    if not found.hits:
        return line(NOTHING)
    table = columns("", "")
    for hit in found.hits:
        table.add_row(
            measured(hit.score),
            Group(line(hit.text), *(line(each, DIM) for each in _about(hit))),
        )
    return table


def _about(hit: Hit) -> Iterable[str]:
    strength = f"strength {hit.strength:.2f}" + ", pinned" * hit.pinned
    yield " · ".join([hit.id, hit.tier, strength, day(hit.said_at), hit.speaker])
    rests_on = "" if hit.sources == (hit.id,) else f"from {some(hit.sources)} · "
    yield f"{rests_on}{hit.explanation}"


def context(found: Recall) -> str:
    """What goes into a prompt, letter by letter."""
    return found.as_context() or NOTHING


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of *names*, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# ------------------------------------------------------------------------ sleep


def slept(report: SleepReport) -> RenderableType:
    """One sleep in counts, and its changes with their reasons."""
    counts = (
        f"{report.episodes:,} episodes read, {report.rehearsed:,} rehearsed, "
        f"{report.facts:,} facts, {report.merged:,} merged, "
        f"{report.conflicts:,} conflicts, {report.reinforced:,} reinforced, "
        f"{report.condensed:,} condensed, {report.archived:,} archived, "
        f"{report.indexed:,} indexed"
    )
    table = columns("", "", "")
    for (what, reason), memories in _alike(report.changes).items():
        table.add_row(Text(what, "cyan"), str(len(memories)), _why(reason, memories))
    title = f"{report.user} slept {report.milliseconds:,.0f} ms: {counts}."
    return Group(Text(clean(title), "bold"), indented(table))


def _alike(changes: Iterable[Change]) -> Mapping[tuple[str, str], list[str]]:
    """Changes of one sort for one reason, with the memories that they befell."""
    alike: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        alike.setdefault((change.what, change.reason), []).append(change.memory)
    return alike


def _why(reason: str, memories: Sequence[str]) -> Group:
    return Group(line(reason), line(some(memories), DIM))


def history(changes: Sequence[Change]) -> RenderableType:
    """What happened, when and why."""
    if not changes:
        return line("Nothing has happened to it since it was stored.")
    table = columns("number", "when", "what", "why")
    for change in changes:
        at = f"{day(change.at)} {change.at:%H:%M}"
        number = str(change.number) if change.number else ""
        table.add_row(number, at, Text(change.what, "cyan"), line(change.reason))
    return table


# --------------------------------------------------------------------- memories


def counts(held: Mapping[Tier, int]) -> RenderableType:
    """How many memories each tier holds, with a bar."""
    most = max(held.values(), default=0)
    table = columns("", "", "")
    for tier in STORED:
        count = held.get(tier, 0)
        table.add_row(tier, bar(count / most if most else 0, 16), f"{count:,}")
    return table


def inspected(entries: Sequence[tuple[float, Entry]], total: int) -> RenderableType:
    """Each memory with what is known of it; the strongest first."""
    table = columns("strength", "half-life", "rec/used", "emotion", "")
    for strength, entry in entries:
        fades = "pinned" if entry.pinned else duration(entry.trace.half_life)
        table.add_row(
            Group(measured(strength), Text(entry.tier, DIM)),
            Group(Text(fades), Text(entry.kind, DIM)),
            f"{entry.recalled}/{entry.used}",
            f"{entry.emotion:.2f}",
            Group(line(entry.text), line(entry.id, DIM)),
        )
    shown = f"{len(entries):,} of {total:,}, the strongest first"
    return Group("", table, line(shown, DIM))


def measured(share: float) -> Text:
    """A small bar, and its number."""
    return Text.assemble(bar(share, 6), f" {share:.2f}")


def conflicts(pairs: Sequence[Pair]) -> RenderableType:
    """Each conflict with both sides, when they were said and what they rest on."""
    if not pairs:
        return line("No open conflicts.")
    return Group(*(conflict(pair) for pair in pairs))


def conflict(pair: Pair) -> RenderableType:
    """One conflict with both sides."""
    found, *both = pair
    title = Text.assemble(
        (found.kind, "bold red"),
        f" {found.confidence:.2f}: {clean(found.reason)}",
        (f"  {found.id}", DIM),
    )
    table = columns("", "", "", "")
    for name, (entry, strength) in zip(("new", "old"), both, strict=True):
        about = f"{entry.id} · from {some(entry.sources)}"
        table.add_row(
            name,
            day(entry.said_at),
            measured(strength),
            Group(line(entry.text), line(about, DIM)),
        )
    return Group(title, indented(table))


def sides(pair: Pair) -> dict[str, Any]:
    """The same for a machine."""
    found, *both = pair
    named = zip(("new", "old"), both, strict=True)
    whole: dict[str, Any] = plain(found)
    for name, (entry, strength) in named:
        whole[name] = plain(entry) | {"strength": strength}
    return whole


# ----------------------------------------------------------------- keeping house


def doctor(faults: Sequence[Fault], held: Mapping[Tier, int]) -> RenderableType:
    """What was found and what mends it, or that all is well."""
    if not faults:
        return line(f"All is well: {by_tier(held)}.", "green")
    table = columns("what", "found", "remedy")
    for fault in faults:
        table.add_row(Text(fault.what, "red"), *map(clean, (fault.found, fault.remedy)))
    return table


def arrived(user: str, held: Mapping[Tier, int]) -> RenderableType:
    """Who was imported, and with how much."""
    return line(f"The memory of {user} is here: {by_tier(held)}.")


def by_tier(held: Mapping[Tier, int]) -> str:
    """How many memories each tier holds, in words; empty tiers are left out."""
    counts = [f"{held[tier]:,} {tier}" for tier in STORED if held.get(tier)]
    return ", ".join(counts) or "no memories"


def erased(proof: Erasure) -> RenderableType:
    """The proof: what was there, and what is left."""
    left = some(proof.left) if proof.left else "nothing"
    return Group(
        line(f"{proof.user} was erased at {proof.at:%Y-%m-%d %H:%M:%S %Z}.", "bold"),
        line(
            f"There were {proof.memories:,} memories in {len(proof.files):,} files, "
            f"{proof.bytes:,} bytes; left: {left}."
        ),
    )


def plugins(found: Iterable[Plugin]) -> Table:
    """Each plugin, the distribution that it came with, and what it takes part in."""
    table = columns("plugin", "from", "hooks")
    for plugin in found:
        source = f"{plugin.distribution} {plugin.version}".strip()
        hooks = ", ".join(plugin.hooks) or "none"
        table.add_row(clean(plugin.name), clean(source), Text(hooks))
    return table


def offers(found: Iterable[Offer]) -> Table:
    """Each offer, and whether it can be used: what is missing, what brings that."""
    table = columns("kind", "name", "")
    for each in found:
        lacking = each.missing()
        state: RenderableType = Text("ready", "green")
        if lacking:
            missing = line(f"missing: {', '.join(lacking)}", "yellow")
            state = Group(missing, Text(clean(each.install)))
        table.add_row(each.kind, clean(each.name), state)
    return table


def offer(each: Offer) -> dict[str, Any]:
    """The same for a machine."""
    whole: dict[str, Any] = plain(each)
    lacking = {"missing": each.missing(), "install": each.install}
    return whole | {"target": each.place} | lacking
