"""Whose memory a run is about, and that memory, opened once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.messages.utils import count_tokens_approximately

from psm_core.errors import UserError
from psm_core.memory import Memory
from psm_core.people import People

CountTokens = Callable[[str], int]


def approximate_tokens(text: str) -> int:
    """What *text* costs a model, as LangChain's own middleware guesses it."""
    message = HumanMessage(text)
    return int(count_tokens_approximately([message], extra_tokens_per_message=0))


class Whose:
    """Finds the memory of the person that a run names.

    Args:
        psm: An open `Memory`, for one person, or `People`, for many; stays its
            owner's to close.  None opens people in *home*.
        user: Who it is where a run names nobody.
        home: The folder with the people's folders, where *psm* is None.
        count_tokens: What a text costs the model, where *psm* is None; by default
            as LangChain guesses it.
        asks: Who asks, for messages.

    Raises:
        ConfigError: A setting is unknown or out of range.
        ValueError: *psm* was opened already, so it can't be told where or how.
    """

    def __init__(
        self,
        psm: People | Memory | None,
        *,
        user: str | None = None,
        home: str | Path | None = None,
        count_tokens: CountTokens | None = None,
        asks: str,
    ) -> None:
        if psm is not None and (home, count_tokens) != (None, None):
            raise ValueError(
                f"{asks} was given an open memory and told how to open one; give "
                "home= and count_tokens= to psm_core.People instead"
            )
        self.user = user
        self._asks = asks
        self._opened = psm is None
        self.psm: People | Memory = (
            People(home=home, count_tokens=count_tokens or approximate_tokens)
            if psm is None
            else psm
        )

    def memory(self, *named: Any) -> Memory:
        """The memory of the first who is named; by default, of the user from the start.

        Args:
            named: What context and config of a run say, the first that isn't None.

        Raises:
            UserError: Nobody is named, or the one open memory is another's.
        """
        found = next((n for n in (*named, self.user) if n is not None), None)
        if isinstance(self.psm, Memory):
            if found is not None and str(found) != self.psm.user:
                raise UserError(
                    f"this run is {found}'s, and {self._asks} was given the memory of "
                    f"{self.psm.user}; give it psm_core.People to serve many"
                )
            return self.psm
        if found is None:
            raise UserError(
                f"{self._asks} isn't told whose memory this run is about; give "
                'a user_id in its context, as in invoke(..., context={"user_id": '
                '"ada"}), or in its config, as in {"configurable": {"user_id": "ada"}},'
                ' or make it with user="ada" if it serves one person only'
            )
        return self.psm.memory(str(found))

    def close(self) -> None:
        """Let go of files and locks; what was given stays open."""
        if self._opened:
            self.psm.close()


def named(context: Any, config: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """Who a run says it is about: in its context, and in its config.

    Args:
        context: What the graph was run with: a mapping, an object, or None.
        config: Of the run.
    """
    in_context = (
        context.get("user_id")
        if isinstance(context, Mapping)
        else getattr(context, "user_id", None)
    )
    return in_context, configured(config, "user_id")


def configured(config: Mapping[str, Any] | None, name: str) -> Any:
    """What a run's config says under "configurable"; None where it says nothing."""
    return ((config or {}).get("configurable") or {}).get(name)
