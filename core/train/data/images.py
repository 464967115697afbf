"""The user's training pictures on disk: files, captions, repeats. No torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...disk.files import LeftOut, each_once, is_folder, listing, named, why_no_file
from ...errors import UsageError
from ...pictures import SUFFIXES
from ...plan.concept import Concept, tidy
from ...text import inert
from . import caption_files
from .caption_files import MAX_CAPTION

_REPEATS = re.compile(r"(\d{1,4})_(.+)")
_EMPTY = "empty: the name of a folder with repeats, or the general caption, stands in for it"


@dataclass(frozen=True)
class TrainingImage:
    """One picture to learn from."""

    path: Path
    """The file."""
    caption: str
    """What it shows, with the concept's name."""
    repeats: int
    """How often it is seen in one epoch."""


@dataclass
class Survey:
    """Everything in a folder of training pictures; each file is in `pictures`, a caption of one, or in `left_out`."""

    pictures: list[tuple[Path, str]] = field(default_factory=list)
    """Pictures, sorted by place and name, and the text beside each; empty where there is none."""
    left_out: list[LeftOut] = field(default_factory=list)
    """What is not used."""
    notes: list[LeftOut] = field(default_factory=list)
    """Captions that are used otherwise than their writer may think."""
    unreadable: list[LeftOut] = field(default_factory=list)
    """Captions whose text cannot be known."""

    def sentences(self, folder: Path) -> list[str]:
        """Return what to know before training on the folder, inert."""
        parts = {"Not read": self.left_out, "Captions": self.notes}
        where = inert(str(folder), 200)
        return [f"{title} in {where}: {named(items, folder)}." for title, items in parts.items() if items]


def survey(folder: Path) -> Survey:
    """Return everything in a folder of training pictures and what becomes of it.

    Read are its own pictures and those in its kohya-named subfolders such as `10_sks dog`. Raises UsageError where a
    folder cannot be read.
    """
    found = Survey()
    entries = listing(folder)
    places = [path for path in entries if _repeats(path) is not None and is_folder(path)]
    captions = dict(_add_place(found, [path for path in entries if path not in places]))
    for place in places:
        if _repeats(place) == 0:
            found.left_out.append(LeftOut(place, "repeated 0 times"))
        else:
            captions |= _add_place(found, listing(place))
    _leave_out_doubles(found, captions)
    return found


def _leave_out_doubles(found: Survey, captions: Mapping[Path, Path]) -> None:
    """Leave out pictures that are there once more through links, and what is their caption only."""
    kept, again = each_once(path for path, _ in found.pictures)
    once = set(kept)
    found.pictures = [(path, text) for path, text in found.pictures if path in once]
    found.left_out += again
    used = {captions[path] for path in kept if path in captions}
    idle = dict.fromkeys(captions[item.path] for item in again if item.path in captions)
    found.left_out += [LeftOut(path, "of a picture that is left out") for path in idle if path not in used]


def _repeats(path: Path) -> int | None:
    match = _REPEATS.fullmatch(path.name)
    return int(match[1]) if match else None


def _add_place(found: Survey, entries: Sequence[Path]) -> Mapping[Path, Path]:
    """Add what one folder holds; return which caption belongs to which of its pictures."""
    pictures, captions = [], []
    for path in entries:
        reason = _why_left_out(path)
        if reason is not None:
            found.left_out.append(LeftOut(path, reason))
        elif path.suffix.lower() in SUFFIXES:
            pictures.append(path)
        else:
            captions.append(path)
    matches = caption_files.match(pictures, captions)
    found.left_out += matches.unused
    found.notes += matches.shared
    texts = {path: _text(found, path) for path in dict.fromkeys(matches.of.values())}
    found.pictures += [(path, texts[matches.of[path]] if path in matches.of else "") for path in pictures]
    return matches.of


def _why_left_out(path: Path) -> str | None:
    """Return why this is neither a picture nor a caption; None where it is."""
    if is_folder(path):
        return "folders are read one level deep, and named like 10_dog, the repeats first"
    suffix = path.suffix.lower()
    if suffix in {*SUFFIXES, *caption_files.SUFFIXES}:
        return why_no_file(path)
    if suffix == ".npz":
        return "another program's cache"
    return f"neither a caption nor a picture ({', '.join(sorted(SUFFIXES))})"


def _text(found: Survey, path: Path) -> str:
    """Return the text of a caption file on one line; what is odd about it is noted."""
    try:
        text, whole = caption_files.read_caption(path)
    except ValueError as error:
        found.unreadable.append(LeftOut(path, str(error)))
        return ""
    if not whole:
        found.notes.append(LeftOut(path, f"only its first {MAX_CAPTION} characters are read"))
    if not tidy(text):
        found.notes.append(LeftOut(path, _EMPTY))
    return tidy(text)


def read_images(folder: Path, concept: Concept, template: str) -> tuple[TrainingImage, ...]:
    """Return the pictures of a folder, and of its kohya-named subfolders such as `10_sks dog`, sorted by name.

    The text beside a picture is its caption (see `caption_files.match`); else the name of a kohya folder is; else the
    template with the concept. A folder repeated 0 times is left out. The folder itself counts as kohya-named where its
    name has trigger or class in it: `2024_holiday` is not 2024 repeats. Raises UsageError where there is no picture,
    and for captions whose text cannot be known.
    """
    if not is_folder(folder):
        raise UsageError(f"{folder}: no such folder of training pictures.")
    found = survey(folder)
    if found.unreadable:
        raise UsageError(f"Captions in {folder} that cannot be read: {named(found.unreadable, folder)}.")
    images = []
    for path, text in found.pictures:
        repeats, name = _meant(path.parent, folder, concept)
        if repeats > 0:
            images.append(TrainingImage(path, text or tidy(name) or concept.caption(template), repeats))
    if not images:
        others = f" Not read: {named(found.left_out, folder)}." if found.left_out else ""
        raise UsageError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}).{others}")
    return tuple(images)


def _meant(place: Path, folder: Path, concept: Concept) -> tuple[int, str]:
    """Return repeats and caption by a folder's name."""
    match = _REPEATS.fullmatch(folder.resolve().name if place == folder else place.name)
    if match is None or (place == folder and not concept.is_meant_by(match[2])):
        return 1, ""
    return int(match[1]), match[2]
