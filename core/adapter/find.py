"""Which LoRAs a path means: a file, a folder that is one, or all in a folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..files import LeftOut, composed, is_folder, scan
from ..tensor_files import PICKLES, SAFETENSORS
from .sources import config_beside, weights_of

_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".incomplete", ".tmp")
"""What browsers and download managers put behind the name of a file until it is complete."""


@dataclass(frozen=True)
class Found:
    """The LoRAs at a path."""

    paths: tuple[Path, ...]
    """Each a file, or a folder that is one LoRA."""
    left_out: tuple[LeftOut, ...] = ()
    """What else there might have been taken for a LoRA."""


def find_loras(path: Path) -> Found:
    """Return the LoRAs at a path: the file itself, or every LoRA in a folder and below, each once, sorted by name.

    Several files are one LoRA where `weights_of` says so: a PEFT folder, or one with a folder for each component.
    Pickles are left out of folders, as one that is no LoRA may lie in any of them. Raises UsageError for a path that
    does not exist or a folder that cannot be read.
    """
    if is_folder(path):
        path = path if path.name not in ("", "..") else path.resolve()  # a report is named by it
        found = scan(path, _one_lora)
        loras = _each_once([file for file in found.files if file.suffix.lower() in SAFETENSORS])
        reasons = [*found.left_out, *(LeftOut(file, _why_not(file)) for file in found.files)]
        left_out = [item for item in reasons if item.reason and _looks_like_one(item.path)]
        return Found(tuple(sorted([*found.wholes, *loras], key=_order)), (*left_out, *_other_halves(path)))
    if not path.exists():
        raise UsageError(f"{path}: {'a link that leads nowhere' if path.is_symlink() else 'no such file or folder'}.")
    return Found((path,), tuple(_other_halves(path.parent)) if _is_a_half(path) else ())


def _is_a_half(file: Path) -> bool:
    """Return whether a file is the weights of its folder, which may be one component's."""
    try:
        return [other for other, _ in weights_of(file.absolute().parent)] == [file.absolute()]
    except UsageError:
        return False


def _each_once(files: Sequence[Path]) -> list[Path]:
    """Return the files, of links to one file the first."""
    return list({os.path.realpath(file): file for file in reversed(files)}.values())


def _order(path: Path) -> tuple[str, ...]:
    return tuple(map(composed, path.parts))


def _one_lora(folder: Path) -> Sequence[Path]:
    """Return the weight files that are one LoRA together; one file that is all of it stands for itself."""
    weights = [file for file, _ in weights_of(folder)]
    together = len(weights) > 1 or any(file.parent != folder or config_beside(file) for file in weights)
    return weights if together else ()


def _why_not(file: Path) -> str:
    if file.suffix.lower() in PICKLES:
        return "a pickle, which can run code: name the file itself, with --allow-pickle"
    return "an unfinished download" if file.suffix.lower() in _UNFINISHED else ""


def _looks_like_one(path: Path) -> bool:
    """Return whether somebody might miss it: by its ending, or as a folder that was not looked into."""
    endings = {suffix.lower() for suffix in path.suffixes}
    return not endings or bool(endings & {*SAFETENSORS, *PICKLES}) or is_folder(path)


def _other_halves(folder: Path) -> list[LeftOut]:
    """Return the folders of the same LoRA's other components, where a folder is that of one component."""
    parent = folder.absolute().parent
    try:
        weights = weights_of(parent)
    except UsageError:  # a folder above that may not be read has nothing to say here
        return []
    places = [file.parent for file, component in weights if file.parent != parent and component]
    if folder.absolute() not in places:
        return []
    reason = f"another part of the same LoRA; name {parent} to audit all of it"
    return [LeftOut(place, reason) for place in places if place != folder.absolute()]
