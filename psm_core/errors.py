"""Every error that PSM raises: what was asked, what was found, the way out.

Each is a `PSMError` and a builtin error too, so that both ``except PSMError`` and
``except ValueError`` do what a reader expects.
"""


class PSMError(Exception):
    """The base of every error that this package raises on purpose."""


class ConfigError(PSMError, ValueError):
    """A setting is unknown or out of range."""


class UserError(PSMError, ValueError):
    """A user id can't name a person."""


class TurnError(PSMError, ValueError):
    """A turn can't be remembered as it is."""


class TranscriptError(PSMError, ValueError):
    """A chat history can't be read; the message names the place in the file."""


class FeedbackError(PSMError, ValueError):
    """Feedback that contradicts itself, or names what was never shown."""


class UnknownMemoryError(PSMError, KeyError):
    """No memory or recall of this id is in the person's store."""

    # KeyError prints the repr of its argument, which would quote the sentence.
    __str__ = Exception.__str__


class ClosedError(PSMError, RuntimeError):
    """The memory was closed or erased, and is asked again."""


class StoreError(PSMError, OSError):
    """The person's folder can't be read or written."""

    __str__ = Exception.__str__


class StoreFullError(StoreError):
    """The disk is full; what was acknowledged before is safe."""


class StoreCorruptError(StoreError):
    """A file of the store isn't what it should be."""


class SchemaError(StoreError):
    """The store was written by a newer release."""


class EncoderError(PSMError, RuntimeError):
    """The encoder's weights can't be found, trusted or loaded."""


class EncoderMismatchError(EncoderError, ValueError):
    """The store was written with another encoder than this process uses."""


class WeightsError(PSMError, RuntimeError):
    """Trained weights are missing, broken, or were trained on other features."""


class PluginError(PSMError, RuntimeError):
    """A plugin is missing, broken, or offers what another one offers."""


class MissingExtraError(PluginError, ImportError):
    """An optional part isn't installed; the message names the extra."""
