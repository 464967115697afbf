"""Caption files: which one belongs to which picture, and the text in it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...disk.files import LeftOut, composed, folded, open_regular
from ...disk.text_file import WIDEST, decoded, decoded_beginning

SUFFIXES = (".txt", ".caption")
"""Endings of caption files; the first is the usual one and comes first where a picture has both."""
MAX_CAPTION = 10_000
"""Characters of a caption file that are read: text encoders see 77 tokens."""


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

    Raises ValueError with the reason where the text cannot be known (see `text_file.decoded`).
    """
    try:
        with open_regular(path) as file:
            content = file.read(WIDEST * MAX_CAPTION + WIDEST)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    whole = len(content) <= WIDEST * MAX_CAPTION
    text = decoded(content) if whole else decoded_beginning(content)
    return text[:MAX_CAPTION], whole and len(text) <= MAX_CAPTION
