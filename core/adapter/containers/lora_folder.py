"""Which files in a folder are one LoRA together, as PEFT and diffusers lay them out."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...disk.files import by_name, folded, is_folder
from ...errors import AdapterError

WEIGHTS = (
    "adapter_model.safetensors",
    "pytorch_lora_weights.safetensors",
    "pytorch_custom_diffusion_weights.safetensors",
    "adapter_model.bin",
    "pytorch_lora_weights.bin",
)
CONFIG = "adapter_config.json"
_COMPONENT = r"unet|transformer|text[_-]?encoder(?:[_-]?[123lg])?|te(?:[_-]?[123])?|clip[_-]?[lg]|t5(?:xxl)?"
"""Names of components, in small letters."""
_OF_COMPONENT = re.compile(rf"((?:lora|peft)[_-])?({_COMPONENT})([_-](?:lora|peft|adapter))?")
"""Names of folders that hold one component's weights, such as `unet`, `unet_lora` or `lora_text_encoder_2`."""
_IN_A_NAME = re.compile(rf"(?<![a-z0-9])(?:{_COMPONENT})(?![a-z0-9])")
_ENCODERS = {"": "", "1": "", "l": "", "2": "_2", "g": "_2", "3": "_3", "t5": "_3", "t5xxl": "_3"}
"""What follows `text_encoder` by the last word of a name for one."""

Weights = tuple[tuple[Path, str | None], ...]
"""Files of one LoRA, each with its component where only folders name it."""


@dataclass(frozen=True)
class _Place:
    """A folder in which one component's part of a LoRA may lie."""

    folder: Path
    component: str
    """The component that its name, or that of the folder around it, says."""
    adapter: tuple[str, str]
    """What it has in common with the other parts: how component folders are named, and PEFT's name of the adapter."""


def weights_of(folder: Path) -> Weights:
    """Return the weight files of the one LoRA that a folder is, each with its component if only folders name it.

    That is a folder with weights in it, or with a folder of weights for each component, in which PEFT puts adapters
    that have a name into a folder of that name; names are taken in any case. Empty where the folder is no LoRA, or
    several of which none goes without a name. Raises UsageError where it cannot be read.
    """
    direct = _weights_among(by_name(folder))
    if direct is not None:
        return ((direct, component_of(folder)),)
    loras = loras_in_parts(folder)
    unnamed = [parts for (_, name), parts in loras.items() if not name]
    if len(loras) == 1 and len(next(iter(loras.values()))) > 1:
        return next(iter(loras.values()))
    return unnamed[0] if unnamed else ()


def loras_in_parts(folder: Path) -> Mapping[tuple[str, str], Weights]:
    """Return the LoRAs of which folders for components in `folder` hold a part, by what their parts have in common.

    Where no component is there twice, all parts are one LoRA, whatever they are called.
    """
    held = [(place, _weights_among(by_name(place.folder))) for place in _places(folder)]
    parts = [(place, file) for place, file in held if file is not None]
    if len(parts) > 1 and len({place.component for place, _ in parts}) == len(parts):
        return {("", ""): tuple((file, place.component) for place, file in parts)}
    loras: dict[tuple[str, str], list[tuple[Path, str | None]]] = {}
    for place, file in parts:
        loras.setdefault(place.adapter, []).append((file, place.component))
    return {adapter: tuple(files) for adapter, files in loras.items()}


def other_parts(folder: Path) -> tuple[Path, list[Path]]:
    """Return the folder around the LoRA of which `folder` is one component's part, and those of the others.

    Empty where it is no such part.
    """
    folder = folder.absolute()
    if component_of(folder) is None:  # told first: what lies around may be thousands, and would be listed for each
        return folder, []
    for around in (folder.parent, folder.parent.parent):
        for parts in loras_in_parts(around).values():
            places = [file.parent for file, _ in parts]
            if folder in places and len(places) > 1:
                return around, [place for place in places if place != folder]
    return folder, []


def require_whole(folder: Path, weights: Sequence[tuple[Path, str | None]]) -> None:
    """Raise AdapterError where `weights` are not all that the folder holds of one LoRA."""
    read = {file.parent for file, _ in weights}
    places = list(_places(folder))
    names = {"", *(place.adapter[1] for place in places if place.folder in read)}
    for place in places:
        if place.folder in read or place.adapter[1] not in names:
            continue
        shown = place.folder.relative_to(folder)
        held = _weights_among(by_name(place.folder))
        if folder in read and held is not None:
            raise AdapterError(f"it holds weights itself and in {shown}: name the file or the folder that is meant")
        if held is None and config_beside(place.folder / CONFIG) is not None:
            raise AdapterError(f"{shown} has a configuration, but no weights: the LoRA is not whole")


def component_of(folder: Path) -> str | None:
    """Return the component that the name of a folder says, or that of the one around it; None where neither does."""
    folder = folder.absolute()
    found = (_OF_COMPONENT.fullmatch(name.lower()) for name in (folder.name, folder.parent.name))
    return next((_called(match[2]) for match in found if match), None)


def without_components(name: str) -> tuple[str, str | None]:
    """Return what names have in common that differ in a component, and the last component in a name; None if none is.

    `my_unet_lora` and `My_TE_LoRA` have the first in common.
    """
    plain = folded(name)
    words = _IN_A_NAME.findall(plain)
    return _IN_A_NAME.sub("*", plain), _called(words[-1]) if words else None


def _called(word: str) -> str:
    """Return the component of one of its names."""
    if word in ("unet", "transformer"):
        return word
    return "text_encoder" + _ENCODERS[re.sub("^(?:text[_-]?encoder|te|clip)|[_-]", "", word)]


def config_beside(file: Path) -> Path | None:
    """Return the PEFT configuration beside a weight file, or beside what it links to; None where there is none."""
    for folder in dict.fromkeys((file.parent, Path(os.path.realpath(file)).parent)):
        exact = folder / CONFIG
        found = exact if os.path.lexists(exact) else by_name(folder).get(CONFIG)
        if found is not None:
            return found
    return None


def _places(folder: Path) -> Iterator[_Place]:
    for name, place in by_name(folder).items():
        match = _OF_COMPONENT.fullmatch(name)
        if match is None or not is_folder(place):
            continue
        naming, component = f"{match[1] or ''}{match[3] or ''}", _called(match[2])
        yield _Place(place, component, (naming, ""))
        for adapter, inner in by_name(place).items():
            if is_folder(inner):
                yield _Place(inner, component, (naming, adapter))


def _weights_among(entries: Mapping[str, Path]) -> Path | None:
    return next((entries[name] for name in WEIGHTS if name in entries), None)
