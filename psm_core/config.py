"""One frozen set of settings: defaults < psm.toml < PSM_* < arguments."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psm_core.errors import ConfigError

HOME = Path("~/.psm")
"""Where the people's folders lie unless somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How a memory behaves.  Every field has a default that a newcomer can keep.

    Raises:
        ConfigError: Every fault of every field, in one message.

    >>> Config(recall_limit=5).recall_limit
    5
    """

    home: Path = HOME
    """Where the people's folders lie."""

    encoder: str = "psm-mini"
    """A registered encoder's name, or a folder with a sentence-transformers model."""

    policy: str = "auto"
    """A registered policy's name; "auto" takes the trained weights where they were
    trained on this encoder, and the rules where they weren't."""

    abstractor: str = ""
    """Who words the facts of a sleep: a registered abstractor's name, or a folder with
    a causal language model; "" leaves it to the rules, and calls no model."""

    index: str = "chroma"
    """A registered index's name: what proposes which memories are near.  A folder that
    was written with another is indexed anew."""

    recall_limit: int = 10
    """Most memories that one recall returns, unless it is told otherwise."""

    recall_budget: int = 1000
    """Most tokens that one recall puts into a prompt, unless it is told otherwise."""

    candidates: int = 30
    """How many memories each retriever proposes at least, before they are weighed."""

    postings: int = 2000
    """Most rows of the lexical index that one recall reads; bounds its cost."""

    passage_words: int = 160
    """A longer turn is remembered as several passages of about so many words."""

    sensory_turns: int = 8
    """Turns of a session that the gate sees as context."""

    working_turns: int = 20
    """Turns of a session that stay in view."""

    index_batch: int = 1000
    """Memories that wait for the index before remember() brings it up to date."""

    fact_confidence: float = 0.6
    """A sleep writes a pattern down as a fact from this confidence on, in [0, 1]."""

    archive_below: float = 0.0001
    """A sleep archives what has retained less strength than this, in [0, 1]."""

    index_share: float = 0.75
    """A sleep keeps at most this share of the words that were said in the index, in
    [0, 1]; 1 keeps all.  The weakest episodes go to the archive first."""

    index_most: int = 10_000
    """Most episodes in the index, so that a recall costs the same after ten years."""

    fresh_days: int = 7
    """What was said in the last so many days stays as it was heard."""

    replay: int = 32
    """Most older episodes that a sleep rehearses beside the new ones."""

    open_people: int = 64
    """Folders that stay open; the least recently used is closed beyond that."""

    busy_seconds: float = 30.0
    """How long a write waits for another process before it gives up, in seconds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", Path(self.home).expanduser())
        faults = [*self._below_one(), *self._outside_unit()]
        if not self.busy_seconds > 0:
            faults.append(f"busy_seconds is {self.busy_seconds}; it must be above 0")
        if faults:
            raise ConfigError("; ".join(faults))

    def _below_one(self) -> list[str]:
        counts = [f.name for f in dataclasses.fields(self) if f.type == "int"]
        return [
            f"{name} is {getattr(self, name)}; it must be at least 1"
            for name in counts
            if getattr(self, name) < 1
        ]

    def _outside_unit(self) -> list[str]:
        return [
            f"{name} is {getattr(self, name)}; it must lie in [0, 1]"
            for name in ("fact_confidence", "archive_below", "index_share")
            if not 0 <= getattr(self, name) <= 1
        ]

    @classmethod
    def load(
        cls,
        *,
        environ: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> Config:
        """The settings in force: defaults, then psm.toml in the home, PSM_*, arguments.

        Args:
            environ: Where PSM_* stand; None means the process's own environment.
            arguments: Fields by name; a None is as good as left out.

        Returns:
            One frozen set of settings.

        Raises:
            ConfigError: A name is unknown (the nearest known one is named), a value
                can't be read or is out of range, or psm.toml isn't TOML.
        """
        given = {name: v for name, v in arguments.items() if v is not None}
        variables = _from_environment(os.environ if environ is None else environ)
        home = Path(given.get("home") or variables.get("home") or HOME)
        file = _from_file(home.expanduser() / "psm.toml")
        return cls(**_checked({**file, **variables, **given}))

    def but(self, **arguments: Any) -> Config:
        """These settings, with others in the place of some.

        Args:
            arguments: Fields by name; a None is as good as left out.

        Raises:
            ConfigError: A name is unknown, or a value can't be read or is out of range.

        >>> Config().but(recall_limit=3, home=None).recall_limit
        3
        """
        given = {name: v for name, v in arguments.items() if v is not None}
        return dataclasses.replace(self, **_checked(given))


_KINDS: dict[str, type] = {
    f.name: {"Path": Path, "str": str, "int": int, "float": float}[str(f.type)]
    for f in dataclasses.fields(Config)
}

_ELSEWHERE = frozenset({"PSM_ENCODER_PATH", "PSM_DISABLE_PLUGIN_AUTOLOAD"})
"""PSM_* variables that other parts read."""


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    # Set to nothing is as good as not set: an empty home would be the folder one is in.
    return {
        name.removeprefix("PSM_").lower(): value
        for name, value in environ.items()
        if name.startswith("PSM_") and name not in _ELSEWHERE and value.strip()
    }


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path} isn't valid TOML: {fault}") from fault
    except OSError as fault:
        raise ConfigError(f"{path} can't be read: {fault.strerror}") from fault


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = [_unknown(name) for name in given if name not in _KINDS]
    if unknown:
        raise ConfigError("; ".join(unknown))
    return {name: _read(name, value) for name, value in given.items()}


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _KINDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(_KINDS)}"
    return f"there is no setting {name}{hint}"


def _read(name: str, value: Any) -> Any:
    kind = _KINDS[name]
    # bool is an int to Python, and `recall_limit = true` is a slip, not a 1.
    if isinstance(value, bool):
        raise ConfigError(f"{name} is {value}; it must be {kind.__name__}")
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError) as fault:
        raise ConfigError(f"{name} is {value!r}; it must be {kind.__name__}") from fault
