"""Which LoRAs a path means: a file, a folder that is one, or all in a folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..disk.files import LeftOut, composed, folded, is_folder, scan
from ..disk.tensor_files import PICKLES, SAFETENSORS
from ..errors import Setting, UsageError
from .apart import beside, doubts
from .containers.downloads import is_unfinished
from .containers.lora_folder import WEIGHTS, config_beside, other_parts, weights_of


@dataclass(frozen=True)
class Found:
    """The LoRAs at a path."""

    paths: tuple[Path, ...]
    """Each a file, or a folder that is one LoRA."""
    left_out: tuple[LeftOut, ...] = ()
    """What else there might have been taken for a LoRA."""
    doubts: tuple[str, ...] = ()
    """Sentences on LoRAs that may be parts of one."""


def find_loras(path: Path) -> Found:
    """Return the LoRAs at a path: the file itself, or every LoRA in a folder and below, each once, sorted by name.

    Several files are one LoRA where `weights_of` says so: a PEFT folder, or one with a folder for each component.
    Pickles are left out of folders, as one that is no LoRA may lie in any of them. Raises UsageError for a path that
    does not exist or a folder that cannot be read.
    """
    if is_folder(path):
        path = path if path.name not in ("", "..") else path.resolve()  # a report is named by it
        found = scan(path, _one_lora)
        files = [file for file in found.files if file.suffix.lower() in SAFETENSORS]
        loras = sorted([*found.wholes, *_each_once(files)], key=_order)
        parts = {lora: _part_of(lora, loras) for lora in loras}
        reasons = [*found.left_out, *map(_not_used, found.files)]
        left_out = [item for item in reasons if item.reason and _looks_like_one(item.path)]
        left_out += [LeftOut(lora, reason) for lora, reason in parts.items() if reason]
        whole = tuple(lora for lora in loras if not parts[lora])
        return Found(whole, (*left_out, *_around(path, whole)), tuple(doubts(whole)))
    _require_there(path)
    return Found((path,), tuple(_around(path, [path])))


def _around(path: Path, loras: Sequence[Path]) -> list[LeftOut]:
    """Return what lies around a path that leads to one LoRA and may belong to it."""
    halves = _other_halves(path if is_folder(path) else path.parent) if is_folder(path) or _is_a_half(path) else []
    told, within = {item.path for item in halves}, path.absolute()
    others = beside(loras[0]) if len(loras) == 1 else []
    return halves + [
        item for item in others if not told & {item.path, item.path.parent} and not item.path.is_relative_to(within)
    ]


def _require_there(path: Path) -> None:
    """Raise UsageError for a path at which there is nothing, or nothing that may be looked at."""
    try:
        path.stat()
    except FileNotFoundError:
        raise UsageError(
            f"{path}: {'a link that leads nowhere' if path.is_symlink() else 'no such file or folder'}."
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _is_a_half(file: Path) -> bool:
    """Return whether a file is the weights of its folder, which may be one component's."""
    if folded(file.name) not in WEIGHTS:  # told first: a folder of thousands would be read for each file in it
        return False
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


def _not_used(file: Path) -> LeftOut:
    if file.suffix.lower() in PICKLES:
        reason = "a pickle, which can run code: name the file itself, and say that you trust it"
        return LeftOut(file, reason, (Setting("allow_pickle"),))
    return LeftOut(file, "an unfinished download" if is_unfinished(file) else "")


def _looks_like_one(path: Path) -> bool:
    """Return whether somebody might miss it: by its ending, or as a folder that was not looked into."""
    endings = {suffix.lower() for suffix in path.suffixes}
    return not endings or bool(endings & {*SAFETENSORS, *PICKLES}) or is_folder(path)


def _part_of(lora: Path, loras: Sequence[Path]) -> str:
    """Return why a find is only a part of a LoRA, whose other parts are finds of their own; "" where it is none.

    So are adapters that have a name of their own, where several lie in the folders of the same components.
    """
    folder = lora if is_folder(lora) else lora.parent
    if folder != lora and not _is_a_half(lora):
        return ""
    try:
        _, others = other_parts(folder)
    except UsageError:
        return ""
    if not others:
        return ""
    known = {place.absolute() for place in loras} | {lora.parent.absolute() for lora in loras}
    also = [place for place in others if place in known]
    if not also:
        return ""
    return f"a part of one LoRA with {also[0]}: put both into a folder of their own, in folders named like components"


def _other_halves(folder: Path) -> list[LeftOut]:
    """Return the folders of the same LoRA's other components, where a folder is that of one component."""
    try:
        around, others = other_parts(folder)
        together = folder.absolute() in [file.parent for file, _ in weights_of(around)]
    except UsageError:  # a folder above that may not be read has nothing to say here
        return []
    advice = f"; name {around} to audit all of it" if together else ""
    return [LeftOut(place, f"another part of the same LoRA{advice}") for place in others]
