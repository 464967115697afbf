"""Opening whatever a path names: a safetensors file, a PEFT folder, or a pickle on request."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import AdapterError
from ..files import by_name, is_folder
from ..tensor_files import PICKLES
from ..text import inert
from .metadata import rank_stabilised
from .peft_config import NO_CONFIG, RANK_STABILISED, PeftConfig, from_metadata, from_text
from .safetensors_file import open_safetensors, regular_size
from .source import Source

_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3")
_WEIGHTS = (
    "adapter_model.safetensors",
    "pytorch_lora_weights.safetensors",
    "pytorch_custom_diffusion_weights.safetensors",
    "adapter_model.bin",
    "pytorch_lora_weights.bin",
)
_CONFIG = "adapter_config.json"
_CONFIG_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Part:
    """One container of a LoRA; a PEFT folder per component gives several."""

    source: Source
    """The container."""
    component: str | None = None
    """Component that its names do not mention; None when they do or it must be guessed."""
    configs: Mapping[str, PeftConfig] = field(default_factory=dict)
    """PEFT configuration per component; the empty name stands for all."""
    config_file: Path | None = None
    """Where the configuration was read from; None where it lies in the container, or there is none."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Return all files that decide what the part means."""
        return (self.source.path,) if self.config_file is None else (self.source.path, self.config_file)

    def config(self, component: str) -> PeftConfig:
        """Return the configuration for modules of `component`; raises AdapterError where only others have one."""
        found = self.configs.get(component) or self.configs.get("")
        if found is None and self.configs:
            others = ", ".join(inert(name, 40) for name in sorted(self.configs))
            raise AdapterError(f"the file's configuration is for {others} only, so that its scale is unknown")
        return found or NO_CONFIG

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what in the configurations could not be followed."""
        return tuple(note for config in self.configs.values() for note in config.warnings)


def open_parts(path: Path, *, allow_pickle: bool) -> tuple[Part, ...]:
    """Return the containers at `path`; raises AdapterError for anything that is no LoRA container."""
    if not is_folder(path):
        component = _component(path.parent) if path.name.lower() in _WEIGHTS else None
        return (_open_file(path, component, allow_pickle),)
    weights = weights_of(path)
    _require_whole(path, weights)
    if not weights:
        raise AdapterError(f"the folder holds none of {', '.join(_WEIGHTS)}; give a LoRA file or a PEFT folder")
    return tuple(_open_file(file, component, allow_pickle) for file, component in weights)


def weights_of(folder: Path) -> tuple[tuple[Path, str | None], ...]:
    """Return the weight files of the one LoRA that a folder is, each with its component if only folders name it.

    That is a folder with weights in it, or with a folder of weights for each component; names are taken in any case.
    Empty where the folder is no LoRA. Raises UsageError where it cannot be read.
    """
    entries = by_name(folder)
    direct = _weights_among(entries)
    if direct is not None:
        return ((direct, _component(folder)),)
    places = {name: entries[name] for name in _COMPONENTS if name in entries and is_folder(entries[name])}
    found = ((_weights_among(by_name(place)), name) for name, place in places.items())
    return tuple((file, name) for file, name in found if file is not None)


def _require_whole(folder: Path, weights: Sequence[tuple[Path, str | None]]) -> None:
    """Raise AdapterError where `weights` are not all that the folder holds of one LoRA."""
    entries = by_name(folder)
    read = {file.parent for file, _ in weights}
    for name in _COMPONENTS:
        place = entries.get(name)
        if place is None or not is_folder(place) or place in read:
            continue
        held = _weights_among(by_name(place))
        if weights and held is not None:
            raise AdapterError(f"it holds weights itself and in {name}: name the file or the folder that is meant")
        if held is None and config_beside(place / _CONFIG) is not None:
            raise AdapterError(f"{name} has a configuration, but no weights: the LoRA is not whole")


def _component(folder: Path) -> str | None:
    name = folder.absolute().name.lower()
    return name if name in _COMPONENTS else None


def _weights_among(entries: Mapping[str, Path]) -> Path | None:
    return next((entries[name] for name in _WEIGHTS if name in entries), None)


def config_beside(file: Path) -> Path | None:
    """Return the PEFT configuration beside a weight file, or beside what it links to; None where there is none."""
    for folder in dict.fromkeys((file.parent, file.resolve().parent)):
        exact = folder / _CONFIG
        found = exact if exact.exists() else by_name(folder).get(_CONFIG)
        if found is not None:
            return found
    return None


_SHARD = re.compile(r".*-(\d{5})-of-(\d{5})\..*")


def _open_file(path: Path, component: str | None, allow_pickle: bool) -> Part:
    shard = _SHARD.fullmatch(path.name)
    if shard and int(shard[2]) > 1:
        raise AdapterError(f"one of {int(shard[2])} files that are one LoRA together; put their tensors into one file")
    source = _open_container(path, allow_pickle)
    configs = from_metadata(source.metadata)
    if not configs and rank_stabilised(source.metadata):
        configs = {"": RANK_STABILISED}
    written_by_peft = path.name.lower().startswith("adapter_model.") or any(
        "base_model.model." in name for name in source.entries
    )
    beside = config_beside(path) if written_by_peft and not configs else None
    if beside is not None:
        return Part(source, component, {"": from_text(_read_text(beside))}, beside)
    return Part(source, component, configs)


def _open_container(path: Path, allow_pickle: bool) -> Source:
    if path.suffix.lower() not in PICKLES:
        return open_safetensors(path)
    if not allow_pickle:
        raise AdapterError(f"{path.suffix} files are pickles, which can run code: convert it, or pass --allow-pickle")
    from .pickle_file import open_pickle

    return open_pickle(path)


def _read_text(path: Path) -> str:
    if regular_size(path) > _CONFIG_LIMIT:
        raise AdapterError(f"{_CONFIG} is larger than {_CONFIG_LIMIT} bytes")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:  # names of modules with replaced letters would fit none
        raise AdapterError(f"{_CONFIG} is not UTF-8") from error
