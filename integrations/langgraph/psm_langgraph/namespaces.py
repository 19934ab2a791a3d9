"""Whose a namespace is, what matches a filter, and which words a value says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langgraph.store.base import MatchCondition, get_text_at_path

from psm_core.errors import ConfigError, UserError

WHOLE = "$"
"""The path that means all of a value."""


class Owners:
    """Tells whose memory holds a namespace.

    Args:
        template: Labels as they are, "*" for any, and one in braces for the user id.
        shared: Who owns the namespaces that the template doesn't fit; None means that
            they are refused.
        user_of: From a label to a user id.

    Raises:
        ConfigError: The template names no person, or more than one.

    >>> Owners(("memories", "{user_id}")).owner(("memories", "ada", "diet"))
    'ada'
    """

    def __init__(
        self,
        template: Sequence[str],
        shared: str | None = None,
        user_of: Callable[[str], str] = str,
    ) -> None:
        self._template = tuple(template)
        self._shared = shared
        self._user_of = user_of
        places = [n for n, label in enumerate(template) if label[:1] == "{"]
        if len(places) != 1:
            raise ConfigError(
                f"the namespaces {self._template} name {len(places)} people; exactly "
                'one label must be a user id in braces, as in ("memories", "{user_id}")'
            )
        self._place = places[0]

    def owner(self, namespace: Sequence[str]) -> str:
        """Whose memory holds *namespace*, or all that begins with it.

        Raises:
            UserError: It names nobody, or may be that of several people.
        """
        fits = all(
            label == "*" or want in ("*", label) or want[:1] == "{"
            for want, label in zip(self._template, namespace, strict=False)
        )
        named = [*namespace[self._place : self._place + 1]]
        if fits and named and named != ["*"]:
            return self._user_of(named[0])
        if not fits and self._shared is not None:
            return self._shared
        given = f"the namespace {tuple(namespace)}"
        fault = "could be several people's" if fits else "names no person"
        raise UserError(
            f"{given} {fault}; in this store namespaces begin like {self._template}, "
            "so name whose, or make the store with another namespace= or a shared="
        )


def matches(namespace: Sequence[str], condition: MatchCondition) -> bool:
    """Whether a namespace begins, or ends, like a condition's path; "*" fits any label.

    Raises:
        ValueError: The condition is of another kind.
    """
    labels, path = tuple(namespace), tuple(condition.path)
    if condition.match_type not in ("prefix", "suffix"):
        raise ValueError(
            f"a namespace is matched by {condition.match_type!r}; it must be by "
            "'prefix' or 'suffix'"
        )
    if condition.match_type == "suffix":
        labels, path = labels[::-1], path[::-1]
    return len(labels) >= len(path) and all(
        want in ("*", label) for want, label in zip(path, labels, strict=False)
    )


# ----------------------------------------------------------------------- filters


def passes(value: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Whether each field of *value* is as a filter wants it.

    Raises:
        ValueError: The filter has an operator that no store knows.
    """
    return all(_is(value.get(key), want) for key, want in (wanted or {}).items())


def _is(found: Any, want: Any) -> bool:
    if isinstance(want, Mapping):
        if any(str(key).startswith("$") for key in want):
            return all(_compare(found, name, operand) for name, operand in want.items())
        return isinstance(found, Mapping) and passes(found, want)
    if isinstance(want, (list, tuple)):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(want)
            and all(map(_is, found, want))
        )
    return bool(found == want)


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def _compare(found: Any, name: str, operand: Any) -> bool:
    if name == "$eq":
        return bool(found == operand)
    if name == "$ne":
        return bool(found != operand)
    if name not in _ORDER:
        raise ValueError(
            f"the filter has the operator {name!r}; known are $eq, $ne, "
            f"{', '.join(_ORDER)}"
        )
    both = (found, operand)
    if all(isinstance(one, str) for one in both) and not _numeric(*both):
        return _ORDER[name](*both)
    return _numeric(*both) and _ORDER[name](float(found), float(operand))


def _numeric(*values: Any) -> bool:
    try:
        for value in values:
            float(value)
    except (TypeError, ValueError):
        return False
    return True


# ------------------------------------------------------------------------- words


def words_of(value: Mapping[str, Any], paths: Sequence[str]) -> str:
    r"""What of *value* is to be found by its meaning.

    Args:
        value: As it was put.
        paths: Fields, as ``index`` names them; "$" is all of it.

    >>> words_of({"content": "Ada likes tea", "kind": "taste"}, ["$"])
    'Ada likes tea\nkind: taste'
    """
    found = [text for path in paths for text in _texts(value, path)]
    return "\n".join(dict.fromkeys(text for text in found if text.strip()))


def _texts(value: Mapping[str, Any], path: str) -> list[str]:
    if path == WHOLE:
        return [*_leaves(value, "")]
    return get_text_at_path(dict(value), path)


def _leaves(value: Any, key: str) -> Iterator[str]:
    """Each thing that *value* says; a phrase speaks for itself, a word by its key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner, key)
    elif isinstance(value, str) and len(value.split()) > 1:
        yield value
    elif value is not None and value != "":
        yield f"{key}: {value}" if key else str(value)
