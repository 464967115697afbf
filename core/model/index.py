"""The file by which a diffusers folder is told, and which says of what the base in it is made. No torch."""

from collections.abc import Set
from pathlib import Path

from .. import families
from ..errors import Setting, UsageError

PLAIN, MODULAR = "model_index.json", "modular_model_index.json"
"""Its name, and that of a folder of a modular pipeline: some have both, and mean the same parts."""


def index_file(folder: Path) -> Path:
    """Return the index in a folder; the usual name where there is none."""
    modular = folder / MODULAR
    return modular if modular.is_file() and not (folder / PLAIN).is_file() else folder / PLAIN


def as_a_part(path: Path) -> str:
    """Return what to name instead of a component's folder, or of a file in one; empty where no base lies above."""
    part = path.absolute() if path.is_dir() else path.absolute().parent
    if not (part / "config.json").is_file() or not index_file(part.parent).is_file():
        return ""
    return f"It is part of the model in {part.parent}: name that folder."


def require_folder(path: Path, names: Set[str]) -> None:
    """Raise UsageError, with what else a folder with these `names` in it is, unless it is a diffusers folder."""
    if names & {PLAIN, MODULAR}:
        return
    if "adapter_config.json" in names:
        other = "It holds a LoRA of PEFT: name it as one, not as the base."
    elif "config.json" in names:
        other = as_a_part(path) or "It seems to be one part of a model: name the folder that holds all of them."
    else:
        other = f"{families.what_bases_are()}."
    said = f"{path} is not a diffusers folder of a model: it has no {PLAIN}."
    raise UsageError(f"{said} {other}", Setting("base"))
