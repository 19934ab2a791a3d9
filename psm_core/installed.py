"""The plugins that are installed beside us, found by their entry points."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import NamedTuple

from psm_core.errors import PluginError
from psm_core.hookspecs import PROJECT


class Installed(NamedTuple):
    """One plugin, loaded, and the distribution that it came with."""

    plugin: object
    distribution: str
    version: str


@functools.cache
def installed() -> tuple[Installed, ...]:
    """What any installed distribution offers under our entry-point group.

    Raises:
        PluginError: Some of it can't be loaded; all of that is named.  It may be a
            redactor, so going on without it would store what must not be stored.
    """
    found, faults = [], []
    for point in importlib.metadata.entry_points(group=PROJECT):
        source = point.dist.name if point.dist else ""
        try:
            found.append(Installed(point.load(), source, version_of(source)))
        except Exception as fault:
            kind = type(fault).__name__
            faults.append(f"{point.name} ({point.value}) of {source} raises {kind}")
    if faults:
        raise PluginError(
            f"plugins can't be loaded: {'; '.join(faults)}; uninstall what is broken, "
            "or set PSM_DISABLE_PLUGIN_AUTOLOAD=1"
        )
    return tuple(found)


def version_of(distribution: str) -> str:
    """Which version of a distribution is installed; "" if none."""
    try:
        return importlib.metadata.version(distribution) if distribution else ""
    except importlib.metadata.PackageNotFoundError:
        return ""
