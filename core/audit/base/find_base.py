"""The checkpoint that a LoRA file names, among the user's own. No torch; nothing is loaded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import families
from ...adapter.naming.stated.stated_base import StatedBase
from ...disk.digests import Digests, legacy_hash
from ...disk.files import scan
from ...disk.tensor_files import SAFETENSORS
from ...errors import UsageError
from ...model.base import BaseChoice
from ...model.index import index_file
from ...model.names import base_names
from ...progress import Progress
from ...text import inert
from .base_in_use import UsedBase, is_named, same_hash, same_name, says_something


@dataclass(frozen=True)
class FoundBase:
    """A checkpoint that a LoRA names."""

    choice: BaseChoice
    """Where it lies."""
    by: str
    """What it was recognised by: "hash" or "name"."""


def find_base(stated: StatedBase, folders: Sequence[Path], digests: Digests, progress: Progress) -> FoundBase | None:
    """Return the checkpoint in the folders and below that a LoRA names; None where it names none, or it is not there.

    A hash finds it whatever it is called. A name counts where no hash does: a copy in another type, or another
    version of it. Large files are read only where nothing cheaper decides. Raises UsageError for a folder that cannot
    be read.
    """
    if not is_named(stated):
        return None
    files, wholes = _candidates(folders)
    namesakes = [path for path in files if _is_namesake(path.stem, stated)]
    by_hash = _with_hash(stated, namesakes, digests, progress) or _with_hash(
        stated, [path for path in files if path not in namesakes], digests, progress
    )
    if by_hash is not None:
        return FoundBase(BaseChoice(str(by_hash), "file"), "hash")
    if namesakes:
        return FoundBase(BaseChoice(str(namesakes[0]), "file"), "name")
    named = next((path for path in wholes if _is_namesake(path.name, stated)), None)
    return None if named is None else FoundBase(BaseChoice(str(named), "folder"), "name")


def used_base(
    choice: BaseChoice, name: str, family: str, stated: StatedBase, digests: Digests, progress: Progress
) -> UsedBase:
    """Return what the base in use is called and, as far as a comparison with the stated one needs it, its hashes."""
    known = families.get(family)
    are_told_apart = any(drawing.title for drawing in known.drawings)
    title = known.drawing((name, *base_names(choice))).title if are_told_apart else ""
    if choice.kind != "file":
        return UsedBase(name, family=family, title=title)
    return UsedBase(name, *_hashes(Path(choice.path), stated, digests, progress), family, title)


def _candidates(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the checkpoint files, and the diffusers folders, in and below some folders, each once."""
    files: dict[Path, None] = {}
    wholes: dict[Path, None] = {}
    for folder in folders:
        found = scan(folder, _files_of_a_whole)
        files |= dict.fromkeys(path for path in found.files if path.suffix.lower() in SAFETENSORS)
        wholes |= dict.fromkeys(found.wholes)
    return list(files), list(wholes)


def _files_of_a_whole(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if index_file(folder).is_file() else []


def _is_namesake(name: str, stated: StatedBase) -> bool:
    return says_something(stated.name) and same_name(name, stated.name)


def _with_hash(stated: StatedBase, paths: Iterable[Path], digests: Digests, progress: Progress) -> Path | None:
    if not stated.sha256 and not stated.legacy:
        return None
    for path in paths:
        try:
            used = UsedBase(path.name, *_hashes(path, stated, digests, progress))
        except UsageError:  # one that cannot be read is not the one
            continue
        if same_hash(stated, used):
            return path
    return None


def _hashes(path: Path, stated: StatedBase, digests: Digests, progress: Progress) -> tuple[str, str]:
    """Return (sha256, legacy hash) of a file, each where it is stated; the first only if the second does not decide."""
    try:
        legacy = legacy_hash(path) if stated.legacy else ""
        if not stated.sha256 or legacy != stated.legacy:
            return "", legacy
        progress.stage(f"Hashing {inert(path.name, 60)}")
        return digests.sha256(path, progress), legacy
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
