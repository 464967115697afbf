"""Numbers and names in arguments, for `type=` of argparse, which would call them by the names of functions."""

import argparse
import math
from collections.abc import Sequence


def whole(text: str) -> int:
    """Return the whole number in a text."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a whole number") from None


def number(text: str) -> float:
    """Return the number in a text, which may be infinite or no number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a number") from None


def finite(text: str) -> float:
    """Return the finite number in a text."""
    value = number(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError("must be a finite number")
    return value


def positive(text: str) -> int:
    """Return the whole number in a text, at least 1."""
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def seed(text: str) -> int:
    """Return the seed in a text: what every generator takes."""
    value = whole(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError("must be between 0 and 2147483647")
    return value


def eighths(text: str) -> int:
    """Return the side in pixels in a text: a multiple of 8, as latents have a pixel for 8, and 64 at least."""
    value = whole(text)
    if value < 64 or value % 8:
        raise argparse.ArgumentTypeError("must be a multiple of 8, 64 at least")
    return value


def above_zero(text: str) -> float:
    """Return the number above 0 in a text."""
    value = finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def some_of(known: Sequence[str], text: str) -> tuple[str, ...]:
    """Return the names in a list with commas; each is one of those that are known."""
    names = tuple(text.split(","))
    if not set(names) <= set(known):
        raise argparse.ArgumentTypeError(f"must be a list of {', '.join(known)}, separated by commas")
    return names
