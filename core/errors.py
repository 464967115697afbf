"""Errors that OWF raises on purpose: each says what to change, and carries its exit code.

A message is a sentence of its own, true in every program that shows it. What the user can change stands beside it as
`Setting`s, because each host calls them differently: an option on the command line, an input of a node.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

OFF = "off"
"""Value of a switch that is not to be set."""


@dataclass(frozen=True)
class Setting:
    """Something that the user can change."""

    name: str
    """Name of the field or option; "install" is a package that is missing."""
    value: str = ""
    """What to change it to; empty leaves that to the user."""


class OwfError(Exception):
    """A problem the user can act on; the command line prints its message without a traceback."""

    exit_code = 2

    def __init__(self, message: str, *settings: Setting) -> None:
        super().__init__(message, *settings)  # all of them, for copies and pickles are made from `args`
        self.settings = settings

    def __str__(self) -> str:
        return self.args[0]

    def at(self, place: str) -> "OwfError":
        """Return the same error with the place before its message."""
        return type(self)(f"{place}: {self}", *self.settings)

    def worded(self, word: Callable[[Setting], str]) -> str:
        """Return the message with a host's words for the settings; see `with_words`."""
        return with_words(str(self), self.settings, word)


class UsageError(OwfError):
    """A wrong or missing option, file or setting; nothing was measured."""


class InvalidError(OwfError):
    """The measurement would be meaningless, so there is none."""

    exit_code = 4


class AdapterError(InvalidError):
    """A LoRA file that is broken, hostile, unsupported, or made for another base."""


def with_words(text: str, settings: Sequence[Setting], word: Callable[[Setting], str]) -> str:
    """Return a sentence that ends with a host's words for the settings in brackets; an empty word is left out."""
    words = ", ".join(filter(None, map(word, settings)))
    if not words:
        return text
    return f"{text.removesuffix('.')} ({words}){'.' if text.endswith('.') else ''}"


@contextmanager
def naming(*settings: Setting) -> Iterator[None]:
    """Return a context whose OwfErrors name these settings besides their own."""
    try:
        yield
    except OwfError as error:
        raise type(error)(str(error), *error.settings, *settings) from error
