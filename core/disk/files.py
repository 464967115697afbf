"""Files on the user's disk: one rule for what is in folders, the same on every file system, and one way to write."""

import errno
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..errors import Setting, UsageError
from ..text import inert

_NOT_THE_USERS = frozenset(
    {
        "__macosx",  # in archives packed by macOS
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "@eadir",  # thumbnails of Synology's disks
        "lost+found",
    }
)
"""What systems put into folders, in small letters. So are names with a leading dot, such as macOS' `._name`."""
_NAMED = 3
"""So many of the things that are left out for one reason are named; the rest is counted."""
_SHOWN = 80
"""Characters of a path that are shown."""
_KEPT = 40
"""Characters of a file's name in that of its unfinished successor: 160 of the 255 bytes of a name at most."""


@dataclass(frozen=True)
class LeftOut:
    """Something in a folder that is not used, though its owner might think so."""

    path: Path
    """Where it lies."""
    reason: str
    """Why it is not used; no capital, no full stop."""
    settings: tuple[Setting, ...] = ()
    """What to change so that it is."""


@dataclass(frozen=True)
class Scan:
    """What a folder and all folders in it hold."""

    files: list[Path] = field(default_factory=list)
    """Files, a folder's own before those of the folders in it."""
    wholes: list[Path] = field(default_factory=list)
    """Folders of which several files are one thing; these files are not in `files`."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Folders that cannot be read, links that lead nowhere, and what is neither file nor folder."""


def listing(folder: Path) -> list[Path]:
    """Return what a folder holds, sorted by name, without hidden files and what systems keep there for themselves.

    Names sort by the code points of their composed form (NFC), so that the order is the same everywhere. Raises
    UsageError for a folder that is missing or cannot be read.
    """
    try:
        return _entries(folder)
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be read: {error.strerror}.") from error


def _entries(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if not path.name.startswith("."))
    users = (path for path in found if path.name.casefold() not in _NOT_THE_USERS)
    return sorted(users, key=lambda path: (composed(path.name), path.name))


def by_name(folder: Path) -> dict[str, Path]:
    """Return what a folder holds by its `folded` name, the first where two differ in case only."""
    return {folded(path.name): path for path in reversed(listing(folder))}


def composed(name: str) -> str:
    """Return a name in the form that most systems write (NFC); macOS takes letters and their marks apart."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """Return what is the same for names that differ in case, or in the form of Unicode, only."""
    return composed(composed(name).casefold())


def is_folder(path: Path) -> bool:
    """Return whether this is a folder, or a link to one; False where that cannot be found out."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where a folder above may not be entered


def why_no_file(path: Path) -> str | None:
    """Return why this is no file that can be opened, such as a pipe that would be waited for; None for a file."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        nowhere = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) and path.is_symlink()
        return "a link that leads nowhere" if nowhere else f"cannot be read: {error.strerror}"
    return None if stat.S_ISREG(mode) else "no file"


def open_regular(path: Path) -> BinaryIO:
    """Return a file opened to read bytes. Raises OSError for anything else than a file, which may never end.

    Every file that a user or a stranger's folder names is opened here, or asked for `why_no_file` before a library
    opens it: a pipe is waited for without end, and a device such as /dev/zero has no end.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is a folder" if is_folder(path) else "it is no file, but a pipe or device")
    return path.open("rb")


def read_regular(path: Path, most: int) -> bytes:
    """Return what a file holds. Raises OSError where it is no file, or has more than `most` bytes."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"it has more than {most:,} bytes")
    return content


def require_files(folder: Path) -> None:
    """Raise UsageError for a pipe, socket or device in a folder that a library is to read: it would wait for it."""
    for path in listing(folder):
        if path.exists() and not path.is_file() and not is_folder(path):
            raise UsageError(f"{path} cannot be read: it is no file, but a pipe or device.")


def each_once(paths: Iterable[Path]) -> tuple[list[Path], list[LeftOut]]:
    """Return the paths without those that lead to a file that another of them is, or leads to; and these.

    The file itself stays where it is among them, else the first link.
    """
    paths = list(paths)
    of: dict[str, Path] = {}
    for path in sorted(paths, key=Path.is_symlink):  # stable, so that the order stays but for links
        of.setdefault(os.path.realpath(path), path)
    kept = set(of.values())
    again = [path for path in paths if path not in kept]
    same = (of[os.path.realpath(path)] for path in again)
    reasons = [LeftOut(path, f"the same file as {other.name}") for path, other in zip(again, same, strict=True)]
    return [path for path in paths if path in kept], reasons


def scan(folder: Path, one_thing: Callable[[Path], Sequence[Path]]) -> Scan:
    """Return all files in a folder and below; links are followed, and no folder is met twice through them.

    `one_thing` gets each folder, this one included, and returns the files in and below it that are one thing together;
    none where each is a thing of its own. Files that several links lead to are there once for each. Raises UsageError
    where the folder itself cannot be read.
    """
    listing(folder)
    found, together, files = Scan(), set[str](), list[Path]()
    for place, entries in _walk(folder, found.left_out):
        try:
            parts = [path for path in one_thing(place) if os.path.realpath(path) not in together]
        except (OSError, UsageError) as error:  # what is in it may still be things of their own
            found.left_out.append(LeftOut(place, f"cannot be read: {_said(error)}"))
            parts = []
        if parts:
            found.wholes.append(place)
            together.update(map(os.path.realpath, parts))
        files += (path for path in entries if not is_folder(path))
    for path in files:
        reason = why_no_file(path)
        if reason is not None:
            found.left_out.append(LeftOut(path, reason))
        elif not together or os.path.realpath(path) not in together:
            found.files.append(path)
    return found


def _walk(folder: Path, left_out: list[LeftOut]) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder and what it holds, once, whatever leads there; those that cannot be read are left out."""
    seen, waiting = set[str](), [folder]
    while waiting:  # no recursion: folders may be nested deeper than Python calls
        place = waiting.pop()
        real = os.path.realpath(place)  # not by inode: network drives have 0 for all
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = _entries(place)
        except OSError as error:
            left_out.append(LeftOut(place, f"cannot be read: {_said(error)}"))
            continue
        yield place, entries
        waiting += reversed([path for path in entries if is_folder(path)])


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def named(left_out: Sequence[LeftOut], folder: Path) -> str:
    """Return what is left out of a folder and why on one line, inert: `a.pt, b.pt (a pickle); c (no file)`."""
    by_reason: dict[str, list[str]] = {}
    for item in left_out:
        inside = item.path.is_relative_to(folder) and item.path != folder
        by_reason.setdefault(item.reason, []).append(str(item.path.relative_to(folder) if inside else item.path))
    return "; ".join(f"{_some(names)} ({inert(reason, 300)})" for reason, names in by_reason.items())


def _some(names: list[str]) -> str:
    shown = ", ".join(map(_end, names[:_NAMED]))
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _end(name: str) -> str:
    """Return the end of a path, inert: what a folder far down is called tells more than where the disk begins."""
    shown = inert(name, len(name))
    return shown if len(shown) <= _SHOWN else f"…{shown[1 - _SHOWN :]}"


_PARTIAL = re.compile(r"\..+\.[0-9a-f]{8}\.partial", re.DOTALL)
"""Names of unfinished files, and of no download's: those have no digits of ours."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Return a context with a file that takes the place of `path` when it is whole and on the disk.

    Whatever ends the context early, a full disk or a kill, leaves the old content. Until then the new one lies beside
    it under a hidden name of its own: no list of files shows half of it, and two that write the same never meet.
    """
    partial = path.with_name(f".{path.name[:_KEPT]}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what a kill left of files that `replacing` had begun in a folder in which nobody else writes."""
    for path in folder.glob(".*.partial"):
        if _PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file whole; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Replace a file whole with UTF-8 text; see `replacing`."""
    write_bytes(path, text.encode())
