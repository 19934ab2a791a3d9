"""Loading plugins and asking them: parts, redaction, gate, observers."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pluggy

from psm_core import builtin, hookspecs
from psm_core.content import IndexKind
from psm_core.errors import EncoderMismatchError, PluginError, PSMError
from psm_core.installed import installed, version_of
from psm_core.offers import OURS, Offers
from psm_core.protocols import Abstractor, Encoder, Policy
from psm_core.types import SleepReport, Turn

log = logging.getLogger(__name__)

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


class Plugin(NamedTuple):
    """One plugin that takes part: where it comes from, and the hooks it has.

    ``distribution`` and ``version`` are "" for one that was passed by hand.
    """

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...]


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
        self._sources: dict[str, tuple[str, str]] = {}
        self._hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self._hooks.add_hookspecs(hookspecs)
        self._hooks.hook.psm_register.call_historic(kwargs={"registry": self.offers})
        self._register(builtin, OURS, version_of(OURS))
        for found in installed() if autoload else ():
            self._register(found.plugin, found.distribution, found.version)
        for plugin in plugins:
            self.register(plugin)

    def register(self, plugin: object) -> None:
        """Take in one more plugin; it is asked for its offers at once.

        Args:
            plugin: An object or a module; one that takes part already is left as it is.

        Raises:
            PluginError: As for the first ones; it takes no part then.
        """
        self._register(plugin, "", "")

    def listing(self) -> list[Plugin]:
        """The plugins that take part, in the order in which they came."""
        return [
            Plugin(name, *self._sources[name], self._hooks_of(plugin))
            for name, plugin in self._hooks.list_name_plugin()
            if name in self._sources
        ]

    def _register(self, plugin: object, distribution: str, version: str) -> None:
        if self._hooks.is_registered(plugin):
            return
        name = self._named(plugin)
        try:
            with self.offers.of(distribution):
                self._hooks.register(plugin, name)
                self._hooks.check_pending()
                self._require_plain(plugin)
        except BaseException as fault:
            if self._hooks.is_registered(plugin):
                self._hooks.unregister(plugin)
            if isinstance(fault, PSMError) or not isinstance(fault, Exception):
                raise
            # What pluggy finds names the hook; what a plugin says may name anything.
            ours = isinstance(fault, pluggy.PluginValidationError)
            said = fault if ours else f"it raised {type(fault).__name__}"
            raise PluginError(
                f"the plugin {name} can't be registered: {said}"
            ) from fault
        self._sources[name] = (distribution, version)

    def _named(self, plugin: object) -> str:
        """What a plugin is called in errors and logs; no two are called the same."""
        name = str(getattr(plugin, "__name__", type(plugin).__qualname__))
        taken, number = name, 1
        while self._hooks.has_plugin(taken):
            number += 1
            taken = f"{name} ({number})"
        return taken

    def _hooks_of(self, plugin: object) -> tuple[str, ...]:
        callers = self._hooks.get_hookcallers(plugin) or ()
        return tuple(sorted(caller.name for caller in callers))

    def _require_plain(self, plugin: object) -> None:
        """A wrapper runs around all others, so none could be piped or told alone.

        A coroutine would be made and never awaited: hooks are called by threads, too.
        """
        name = self._hooks.get_name(plugin)
        for caller in self._hooks.get_hookcallers(plugin) or ():
            own = [h for h in caller.get_hookimpls() if h.plugin is plugin]
            wraps = any(hook.wrapper or hook.hookwrapper for hook in own)
            if wraps and caller.name != "psm_gate":
                raise PluginError(
                    f"the plugin {name} wraps {caller.name}; only psm_gate can be "
                    "wrapped, so write an ordinary hook"
                )
            if any(inspect.iscoroutinefunction(hook.function) for hook in own):
                raise PluginError(
                    f"the plugin {name} has an async {caller.name}, which nobody "
                    "would await; write a plain function, and hand on what takes long"
                )

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
        made: Encoder = self._made("encoder", name, ANY_FOLDER)
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

    def abstractor(
        self, name: str, given: Abstractor | str | None
    ) -> Abstractor | None:
        """The abstractor that was given, or the one that *name* names.

        Args:
            name: A registered abstractor, a folder with a causal language model, or
                "" for none.
            given: Wins over *name* where it is an abstractor and no name.

        Raises:
            PluginError: It is neither registered nor a folder.
            MissingExtraError: What it needs isn't installed.
        """
        if given is not None and not isinstance(given, str):
            return given
        if not name:
            return None
        made: Abstractor = self._made("abstractor", name, ANY_MODEL)
        return made

    def _made(self, kind: str, name: str, any_folder: str) -> Any:
        """The part that is registered as *name*, or *any_folder* made from a folder."""
        known = name in self.offers.names(kind)
        if not known and Path(name).expanduser().is_dir():
            return self.offers.get(kind, any_folder)(name)
        return self.offers.get(kind, name)()

    def index(self, name: str) -> IndexKind:
        """The index that *name* names.

        Raises:
            PluginError: It isn't registered.
            MissingExtraError: What it needs isn't installed.
        """
        return IndexKind(name, self.offers.get("index", name))

    def redact(self, text: str, user: str) -> str:
        """*text* after every plugin has redacted it, each seeing the last one's answer.

        Raises:
            PluginError: A plugin raised, or answered with no text; nothing may be
                stored then.
        """
        for hook in reversed(self._hooks.hook.psm_redact.get_hookimpls()):
            arguments = {"text": text, "user": user}
            try:
                answer: Any = hook.function(*[arguments[n] for n in hook.argnames])
            except Exception as fault:
                # The cause may quote the text, so only its kind is passed on.
                raise _unredacted(hook, f"raised {type(fault).__name__}") from None
            if not isinstance(answer, str | None):
                raise _unredacted(hook, f"returned {type(answer).__name__}, not str")
            text = text if answer is None else answer
        return text if text.strip() else REDACTED

    def gate(self, turn: Turn, user: str) -> bool | None:
        """What the first plugin with an opinion says of *turn*.

        Raises:
            PluginError: A plugin raised.
        """
        try:
            verdict: Any = self._hooks.hook.psm_gate(turn=turn, user=user)
        except PSMError:
            raise
        except Exception as fault:
            raise PluginError(
                f"a plugin's psm_gate raised {type(fault).__name__}; mend or remove it"
            ) from None
        if not isinstance(verdict, bool | None):
            raise PluginError(
                f"a plugin's psm_gate returned {type(verdict).__name__}; it must be "
                "True, False or None"
            )
        return verdict

    def notify(self, hook_name: str, **arguments: object) -> None:
        """Tell every observer; one that raises is logged and silences nobody."""
        for hook in reversed(getattr(self._hooks.hook, hook_name).get_hookimpls()):
            try:
                hook.function(*[_own(arguments[n]) for n in hook.argnames])
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


def _own(argument: object) -> object:
    """What one observer may look at: what isn't frozen is a copy."""
    if isinstance(argument, SleepReport):
        return replace(argument, steps=dict(argument.steps))
    return argument


def _unredacted(hook: pluggy.HookImpl, what: str) -> PluginError:
    return PluginError(
        f"the redactor {hook.plugin_name} {what}; the turn wasn't stored, so mend the "
        "plugin and say it again"
    )
