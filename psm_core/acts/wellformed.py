"""Text as every encoder and database takes it."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")


def wellformed(text: str) -> str:
    r"""*text* without NUL, and with U+FFFD in the place of each lone surrogate.

    >>> wellformed("te\0a \ud800")
    'tea \ufffd'
    """
    return _SURROGATE.sub("\ufffd", text.replace("\0", ""))
