"""Text from strangers made harmless: what a file says is shown, never obeyed."""

import re
import unicodedata

_DEVICE = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)")
"""Names that Windows takes for devices."""
_FORMULA = re.compile("(^|;)(?=[ \ufffd]*[=+@\uff1d\uff0b\uff0d\uff20-])")
"""Where a spreadsheet may begin to read a formula: at the start of a cell, with the wide letters of East Asia too, and
behind a semicolon, for where the comma is the decimal sign spreadsheets part cells there, quoted or not."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_UNSEEN = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Characters that Unicode calls Default_Ignorable_Code_Point: nothing is drawn where they are."""
_JOINERS = re.compile("[\u034f\u115f\u1160\u200c\u200d]")
"""Those that change what is beside them in scripts such as Persian, Hindi and Korean, and in emoji of several."""
_SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]")
"""Those that say which form the character in front of them has, or which flag it is."""


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
    return _FORMULA.sub(r"\1'", inert(text, limit))


def file_stem(text: str, fallback: str = "lora") -> str:
    """Return a plain name for a file out of letters and digits of any script, - and _; `fallback` if none is left.

    It has at most 80 characters and 200 bytes in UTF-8, as file systems end names at 255.
    """
    stem = re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFC", text))[:80]
    stem = stem.encode(errors="ignore")[:200].decode(errors="ignore").strip("_") or fallback
    return f"{stem}_" if _DEVICE.fullmatch(stem) else stem


def without_unseen(text: str) -> str:
    """Return the text without characters that nobody sees, but those that change how the ones beside them are read.

    A joiner stays between two characters that are not ASCII, a selector behind any; a zero-width space, which parts
    words in scripts without spaces, becomes a space.
    """
    if text.isascii():
        return text
    return _UNSEEN.sub(_seen, text.replace("\u200b", " "))


def _seen(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    selects = bool(before) and not before.isspace()
    joins = all(char > "\x7f" and not char.isspace() for char in (before, after))  # "" is none
    kept = (c for c in match[0] if (selects and _SELECTORS.match(c)) or (joins and _JOINERS.match(c)))
    return "".join(kept)


def counted(number: int, noun: str) -> str:
    """Return the number with its noun, which takes an s unless the number is 1."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def percent(share: float, decimals: int = 2) -> str:
    """Return a share in percent, such as "0.13 %", as reports write it."""
    return f"{100 * share:.{decimals}f} %"


def _visible(char: str) -> str:
    kind = unicodedata.category(char)
    if char in "\t\n\r\v\f\x85\u2028\u2029" or kind == "Zs":
        return " "
    if kind in _HIDDEN or char in _INVISIBLE:
        return "\ufffd"
    return char
