"""What may be a part of a LoRA but does not lie with it: told by names of folders and files, and never put together."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..disk.files import LeftOut, is_folder, listing
from ..disk.tensor_files import PICKLES, SAFETENSORS
from ..errors import UsageError
from ..text import inert
from .containers.lora_folder import component_of, loras_in_parts, weights_of, without_components

_LEVELS = 3
"""Names at the end of a path in which components are looked for, as in `unet/<adapter>/my.safetensors`."""
_NAMED = 3
"""So many of the LoRAs in a sentence are named; the rest is counted."""
_HOW = (
    "Parts are read as one LoRA where each lies as adapter_model.safetensors in a folder named like its component "
    "(unet, text_encoder, text_encoder_2), and these in one folder."
)


def doubts(loras: Sequence[Path]) -> list[str]:
    """Return a sentence for each group of LoRAs that are read one by one, though they may be parts of one."""
    found = [f"{_shown(parts)} are LoRAs of their own here, but named like parts of one." for parts in _alike(loras)]
    for lora in filter(is_folder, loras):
        others = _among_parts(lora, loras)
        if others:
            verb = "is a LoRA of its own here, but lies" if len(others) == 1 else "are LoRAs of their own here, but lie"
            found.append(f"{_shown(others)} {verb} among the parts of {_shown([lora])}.")
    return [f"{sentence} {_HOW}" for sentence in found]


def beside(named: Path) -> list[LeftOut]:
    """Return what may be a part of the LoRA that was named itself, but lies beside it."""
    named = named.absolute()
    try:
        alike = [LeftOut(place, "by its name another part of the same LoRA") for place in _named_alike(named)]
        near = _neighbours(named if is_folder(named) else named.parent)
        return alike + [LeftOut(place, "it lies beside: another LoRA, or a part of this one") for place in near]
    except UsageError:  # a folder above that may not be read has nothing to say here
        return []


def _alike(loras: Iterable[Path]) -> Iterator[list[Path]]:
    """Yield the LoRAs whose paths differ in the component only, where there are several."""
    alike: dict[tuple[str, ...], dict[str, Path]] = {}
    for lora in loras:
        common, component = _in_common(lora)
        if component:
            alike.setdefault(common, {}).setdefault(component, lora)
    yield from (list(parts.values()) for parts in alike.values() if len(parts) > 1)


def _in_common(path: Path) -> tuple[tuple[str, ...], str]:
    """Return what the paths of parts of a LoRA have in common, and the component that this one names; "" for none."""
    names = [without_components(name) for name in path.parts[-_LEVELS:]]
    component = next((component for _, component in reversed(names) if component), "")
    # No base has both kinds of denoisers: what differs in them only is no part of one LoRA.
    return (*path.parts[:-_LEVELS], *(name for name, _ in names)), "unet" if component == "transformer" else component


def _among_parts(folder: Path, loras: Iterable[Path]) -> list[Path]:
    """Return the LoRAs in a folder of folders for components that are none of its parts, but might be one."""
    parts = [file.parent for file, _ in weights_of(folder)]
    if folder in parts:
        return []
    read = {component_of(part) for part in parts}
    return [lora for lora in loras if _is_no_other(lora, folder, read)]


def _is_no_other(lora: Path, folder: Path, read: set[str | None]) -> bool:
    """Return whether a LoRA may be the part of a component that was not `read`, under a name that is not known."""
    if is_folder(lora):
        return lora.parent == folder and _holds_weights(lora)
    return lora.parent.parent == folder and component_of(lora.parent) not in {None, *read}


def _named_alike(named: Path) -> Iterator[Path]:
    """Yield the files, or folders of adapters, whose paths differ from that of a LoRA in the component only."""
    common, component = _in_common(named)
    levels = range(max(len(named.parts) - _LEVELS, 1), len(named.parts))
    first = next((at for at in levels if without_components(named.parts[at])[1]), None)
    if first is None:
        return
    places = [Path(*named.parts[:first])]
    for wanted in common[first:]:
        entries = (entry for place in places if is_folder(place) for entry in listing(place))
        places = [entry for entry in entries if without_components(entry.name)[0] == wanted]
    for place in places:
        if _in_common(place)[1] not in ("", component) and _is_one(place, named):
            yield place


def _is_one(place: Path, like: Path) -> bool:
    """Return whether something looks like a LoRA, as a file or a folder as another is."""
    if is_folder(like):
        return is_folder(place) and bool(weights_of(place))
    return not is_folder(place) and place.suffix.lower() in {*SAFETENSORS, *PICKLES}


def _neighbours(folder: Path) -> list[Path]:
    """Return the folders of adapters around and beside those for components, and these for one of the others."""
    for around in (folder.parent, folder.parent.parent):
        parts = [file.parent for weights in loras_in_parts(around).values() for file, _ in weights]
        if folder in parts:
            known = {place for part in parts for place in (part, part.parent)}
            others = [place for place in listing(around) if place not in known]
            return [place for place in (around, *others) if _holds_weights(place)]
        if parts and folder.parent == around and _holds_weights(folder):
            return parts
    return []


def _holds_weights(folder: Path) -> bool:
    return is_folder(folder) and any(file.parent == folder for file, _ in weights_of(folder))


def _shown(paths: Iterable[Path]) -> str:
    shown = [inert(str(path), 300) for path in paths]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more
