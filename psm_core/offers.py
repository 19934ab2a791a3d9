"""What plugins offer, by kind and name: imported on use, and what it still lacks."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from psm_core.errors import MissingExtraError, PluginError
from psm_core.installed import version_of

KINDS = ("encoder", "policy", "abstractor", "index", "integration")
"""What a plugin may offer."""

OURS = "psm-memory"
"""The distribution that this package comes from."""

_NAME = re.compile(r"[\w.-]+")
_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")


class Offer(NamedTuple):
    """One thing that a plugin offers, and the distribution that the plugin is from."""

    kind: str
    name: str
    target: str | Callable[..., Any]
    extra: str = ""
    needs: tuple[str, ...] = ()
    distribution: str = ""

    @property
    def place(self) -> str:
        """Where it stands: "module:attribute"."""
        if isinstance(self.target, str):
            return self.target
        named = getattr(self.target, "__qualname__", type(self.target).__qualname__)
        return f"{self.target.__module__}:{named}"

    @property
    def install(self) -> str:
        """The command that brings what it needs; "" where nobody can say."""
        source = self.distribution or (OURS if self.extra else "")
        return (
            f"pip install '{source}[{self.extra}]'"
            if self.extra
            else (source and f"pip install {source}")
        )

    def missing(self) -> tuple[str, ...]:
        """What it needs and isn't there, by name.  Imports nothing for that."""
        module = self.place.partition(".")[0].partition(":")[0]
        modules = [m for m in (module, *self.needs) if not _is_there(m)]
        extra = [] if self.needs or not self.extra else self._brought()
        return (*modules, *(name for name in extra if not version_of(name)))

    def _brought(self) -> list[str]:
        """The distributions that its extra stands for."""
        try:
            lines = importlib.metadata.requires(self.distribution or OURS) or []
        except importlib.metadata.PackageNotFoundError:
            return []
        return [
            _NAME.match(line)[0]  # type: ignore[index]  # a requirement begins so
            for line in lines
            if self.extra in _EXTRA.findall(line)
        ]


class Offers:
    """The registry: what the plugins of one memory offer, imported on use."""

    def __init__(self) -> None:
        self._offers: dict[tuple[str, str], Offer] = {}
        self._distribution = ""

    def add(
        self,
        kind: str,
        name: str,
        target: str | Callable[..., Any],
        *,
        extra: str = "",
        needs: Sequence[str] = (),
    ) -> None:
        """See `hookspecs.Registry.add`."""
        if kind not in KINDS:
            raise PluginError(
                f"a plugin offers the {kind} {name!r}; a kind is one of "
                f"{', '.join(KINDS)}"
            )
        if (kind, name) in self._offers:
            raise PluginError(
                f"two plugins offer the {kind} {name!r}; uninstall one, or set "
                "PSM_DISABLE_PLUGIN_AUTOLOAD=1 and pass the plugins you mean"
            )
        self._offers[kind, name] = Offer(
            kind, name, target, extra, tuple(needs), self._distribution
        )

    @contextlib.contextmanager
    def of(self, distribution: str) -> Iterator[None]:
        """What is added inside is of *distribution*; all of it counts, or nothing."""
        before = dict(self._offers)
        self._distribution = distribution
        try:
            yield
        except BaseException:
            self._offers = before
            raise
        finally:
            self._distribution = ""

    def names(self, kind: str) -> list[str]:
        """What is offered of one kind, sorted."""
        return sorted(name for k, name in self._offers if k == kind)

    def all(self) -> list[Offer]:
        """Everything that is offered, sorted by kind and name."""
        return [self._offers[key] for key in sorted(self._offers)]

    def get(self, kind: str, name: str) -> Any:
        """The object behind an offer, imported now.

        Raises:
            PluginError: Nobody offers it; what is offered is named.
            MissingExtraError: What it needs isn't installed; what brings it is named.
        """
        offer = self._offers.get((kind, name))
        if offer is None:
            raise PluginError(
                f"no plugin offers the {kind} {name!r}; offered: "
                f"{', '.join(self.names(kind)) or 'none'}"
            )
        return _imported(offer) if isinstance(offer.target, str) else offer.target


def _imported(offer: Offer) -> Any:
    module, _, attribute = offer.place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as fault:
        raise MissingExtraError(
            f"the {offer.kind} {offer.name!r} needs {fault.name or fault}; "
            f"{offer.install or 'install it'}"
        ) from fault
    except AttributeError as fault:
        raise PluginError(
            f"the {offer.kind} {offer.name!r} is said to be {offer.place}, which isn't "
            "there; mend or uninstall its plugin"
        ) from fault


def _is_there(module: str) -> bool:
    """Whether a module could be imported; a package around it isn't, to find out."""
    name = module.partition(".")[0]
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
