"""The report card as pictures: SVG files that are the same for the same figures."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from psm_core.errors import MissingExtraError
from psm_core.train.evaluate.measured import Measured
from psm_core.train.evaluate.report import Report

SETTINGS = {
    "svg.hashsalt": "psm",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": (
        "cycler('color', ['#0a7f8c', '#8a8a8a', '#c9803a', '#5c6bc0', '#b0b0b0'])"
    ),
}
"""How every picture looks; the salt makes the ids in the file the same each time."""

SIZE = (6.0, 3.4)
"""Inches."""

OWN = "#0a7f8c"
"""Colour of the trained system."""

OTHER = "#c4c9cc"
"""Colour of what stands beside it."""


Points: TypeAlias = dict[str, list[tuple[float, Measured]]]
"""By system, where each figure stands from left to right, and its row."""


class Curve(NamedTuple):
    """A picture of one figure at several settings, a line for each system.

    ``measure`` matches the names of the rows, its one group being the setting, which
    ``x`` makes a number to plot.  ``systems`` are those that are drawn, all where it
    is empty.  ``even`` draws the line of perfect honesty.
    """

    name: str
    operation: str
    measure: str
    across: str
    upward: str
    x: Callable[[float], float] = float
    systems: tuple[str, ...] = ()
    even: bool = False
    log: bool = False


CURVES = (
    Curve(
        "reliability",
        "recall",
        r"evidence where (\S+) was said",
        "probability that was said",
        "share that was evidence",
        even=True,
    ),
    Curve(
        "gate",
        "gate",
        r"evidence kept, (\S+)% turned away",
        "share of the turns turned away",
        "share of the evidence kept",
        x=lambda percent: percent / 100,
    ),
    Curve(
        "decay",
        "decay",
        r"needed kept in (\S+)% of the turns",
        "share of the turns kept",
        "share of what is needed kept",
        x=lambda percent: percent / 100,
        systems=("psm", "rules", "fixed exponential", "ACT-R", "length"),
    ),
    Curve(
        "utility",
        "utility",
        r"R@10 after (\S+) episodes",
        "logged episodes",
        "R@10",
        log=True,
    ),
)
"""What is drawn as lines, wherever it was measured."""


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Draw what *report* holds into *folder*, one SVG a picture.

    Args:
        report: What was measured; pictures without figures are left out.
        folder: Where; made if need be.

    Returns:
        The files, in the order of their names.

    Raises:
        MissingExtraError: matplotlib isn't installed.
    """
    try:
        matplotlib = importlib.import_module("matplotlib")
        importlib.import_module("matplotlib.figure")
    except ImportError as fault:
        raise MissingExtraError(
            "pictures need matplotlib; pip install 'psm-memory[train]'"
        ) from fault
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context(SETTINGS):
        for where, rows in report.rows.items():
            for name, draw in _pictures(rows):
                figure = matplotlib.figure.Figure(figsize=SIZE, layout="constrained")
                draw(figure.add_subplot())
                path = folder / f"{name}-{where.lower()}.svg"
                figure.savefig(path, format="svg", metadata={"Date": None})
                written.append(path)
    return sorted(written)


def _pictures(
    rows: Sequence[Measured],
) -> list[tuple[str, Callable[[Any], None]]]:
    found: list[tuple[str, Callable[[Any], None]]] = []
    bars = [r for r in rows if r.operation == "recall" and r.measure == "R@10"]
    if bars:
        found.append(("recall", lambda axes: _bars(axes, bars)))
    for curve in CURVES:
        if lines := points(rows, curve):
            found.append((curve.name, _drawing(curve, lines)))
    return found


def _drawing(curve: Curve, lines: Points) -> Callable[[Any], None]:
    return lambda axes: _lines(axes, curve, lines)


def points(rows: Sequence[Measured], curve: Curve) -> Points:
    """The points of *curve* by system, from left to right.

    >>> name = "needed kept in 20% of the turns"
    >>> row = Measured("decay", name, "psm", 0.4, 0.3, 0.5, 9, {})
    >>> points([row], CURVES[2])["psm"][0][0]
    0.2
    """
    found: Points = {}
    for row in rows:
        match = re.fullmatch(curve.measure, row.measure)
        drawn = not curve.systems or row.system in curve.systems
        if row.operation == curve.operation and match and drawn:
            x = curve.x(float(match[1].replace(",", "")))
            found.setdefault(row.system, []).append((x, row))
    return {name: sorted(own, key=lambda p: p[0]) for name, own in found.items()}


def _bars(axes: Any, rows: Sequence[Measured]) -> None:
    """R@10 of each system with its interval, the best on top."""
    order = sorted(rows, key=lambda row: row.value)
    for place, row in enumerate(order):
        colour = OWN if row.system == "psm" else OTHER
        axes.barh(place, row.value, color=colour, height=0.7)
        axes.plot([row.low, row.high], [place, place], color="#333333", linewidth=1)
        axes.text(0.01, place, f"{row.value:.3f}", va="center", fontsize=8)
    axes.set_yticks(range(len(order)), [row.system for row in order])
    axes.set_xlim(0, 1)
    axes.set_xlabel("R@10, with what 95 % of the resamples give")


def _lines(axes: Any, curve: Curve, lines: Points) -> None:
    if curve.even:
        axes.plot([0, 1], [0, 1], color=OTHER, linewidth=1, linestyle=":")
    for system, own in lines.items():
        xs, rows = [x for x, _ in own], [row for _, row in own]
        (drawn,) = axes.plot(xs, [r.value for r in rows], marker="o", label=system)
        # One band is readable, five are not; each system's interval is on the card.
        if system == "psm":
            low, high = [r.low for r in rows], [r.high for r in rows]
            axes.fill_between(xs, low, high, color=drawn.get_color(), alpha=0.12)
    if curve.log:
        axes.set_xscale("symlog", linthresh=100)
    axes.set_xlabel(curve.across)
    axes.set_ylabel(curve.upward)
    axes.legend(frameon=False, fontsize=7)
