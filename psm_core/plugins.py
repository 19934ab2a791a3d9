"""Loading plugins and asking them: registry, redaction, gate, observers."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pluggy

from psm_core import builtin, hookspecs
from psm_core.errors import (
    EncoderMismatchError,
    MissingExtraError,
    PluginError,
    PSMError,
)
from psm_core.protocols import Abstractor, Encoder, Policy
from psm_core.types import Turn

log = logging.getLogger(__name__)

KINDS = ("encoder", "policy", "abstractor", "integration")
"""What a plugin may offer."""

AUTO = "auto"
"""The policy's name that means: trained weights where they fit, else the rules."""

TRAINED, UNTRAINED = "psm-mini", "rules"
"""What `AUTO` chooses between."""

ANY_FOLDER = "all-MiniLM-L6-v2"
"""The offer that loads an encoder from any folder."""

ANY_MODEL = "causal-lm"
"""The offer that lets a causal language model from any folder word facts."""

REDACTED = "[redacted]"
"""What is stored of a turn of which redaction left nothing."""


class Offer(NamedTuple):
    """One thing that a plugin offers."""

    kind: str
    name: str
    target: str | Callable[..., Any]
    extra: str


class Offers:
    """The registry: what the plugins of one memory offer, imported on use."""

    def __init__(self) -> None:
        self._offers: dict[tuple[str, str], Offer] = {}

    def add(
        self, kind: str, name: str, target: str | Callable[..., Any], *, extra: str = ""
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
        self._offers[kind, name] = Offer(kind, name, target, extra)

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
            MissingExtraError: What it needs isn't installed; the extra is named.
        """
        offer = self._offers.get((kind, name))
        if offer is None:
            raise PluginError(
                f"no plugin offers the {kind} {name!r}; offered: "
                f"{', '.join(self.names(kind)) or 'none'}"
            )
        return _imported(offer) if isinstance(offer.target, str) else offer.target


class Plugins:
    """The plugins of one memory.  Built-ins are registered like anybody's.

    Args:
        plugins: Further plugins, objects or modules with hook functions.
        autoload: Whether installed plugins are loaded too; None means unless
            PSM_DISABLE_PLUGIN_AUTOLOAD is set.

    Raises:
        PluginError: A hook of an unknown name or with unknown arguments, or two
            offers of one name.
    """

    def __init__(
        self, plugins: Iterable[object] = (), *, autoload: bool | None = None
    ) -> None:
        if autoload is None:
            autoload = not os.environ.get("PSM_DISABLE_PLUGIN_AUTOLOAD")
        self.offers = Offers()
        self._hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self._hooks.add_hookspecs(hookspecs)
        self._hooks.hook.psm_register.call_historic(kwargs={"registry": self.offers})
        for plugin in (builtin, *(_installed() if autoload else ()), *plugins):
            self._register(plugin)

    def _register(self, plugin: object) -> None:
        try:
            self._hooks.register(plugin)
            self._hooks.check_pending()
        except (pluggy.PluginValidationError, ValueError) as fault:
            raise PluginError(f"a plugin can't be registered: {fault}") from fault

    def encoder(self, name: str, given: Encoder | str | None = None) -> Encoder:
        """The encoder that was given, or the one that *name* names.

        Args:
            name: A registered encoder, or a folder with a sentence-transformers model.
            given: Wins over *name* where it is an encoder and no name.

        Raises:
            PluginError: It is neither registered nor a folder.
        """
        if given is not None and not isinstance(given, str):
            return given
        known = name in self.offers.names("encoder")
        if not known and Path(name).expanduser().is_dir():
            made: Encoder = self.offers.get("encoder", ANY_FOLDER)(name)
        else:
            made = self.offers.get("encoder", name)()
        return made

    def policy(self, name: str, given: Policy | str | None, encoder: Encoder) -> Policy:
        """The policy that was given, or the one that *name* names.

        Args:
            name: A registered policy, or `AUTO`.
            given: Wins over *name* where it is a policy and no name.
            encoder: Whose vectors it will see.

        Raises:
            EncoderMismatchError: It was trained on another encoder's vectors.
            WeightsError: Its weights are missing, broken or of another release.
        """
        made: Policy
        if given is not None and not isinstance(given, str):
            made = given
        elif name == AUTO:
            made = self.offers.get("policy", TRAINED)()
            if _trained_on(made) != encoder.name:
                made = self.offers.get("policy", UNTRAINED)()
        else:
            made = self.offers.get("policy", name)()
        if _trained_on(made) not in (None, encoder.name):
            raise EncoderMismatchError(
                f"the policy {made.name} was trained on {_trained_on(made)}'s vectors, "
                f"and this memory uses {encoder.name}; leave out the encoder, or the "
                "policy"
            )
        return made

    def abstractor(self, name: str, given: Abstractor | None) -> Abstractor | None:
        """The abstractor that was given, or the one that *name* names.

        Args:
            name: A registered abstractor, a folder with a causal language model, or
                "" for none.
            given: Wins over *name*.

        Raises:
            PluginError: It is neither registered nor a folder.
            MissingExtraError: What it needs isn't installed.
        """
        if given is not None or not name:
            return given
        known = name in self.offers.names("abstractor")
        made: Abstractor
        if not known and Path(name).expanduser().is_dir():
            made = self.offers.get("abstractor", ANY_MODEL)(name)
        else:
            made = self.offers.get("abstractor", name)()
        return made

    def redact(self, text: str, user: str) -> str:
        """*text* after every plugin has redacted it, each seeing the last one's answer.

        Raises:
            PluginError: A plugin raised; nothing may be stored then.
        """
        for hook in reversed(self._hooks.hook.psm_redact.get_hookimpls()):
            arguments = {"text": text, "user": user}
            try:
                answer: Any = hook.function(*[arguments[n] for n in hook.argnames])
            except Exception as fault:
                # The cause may quote the text, so only its kind is passed on.
                raise PluginError(
                    f"the redactor {hook.plugin_name} raised {type(fault).__name__}; "
                    "the turn wasn't stored, so mend the plugin and say it again"
                ) from None
            text = text if answer is None else answer
        return text if text.strip() else REDACTED

    def gate(self, turn: Turn, user: str) -> bool | None:
        """What the first plugin with an opinion says of *turn*.

        Raises:
            PluginError: A plugin raised.
        """
        try:
            verdict: bool | None = self._hooks.hook.psm_gate(turn=turn, user=user)
        except PSMError:
            raise
        except Exception as fault:
            raise PluginError(
                f"a plugin's psm_gate raised {type(fault).__name__}; mend or remove it"
            ) from None
        return verdict

    def notify(self, hook_name: str, **arguments: object) -> None:
        """Tell every observer; one that raises is logged and silences nobody."""
        for hook in reversed(getattr(self._hooks.hook, hook_name).get_hookimpls()):
            try:
                hook.function(*[arguments[n] for n in hook.argnames])
            except Exception as fault:
                log.warning(
                    "observer %s of %s raised %s",
                    hook.plugin_name,
                    hook_name,
                    type(fault).__name__,
                )


def _trained_on(policy: Policy) -> str | None:
    """The encoder whose vectors a policy needs; None where it needs none."""
    needed: str | None = getattr(policy, "encoder", None)
    return needed


@functools.cache
def _installed() -> tuple[ModuleType, ...]:
    """Plugins offered under our entry-point group, by any installed package."""
    found = []
    for point in importlib.metadata.entry_points(group=hookspecs.PROJECT):
        try:
            found.append(point.load())
        except Exception as fault:
            raise PluginError(
                f"the plugin {point.name} ({point.value}) can't be loaded: "
                f"{type(fault).__name__}; uninstall it, or set "
                "PSM_DISABLE_PLUGIN_AUTOLOAD=1"
            ) from fault
    return tuple(found)


def _imported(offer: Offer) -> Any:
    module, _, attribute = str(offer.target).partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as fault:
        if not offer.extra:
            raise
        raise MissingExtraError(
            f"the {offer.kind} {offer.name!r} needs {fault.name}; "
            f"pip install 'psm-memory[{offer.extra}]'"
        ) from fault
