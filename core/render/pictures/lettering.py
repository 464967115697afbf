"""Text in pictures, in the font that comes with Pillow, so that a picture is the same on every machine."""

import re
from typing import Any

_WORD = re.compile(r"\S+(?: %\S*)?")
"""A number and its percent sign are one."""


def font(size: int) -> Any:
    """Return Pillow's own font at a size in pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def plain(text: str) -> str:
    """Return the text with the letters that Pillow's own font lacks spelled otherwise."""
    for letter, instead in (("Δ", "delta "), ("−", "-"), ("–", "-"), ("…", "..."), ("∞", "inf"), ("✓", ""), ("✗", "")):
        text = text.replace(letter, instead)
    return text.encode("latin-1", "replace").decode("latin-1")


def wrapped(text: str, size: int, width: float) -> list[str]:
    """Return the lines of a text that is at most `width` pixels wide, broken between words."""
    written, lines = font(size), [""]
    for word in _WORD.findall(plain(text)):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and written.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def fitted(text: str, size: int, width: float) -> str:
    """Return as much of a text's beginning as is at most `width` pixels wide, with three dots where some is cut."""
    written, text = font(size), plain(text)
    if written.getlength(text) <= width:
        return text
    fits, too_long = 0, len(text)  # halved, for strangers' texts are as long as they like
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if written.getlength(f"{text[:middle].rstrip()}...") <= width:
            fits = middle
        else:
            too_long = middle
    return f"{text[:fits].rstrip()}..."
