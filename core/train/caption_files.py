"""Caption files: which one belongs to which picture, and the text in it."""

import codecs
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import LeftOut, composed, folded

SUFFIXES = (".txt", ".caption")
"""Endings of caption files; the first is the usual one and comes first where a picture has both."""
MAX_CAPTION = 10_000
"""Characters of a caption file that are read: text encoders see 77 tokens."""
_MARKS = (  # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDEST = 4
"""Bytes of a character in any of these."""
_LOST = "\ufffd"


@dataclass(frozen=True)
class Matches:
    """Which caption file belongs to which picture."""

    of: dict[Path, Path]
    """Picture -> its caption file."""
    unused: tuple[LeftOut, ...]
    """Caption files that belong to no picture."""
    shared: tuple[LeftOut, ...]
    """Caption files that belong to several."""


def match(pictures: Sequence[Path], texts: Sequence[Path]) -> Matches:
    """Return which of a folder's caption files belongs to which of its pictures.

    `a.png` is described by `a.png.txt`, `a.txt`, `a.png.caption` or `a.caption`, the first of these that is there; case
    and form of Unicode count only where several files differ in nothing else.
    """
    by_name: dict[str, list[Path]] = defaultdict(list)
    for text in texts:
        by_name[folded(text.name)].append(text)
    of: dict[Path, Path] = {}
    rivals: dict[Path, Path] = {}
    for picture in pictures:
        names = [stem + suffix for suffix in SUFFIXES for stem in (picture.name, picture.stem)]
        found = [text for name in names for text in _closest_first(by_name.get(folded(name), []), name)]
        if found:
            of[picture] = found[0]
            rivals.update(dict.fromkeys(found[1:], picture))
    users: dict[Path, list[str]] = defaultdict(list)
    for picture, text in of.items():
        users[text].append(picture.name)
    unused = tuple(LeftOut(text, _why_unused(text, rivals, of)) for text in texts if text not in users)
    shared = tuple(LeftOut(t, f"the caption of {' and '.join(p)} alike") for t, p in users.items() if len(p) > 1)
    return Matches(of, unused, shared)


def _closest_first(texts: Sequence[Path], name: str) -> list[Path]:
    return sorted(texts, key=lambda text: (text.name != name, composed(text.name) != composed(name)))


def _why_unused(text: Path, rivals: dict[Path, Path], of: dict[Path, Path]) -> str:
    picture = rivals.get(text)
    return "no picture has this name" if picture is None else f"{of[picture].name} is the caption of {picture.name}"


def read_caption(path: Path) -> tuple[str, bool]:
    """Return the text of a caption file, at most `MAX_CAPTION` characters, and whether that is all of it.

    It is read as UTF-8, or as UTF-16 or UTF-32 where its mark or its zero bytes show that it is. Raises ValueError with
    the reason where the text cannot be known: a guess at other encodings would train another text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_WIDEST * MAX_CAPTION + _WIDEST)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    mark, encoding = next((mark for mark in _MARKS if content.startswith(mark[0])), (b"", ""))
    whole = len(content) <= _WIDEST * MAX_CAPTION
    text = _decoded(content[len(mark) :], encoding or _unmarked(content), whole)
    return text[:MAX_CAPTION], whole and len(text) <= MAX_CAPTION


def _unmarked(content: bytes) -> str:
    """Return the encoding of a text without mark. UTF-8 has no zero bytes; UTF-16 has one in each Latin letter."""
    low, high = content[1::2].count(0), content[::2].count(0)
    if low == high == 0:
        return "utf-8"
    return "utf-16-le" if low > high else "utf-16-be"


def _decoded(content: bytes, encoding: str, whole: bool) -> str:
    try:
        # The last character of what is not read to its end may be cut, and is not missed.
        text = codecs.getincrementaldecoder(encoding)("strict").decode(content, final=whole)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8; save it as UTF-8") from None
    if _LOST in text:
        raise ValueError(f"some of its letters were lost ({_LOST}); write it anew and save it as UTF-8")
    if any(unicodedata.category(char) == "Cc" and not char.isspace() for char in text):
        raise ValueError("not a text: it holds control characters; save it as UTF-8")
    return text
