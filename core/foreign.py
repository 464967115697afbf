"""The border to libraries that parse strangers' bytes: whatever they raise becomes one error of ours. No torch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .errors import OwfError, Setting, UsageError
from .text import inert

_SEEN = 300
"""Characters of a library's message that are shown: enough for its first sentence, not for a list of tensor names."""


class Advice(NamedTuple):
    """What to do about an error."""

    text: str = ""
    """A sentence of its own."""
    settings: tuple[Setting, ...] = ()
    """What it says to change."""


NONE = Advice()


@contextmanager
def foreign(
    doing: str,
    advice: Advice | Callable[[Exception], Advice] = NONE,
    kind: type[OwfError] = UsageError,
    saving: tuple[Setting, ...] = (),
) -> Iterator[None]:
    """Return a context for a call into another library, and for nothing else.

    `doing` names the file and what cannot be done ("model.safetensors cannot be read"); `advice` is right
    for every cause, or a function of the error that knows which, and `saving` what to change where memory is short.
    Libraries raise anything from KeyError to ZeroDivisionError for a damaged file, so there is no list: every Exception
    becomes `kind`, with what was seen.
    Code of ours inside would lose its bugs here, so it stays outside.
    """
    try:
        yield
    except OwfError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise kind(f"{doing}: there is not enough memory for it ({seen(error)}).", *saving) from error
        text, settings = advice if isinstance(advice, Advice) else advice(error)
        raise kind(" ".join(f"{doing}: {seen(error)}. {text}".split()), *settings) from error


def seen(error: BaseException) -> str:
    """Return what an error says, harmless and on one line; its class where that is all there is, or all it means."""
    text = inert(" ".join(str(error).split()), _SEEN).rstrip(".: ")
    if isinstance(error, (OSError, ValueError, RuntimeError)) and len(text) > 3:
        return text
    return f"{type(error).__name__} {text}".rstrip()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device or the machine has too little memory."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def require_utf8(path: Path, what: str) -> None:
    """Raise UsageError where a path holds what the libraries cannot pass on: bytes that are not UTF-8, or a NUL."""
    text = str(path)
    if "\0" in text:
        raise UsageError(f"{what} {inert(text)!r} holds a NUL character, which no path has.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} {inert(text)}: the name is not UTF-8, and the libraries that read models take no other. "
            "Rename it, or link to it under another name."
        ) from error
