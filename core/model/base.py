"""Finding and loading the base model: a folder, a single-file checkpoint, a hub id, or the family's usual one."""

import re
import stat
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import families
from ..disk.files import open_regular
from ..disk.places import expanded
from ..disk.tensor_files import PICKLES, SAFETENSORS, START, is_pickle, what_it_is
from ..errors import OFF, Setting, UsageError, naming
from ..families import Family, Pipeline
from ..families.prompt_form import by_name
from ..foreign import Advice, foreign, require_utf8
from ..text import inert
from .index import index_file, require_folder
from .memory import AS_LOADED, Keeping
from .settings import config_file, configured_bases, configured_parts

if TYPE_CHECKING:
    import torch

    from .backends.diffusers import DiffusersDenoiser
    from .backends.files.weight_files import Header
    from .backends.parts import Parts

CONFIGS = Path(__file__).resolve().parent.parent / "families" / "configs"
"""Configuration and tokenizer of each family whose single-file checkpoints are read offline."""


@dataclass(frozen=True)
class BaseChoice:
    """Where a base model is to be loaded from."""

    path: str
    """Folder, file or hub id."""
    kind: str
    """"folder", "file" or "hub"."""


def choose_base(base: str | None, family: str | None) -> BaseChoice:
    """Return where to load the base from: `base` if given, else by family from the settings, else its hub id."""
    if base is not None:
        with naming(Setting("base")):
            return _by_name(base, "The base")
    if family is None:
        raise UsageError(
            "The LoRA does not say which base it was made for; name one by its path or hub id.", Setting("base")
        )
    known = families.get(family)
    if known.ships is not None:
        return BaseChoice(str(known.ships.base), "folder")
    if known.pipeline is None:
        titles = [other.title for other in families.audited()]
        raise UsageError(
            f"The LoRA is for {known.title}, which audits do not run on yet; they run on "
            f"{', '.join(titles[:-1])} and {titles[-1]}. The file itself can be inspected."
        )
    configured = configured_bases().get(family)
    if configured is not None:
        return _by_name(configured, f"{config_file()}, {family} =")
    if known.hub_id is None:
        raise UsageError(f"There is no usual base for {family}; name one by its path or hub id.", Setting("base"))
    return BaseChoice(known.hub_id, "hub")


def _by_name(base: str, given: str) -> BaseChoice:
    """Return what a name means; `given` says in messages where it stands."""
    if not base.strip():  # an empty path would be the folder that one is in
        raise UsageError(f"{given} is empty; name a path or a hub id.")
    path = expanded(base, given)
    require_utf8(path, given)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if _ADDRESS.match(base):
            raise UsageError(
                f"{given} {base} is an address, and none is fetched from; name a hub id such as owner/name, or the "
                "path of what you have downloaded."
            ) from None
        if _looks_like_path(base):
            raise UsageError(f"{given} {base}: no such file or folder.") from None
        return BaseChoice(base, "hub")
    except OSError as error:  # a folder on the way that may not be read, a name too long, a loop of links
        raise UsageError(f"{given} {base} cannot be opened: {error.strerror}.") from error
    return BaseChoice(str(path), "folder" if stat.S_ISDIR(mode) else "file")


_ADDRESS = re.compile(r"[A-Za-z]{2,}:/")
"""How addresses begin, such as https://; a single letter is a drive of Windows."""
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
"""What the hub calls its repositories."""


def _looks_like_path(base: str) -> bool:
    return not _HUB_ID.fullmatch(base) or base.lower().endswith((*SAFETENSORS, *PICKLES))


def load_base(
    choice: BaseChoice,
    device: "torch.device",
    dtype: "torch.dtype",
    *,
    offline: bool,
    keeping: Keeping = AS_LOADED,
    clip_skip: int = 0,
    names: Sequence[str] = (),
) -> "DiffusersDenoiser":
    """Return the base model on the device, kept as told; raise UsageError that says what to do where it cannot be.

    `clip_skip` is the layer of the text encoder at which prompts are read, counted from its last; 0 takes that of bases
    of such `names`.
    """
    from .backends import diffusers
    from .backends.networks import network_named
    from .backends.quantize import require_library
    from .backends.variant import with_times

    require_library(keeping)  # before gigabytes are read
    diffusers.silence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' notices to maintainers of checkpoints
        parts = _LOADERS[choice.kind](choice.path, dtype, offline)
        settings = network_named(parts.pipeline.network).settings(parts)
        family = families.of_base(parts.pipeline.name, settings)
        assert family is not None, "each pipeline has a family that asks for no settings"
        if choice.kind == "file":
            parts = with_times(parts, family.drawing((base_name(choice), *names)), family)
        skip = clip_skip or family.clip_skip((base_name(choice), *names))
        try:
            denoiser = diffusers.DiffusersDenoiser(parts, base_name(choice), family.name, None if skip == 1 else skip)
        except UsageError as error:
            raise error.at(choice.path) from error
    with foreign(f"{choice.path} cannot be brought to {device}", saving=keeping.saving()):
        denoiser.keep(device, keeping)
    return denoiser


def base_name(choice: BaseChoice) -> str:
    """Return how people call a base: its hub id, or the name of its file or folder."""
    if choice.kind == "hub":
        return choice.path
    path = Path(choice.path).resolve()
    titles = {family.ships.base: family.title for family in families.all_families() if family.ships is not None}
    return titles.get(path, path.name)


def _load_folder(path: str, dtype: "torch.dtype", offline: bool) -> "Parts":
    from .backends.files.folder import load_folder

    with foreign(f"{path} cannot be opened"):  # says so where it may not be read
        names = {item.name for item in Path(path).iterdir()}
    require_folder(Path(path), names)
    return load_folder(Path(path), dtype)


def _load_hub(path: str, dtype: "torch.dtype", offline: bool) -> "Parts":
    from .backends.files.folder import load_folder
    from .backends.files.hub import cached_folder, fetched_folder

    folder = cached_folder(path)
    if folder is not None:
        return load_folder(folder, dtype)
    otherwise = f"name a local copy, as the base or under [bases] in {config_file() or 'a file that OWF_CONFIG names'}"
    if offline:
        raise UsageError(
            f"{path} is not in the local hub cache, and nothing may be fetched. Allow it once, or {otherwise}.",
            Setting("offline", OFF),
            Setting("base"),
        )
    return load_folder(fetched_folder(path, dtype, Advice(f"Or {otherwise}.", (Setting("base"),))), dtype)


def _load_file(path: str, dtype: "torch.dtype", offline: bool) -> "Parts":
    from .backends.files.checkpoint import load_checkpoint
    from .backends.files.folder import load_folder
    from .backends.files.transformer_file import files_of_parts, load_parts

    alone = original_transformer(Path(path))
    if alone is not None:
        pipeline, family, root = alone.pipeline, alone.family.name, alone.root
        files = files_of_parts(Path(path), pipeline, family, root, configured_parts().get(family, {}))
        parts = load_folder(root, dtype, load_parts(files, pipeline, root, dtype))
        titles = {part.name: part.title for part in pipeline.weighted}
        own = {titles[name]: inert(file.name, 120) for name, file in files.items() if file != Path(path)}
        return replace(parts, own_files=own)
    header, pipeline, config = checkpoint_family(Path(path))
    return load_checkpoint(Path(path), header, pipeline, config, dtype)


@dataclass(frozen=True)
class TransformerFile:
    """What a file with a transformer in the names of its original code belongs to."""

    pipeline: Pipeline
    family: Family
    root: Path
    """Diffusers folder with settings and tokenizers of the base, and with weights of its other parts or without."""


def original_transformer(path: Path) -> TransformerFile | None:
    """Return what a file with a transformer in original names belongs to; None for any other file.

    Raises UsageError, with what to do, where the settings of its base are not on this machine.
    """
    from .backends.files.transformer_file import transformer_pipeline
    from .backends.files.weight_files import read_header
    from .backends.networks import network_named

    _require_safetensors(path)
    header = read_header(path)
    pipeline = transformer_pipeline(header)
    if pipeline is None:
        return None
    other = by_name(pipeline.lookalikes, (path.name, header.metadata.get("modelspec.title", "")))
    if other is not None:
        raise UsageError(f"{path} is called {other.what}, and audits run on text-to-image models.", Setting("base"))
    family = families.of_base(pipeline.name, network_named(pipeline.network).settings_of_file(header.shapes))
    assert family is not None, "each pipeline has a family that asks for no settings"
    return TransformerFile(pipeline, family, _settings_folder(path, family))


def _settings_folder(path: Path, family: Family) -> Path:
    """Return the diffusers folder with settings and tokenizers for a family's transformer in a file.

    It is the one that the user's settings name, or else the usual base in the hub's cache; weights it need not have.
    """
    from .backends.files.hub import cached_settings

    rest = choose_base(None, family.name)
    if rest.kind == "file" and family.hub_id is not None:  # another such file, or this one
        rest = BaseChoice(family.hub_id, "hub")
    root = cached_settings(rest.path) if rest.kind == "hub" else Path(rest.path)
    if rest.kind != "file" and root is not None and index_file(root).is_file():
        return root
    fetching = ", or download it from the hub: its files that end in .json, .txt and .model are enough"
    raise UsageError(
        f"{path} holds the transformer of a {family.title}, alone or with other parts. What it lacks, settings and "
        f"tokenizers at least, is taken from a diffusers folder, and {rest.path} is none on this machine: name one "
        f"under [bases] in "
        f'{config_file() or "a file that OWF_CONFIG names"}, as {family.name} = "folder"'
        f"{fetching if rest.kind == 'hub' else ''}."
    )


def checkpoint_family(path: Path) -> "tuple[Header, Pipeline, Path]":
    """Return the header of a single file, its pipeline, and the configuration that its family ships.

    Raises UsageError, with what the file is, for anything but a checkpoint that is read.
    """
    from .backends.files.checkpoint import require_checkpoint
    from .backends.files.weight_files import read_header
    from .backends.networks import network_named

    _require_safetensors(path)
    header = read_header(path)
    pipeline = require_checkpoint(path, header)
    settings = network_named(pipeline.network).settings_of_file(header.shapes)
    family = families.of_base(pipeline.name, settings)
    if family is None or not (CONFIGS / family.name).is_dir():
        raise UsageError(
            f"{path} is a checkpoint with {_as_words(settings)}, and single files are read for "
            f"{', '.join(p.name for p in sorted(CONFIGS.iterdir()))} only; name a diffusers folder of it.",
            Setting("base"),
        )
    return header, pipeline, CONFIGS / family.name


def _as_words(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _require_safetensors(path: Path) -> None:
    """Raise UsageError, with what the file is by its first bytes, unless its name ends as safetensors files do."""
    ending = path.suffix.lower()
    if ending in SAFETENSORS:
        return
    with foreign(f"{path} cannot be opened"), open_regular(path) as file:
        start = file.read(START)
    if ending in PICKLES and is_pickle(start):
        kind = "a pickle, which can run code"
    elif what_it_is(start):
        kind = what_it_is(start)
    elif ending in PICKLES:
        kind = f"a file that ends in {ending}, as pickles do, which can run code"
    else:
        kind = f"a file that ends in {inert(ending, 20)}" if ending else "a file without an ending"
    raise UsageError(
        f"{path}: only {' and '.join(SAFETENSORS)} checkpoints are read, and diffusers folders; this is {kind}."
    )


_LOADERS = {"folder": _load_folder, "hub": _load_hub, "file": _load_file}
