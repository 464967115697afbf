"""Finding and loading the base model: a folder, a single-file checkpoint, a hub id, or the family's usual one."""

import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import families
from ..demo import DEMO_BASE
from ..disk.places import expanded
from ..disk.tensor_files import PICKLES, SAFETENSORS, START, what_it_is
from ..errors import OFF, Setting, UsageError, naming
from ..foreign import Advice, foreign, require_utf8
from ..text import inert
from .settings import CUSTOM, config_file, configured_bases

if TYPE_CHECKING:
    import torch

    from .backends.diffusers import DiffusersDenoiser
    from .backends.parts import Parts

AUDITED = ("sd15", "sd2")
"""Families that audits run on, besides the demo base."""

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
    if family == "demo":
        return BaseChoice(str(DEMO_BASE), "folder")
    if family not in AUDITED:
        raise UsageError(
            f"The LoRA is for {families.get(family).title}, which audits do not run on yet; they run on "
            f"{' and '.join(families.get(name).title for name in AUDITED)}. `owf-audit inspect` reads the file."
        )
    configured = configured_bases().get(family)
    if configured is not None:
        return _by_name(configured, f"{config_file()}, {family} =")
    hub_id = families.get(family).hub_id
    if hub_id is None:
        raise UsageError(f"There is no usual base for {family}; name one by its path or hub id.", Setting("base"))
    return BaseChoice(hub_id, "hub")


def _by_name(base: str, given: str) -> BaseChoice:
    """Return what a name means; `given` says in messages where it stands."""
    path = expanded(base, given)
    require_utf8(path, given)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if _looks_like_path(base):
            raise UsageError(f"{given} {base}: no such file or folder.") from None
        return BaseChoice(base, "hub")
    except OSError as error:  # a folder on the way that may not be read, a name too long, a loop of links
        raise UsageError(f"{given} {base} cannot be opened: {error.strerror}.") from error
    return BaseChoice(str(path), "folder" if stat.S_ISDIR(mode) else "file")


def _looks_like_path(base: str) -> bool:
    return base.count("/") != 1 or base.startswith((".", "/", "~")) or base.lower().endswith((*SAFETENSORS, *PICKLES))


def load_base(
    choice: BaseChoice, device: "torch.device", dtype: "torch.dtype", *, offline: bool
) -> "DiffusersDenoiser":
    """Return the base model on the device; raise UsageError that says what to do where it cannot be loaded."""
    from .backends import diffusers
    from .backends.parts import latent_side

    diffusers.silence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' notices to maintainers of checkpoints
        parts = _LOADERS[choice.kind](choice.path, dtype, offline)
        family = _family_of(parts.unet.config.cross_attention_dim, latent_side(parts.unet.config))
        try:
            denoiser = diffusers.DiffusersDenoiser(parts, _name(choice), family)
        except UsageError as error:
            raise error.at(choice.path) from error
    with foreign(f"{choice.path} cannot be brought to {device}"):
        for part in (parts.vae, parts.unet, parts.text_encoder):
            part.to(device)
    return denoiser


def _name(choice: BaseChoice) -> str:
    if choice.kind == "hub":
        return choice.path
    path = Path(choice.path).resolve()
    return "OWF demo base" if path == DEMO_BASE else path.name


def _load_folder(path: str, dtype: "torch.dtype", offline: bool) -> "Parts":
    from .backends.folder import load_folder

    with foreign(f"{path} cannot be opened"):  # says so where it may not be read
        names = {item.name for item in Path(path).iterdir()}
    if "model_index.json" not in names:
        raise UsageError(f"{path} is not a diffusers folder of a Stable Diffusion model: it has no model_index.json.")
    return load_folder(Path(path), dtype)


def _load_hub(path: str, dtype: "torch.dtype", offline: bool) -> "Parts":
    from .backends.folder import load_folder
    from .backends.hub import cached_folder, fetched_folder

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
    from .backends.checkpoint import load_checkpoint, read_header, require_checkpoint

    _require_safetensors(Path(path))
    header = read_header(Path(path))
    require_checkpoint(Path(path), header)
    width = header.shapes.get(_CROSS_ATTENTION_KEY, (0,))[-1]
    family = _family_of(width)
    config = CONFIGS / family
    if not config.is_dir():
        raise UsageError(
            f"{path} is a checkpoint whose cross-attention is {width} wide, and single files are read for "
            f"{', '.join(p.name for p in sorted(CONFIGS.iterdir()))} only; name a diffusers folder of it.",
            Setting("base"),
        )
    return load_checkpoint(Path(path), header, config, dtype)


def _require_safetensors(path: Path) -> None:
    """Raise UsageError, with what the file is, unless its name ends as safetensors files do."""
    ending = path.suffix.lower()
    if ending in SAFETENSORS:
        return
    kind = "a pickle, which can run code"
    if ending not in PICKLES:
        with foreign(f"{path} cannot be opened"), path.open("rb") as file:
            start = file.read(START)
        unknown = f"a file that ends in {inert(ending, 20)}" if ending else "a file without an ending"
        kind = what_it_is(start) or unknown
    raise UsageError(
        f"{path}: only {' and '.join(SAFETENSORS)} checkpoints are read, and diffusers folders; this is {kind}."
    )


_LOADERS = {"folder": _load_folder, "hub": _load_hub, "file": _load_file}


_DEMO_SIZES = (32, 8)
"""Cross-attention width and latent side of the demo base."""

_CROSS_ATTENTION_KEY = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


def _family_of(width: int, latent_side: int | None = None) -> str:
    """Return the family of a base by the width of its cross-attention and, for the demo base, its latents."""
    if (width, latent_side) == _DEMO_SIZES:
        return "demo"
    names = [f.name for f in families.all_families() if f.context_width == width]
    return names[0] if names else CUSTOM
