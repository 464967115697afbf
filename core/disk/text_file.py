"""Text files from the user's disk: read as what they are, or refused; never as other letters than were written."""

import codecs
import unicodedata

_MARKS = (  # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WIDEST = 4
"""Bytes of a character in any of these."""
_LOST = "\ufffd"


def decoded(content: bytes) -> str:
    """Return the text that a whole file holds.

    It is read as UTF-8, or as UTF-16 or UTF-32 where its mark or its zero bytes show that it is. Raises ValueError with
    the reason where the text cannot be known: a guess at other encodings would give another text.
    """
    return _decoded(content, whole=True)


def decoded_beginning(content: bytes) -> str:
    """Return the text at the beginning of a file, as `decoded` does; without a character that is cut off at its end."""
    return _decoded(content, whole=False)


def _decoded(content: bytes, whole: bool) -> str:
    mark, encoding = next((mark for mark in _MARKS if content.startswith(mark[0])), (b"", ""))
    decoder = codecs.getincrementaldecoder(encoding or _unmarked(content))("strict")
    try:
        text = decoder.decode(content[len(mark) :], final=whole)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8; save it as UTF-8") from None
    if _LOST in text:
        raise ValueError(f"some of its letters were lost ({_LOST}); write it anew and save it as UTF-8")
    if any(unicodedata.category(char) == "Cc" and not char.isspace() for char in text):
        raise ValueError("not a text: it holds control characters; save it as UTF-8")
    return text


_MANY = 0.25
"""Least share of zero bytes at every second place in UTF-16: of a text with a quarter of Latin letters and spaces."""


def _unmarked(content: bytes) -> str:
    """Return the encoding of a text without mark: UTF-16 where every second byte is often zero, and no other is."""
    half = max(1, len(content) // 2)
    low, high = content[1::2].count(0), content[::2].count(0)
    if low > _MANY * half and high == 0:
        return "utf-16-le"
    return "utf-16-be" if high > _MANY * half and low == 0 else "utf-8"
