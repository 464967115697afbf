"""The files of ComfyUI's models folder that hold the text encoders and VAE of a base, beside one with its transformer.

What a file is says what is in it: whether names and shapes of its weights are those of the part. Names of files decide
nothing, and where several fit, the user does.
"""

from pathlib import Path

import torch

from ....disk.files import each_once, scan
from ....disk.tensor_files import SAFETENSORS
from ....errors import UsageError
from ....families import Part
from ....text import inert
from ...settings import config_file
from .folder import empty_part
from .part_file import fits, is_read
from .weight_files import STEMS, choose_variant, weight_files

_OF_TRANSFORMERS = ("diffusion_models", "unet")
"""Folders in which ComfyUI keeps transformers; the latter is the older name."""
_OF_PARTS = {"transformers": ("text_encoders", "clip"), "diffusers": ("vae",)}
"""Those in which it keeps text encoders, and VAEs."""
_SHOWN = 6
"""So many files are named in a message."""


def part_beside(transformer: Path, part: Part, family: str, root: Path) -> Path | None:
    """Return the file with a part of a base whose transformer lies in a file; None where the base's folder has it.

    `root` is the diffusers folder with the base's settings, which may lack weights, and `family` what the user's
    settings call it. Raises UsageError that names the candidates, and the setting that decides, unless one file fits.
    """
    lacks = _lacks(root / part.name, part)
    if not lacks:
        return None
    places, files = _files(transformer, part)
    empty = empty_part(part, root / part.name)
    fitting = [file for file in files if fits(file, part, empty)]
    found = [file for file in fitting if is_read(file)] or fitting  # why one that does not is said when it is loaded
    if len(found) == 1:
        return found[0]
    if found:
        said = f"{len(found)} files beside {transformer} fit as its {part.title}: {_some(found)}."
    elif not places:
        said = f"{lacks} Beside {transformer} nothing is looked for, as it lies in no {' or '.join(_OF_TRANSFORMERS)}."
    else:
        seen = f", but {_some(files)}" if files else ""
        said = f"{lacks} Nor is there a {part.title} of this size in {' or '.join(map(str, places))}{seen}."
    setting = f'{part.name} = "FILE" in a table [parts.{family}]'
    raise UsageError(f"{said} Name the file by {setting} in {config_file() or 'a file that OWF_CONFIG names'}.")


def _lacks(folder: Path, part: Part) -> str:
    """Return in a sentence why a part's folder has no weights; "" where it has some."""
    try:
        stem = STEMS[part.library]
        names = [path.name for path in folder.glob("*")]
        weight_files(folder, stem, choose_variant(names, stem, torch.float32, str(folder)))
    except UsageError as error:
        return str(error)
    return ""


def _files(transformer: Path, part: Part) -> tuple[list[Path], list[Path]]:
    """Return the folders of such parts beside the one that a transformer lies in, and the safetensors files in them."""
    above = (folder for folder in transformer.absolute().parents if folder.name.lower() in _OF_TRANSFORMERS)
    own = next(above, None)
    if own is None:
        return [], []
    places = [own.parent / name for name in _OF_PARTS[part.library]]
    there = [file for place in places if place.is_dir() for file in scan(place, lambda folder: []).files]
    files, _ = each_once(file for file in there if file.suffix.lower() in SAFETENSORS)
    return places, sorted(files)


def _some(files: list[Path]) -> str:
    named = ", ".join(inert(file.name, 80) for file in files[:_SHOWN])
    return named if len(files) <= _SHOWN else f"{named} and {len(files) - _SHOWN} more"
