"""Text from strangers made harmless: what a file says is shown, never obeyed."""

import re
import unicodedata

_DEVICE = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)")
"""Names that Windows takes for devices."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


def inert(text: str, limit: int = 200) -> str:
    """Return `text` on one line without control, escape, bidirectional or invisible characters.

    Each such character becomes U+FFFD (a space for tabs, line breaks and other spaces), so that nothing can move the
    cursor, recolour the terminal or reverse the reading order, and runs longer than `limit` characters
    end in an ellipsis. HTML is not escaped here: that is the HTML renderer's work.
    """
    shown = text[: limit + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(map(_visible, shown))
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + "…"


def cell(text: str, limit: int = 200) -> str:
    """Return `inert` text that a spreadsheet will not run as a formula."""
    shown = inert(text, limit)
    return "'" + shown if shown.lstrip().startswith(_FORMULA_STARTS) else shown


def file_stem(text: str, fallback: str = "lora") -> str:
    """Return a plain name for a file out of letters and digits of any script, - and _; `fallback` if none is left.

    It has at most 80 characters and 200 bytes in UTF-8, as file systems end names at 255.
    """
    stem = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", text))[:80]
    stem = stem.encode(errors="ignore")[:200].decode(errors="ignore").strip("_") or fallback
    return f"{stem}_" if _DEVICE.fullmatch(stem) else stem


def counted(number: int, noun: str) -> str:
    """Return the number with its noun, which takes an s unless the number is 1."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _visible(char: str) -> str:
    kind = unicodedata.category(char)
    if char in "\t\n\r\v\f\x85\u2028\u2029" or kind == "Zs":
        return " "
    if kind in _HIDDEN or char in _INVISIBLE:
        return "\ufffd"
    return char
