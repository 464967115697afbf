"""Opening whatever a path names: a safetensors file, a PEFT folder, or a pickle on request."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..disk.files import is_folder
from ..disk.tensor_files import PICKLES, START, is_pickle, what_it_is
from ..errors import AdapterError, Setting
from ..text import inert
from .containers.downloads import note_beside
from .containers.lora_folder import CONFIG, WEIGHTS, component_of, config_beside, require_whole, weights_of
from .containers.safetensors import open_safetensors, regular_size
from .containers.source import Source
from .naming.names import place
from .naming.stated.metadata import rank_stabilised
from .naming.stated.peft_config import NO_CONFIG, RANK_STABILISED, PeftConfig, from_metadata, from_text

_CONFIG_LIMIT = 1024 * 1024
"""Bytes of a PEFT configuration that are read: one that names every layer of a large network has a tenth."""


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
    notes: tuple[str, ...] = ()
    """What lies beside the file and speaks against it, such as an unfinished download."""

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
        """Return what in the configurations could not be followed, and what beside the file speaks against it."""
        return (*(note for config in self.configs.values() for note in config.warnings), *self.notes)


def open_parts(path: Path, *, allow_pickle: bool) -> tuple[Part, ...]:
    """Return the containers at `path`; raises AdapterError for anything that is no LoRA container."""
    if not is_folder(path):
        component = component_of(path.parent) if path.name.lower() in WEIGHTS else None
        return (_open_file(path, component, allow_pickle),)
    weights = weights_of(path)
    require_whole(path, weights)
    if not weights:
        raise AdapterError(f"the folder holds none of {', '.join(WEIGHTS)}; give a LoRA file or a PEFT folder")
    return tuple(_open_file(file, component, allow_pickle) for file, component in weights)


_SHARD = re.compile(r".*[-_](\d+)[-_]of[-_](\d{1,5})\..*", re.ASCII)


def _open_file(path: Path, component: str | None, allow_pickle: bool) -> Part:
    shard = _SHARD.fullmatch(path.name)
    if shard and int(shard[2]) > 1:
        raise AdapterError(f"one of {int(shard[2])} files that are one LoRA together; put their tensors into one file")
    download = note_beside(path)
    try:
        source = _open_container(path, allow_pickle)
    except AdapterError as error:
        if not download:
            raise
        raise AdapterError(f"{error}; {download}", *error.settings) from error
    configs = from_metadata(source.metadata)
    if not configs and rank_stabilised(source.metadata):
        configs = {"": RANK_STABILISED}
    written_by_peft = path.name.lower().startswith("adapter_model.") or any(
        "base_model.model." in name for name in source.entries
    )
    is_the_folders = path.name.lower() in WEIGHTS and [file for file, _ in weights_of(path.parent)] == [path]
    beside = config_beside(path) if written_by_peft or is_the_folders else None
    notes = (download,) if download else ()
    if beside is not None and (configs or not written_by_peft):
        notes += tuple(_not_followed(beside, configs))
        beside = None
    if beside is not None:
        configs = {"": from_text(_read_text(beside))}
    configs = {owner: _checked(config, owner, source, component) for owner, config in configs.items()}
    return Part(source, component, configs, beside, notes)


def _not_followed(beside: Path, configs: Mapping[str, PeftConfig]) -> Iterator[str]:
    """Yield why a configuration beside a file is not followed, unless it says what that in the file does."""
    if not configs:
        yield f"{CONFIG} lies beside it and is not followed: programs read it with adapter_model files only"
        return
    try:
        same = all(from_text(_read_text(beside)) == config for config in configs.values())
    except (AdapterError, OSError):
        same = False
    if not same:
        yield f"{CONFIG} beside it and the metadata in it say different things: the metadata are followed"


def _checked(config: PeftConfig, owner: str, source: Source, component: str | None) -> PeftConfig:
    """Return the configuration of `owner` without what the tensors settle.

    Raises AdapterError where weights were trained whole besides the factors, and are not in the file.
    """
    if not config.whole and not config.whole_biases:
        return config
    places = (place(name, component) for name in source.entries)
    if any(at and at.slot in ("weight", "bias") and owner in ("", at.component) for at in places):
        return replace(config, whole_biases=False)  # they are there: each is a problem of its own
    if config.whole:
        raise AdapterError(
            f"its configuration sets {config.whole}, but the file holds none of the weights that were trained so: "
            "the LoRA is not whole"
        )
    return config


def _open_container(path: Path, allow_pickle: bool) -> Source:
    if path.suffix.lower() not in PICKLES:
        return open_safetensors(path)
    if not allow_pickle:
        regular_size(path)
        with path.open("rb") as file:
            start = file.read(START)
        if not is_pickle(start) and what_it_is(start):
            raise AdapterError(what_it_is(start))
        raise AdapterError(
            f"{path.suffix} files are pickles, which can run code: convert it, or say that you trust it",
            Setting("allow_pickle"),
        )
    from .containers.pickle import open_pickle

    return open_pickle(path)


def _read_text(path: Path) -> str:
    if regular_size(path) > _CONFIG_LIMIT:
        raise AdapterError(f"{CONFIG} is larger than {_CONFIG_LIMIT} bytes")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:  # names of modules with replaced letters would fit none
        raise AdapterError(f"{CONFIG} is not UTF-8") from error
