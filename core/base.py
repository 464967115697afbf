"""Finding and loading the base model: a folder, a single-file checkpoint, a hub id, or the family's usual one."""

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import families
from .errors import UsageError
from .policy import read_toml

if TYPE_CHECKING:
    import torch

    from .backends.diffusers import DiffusersDenoiser

ROOT = Path(__file__).resolve().parent.parent
AUDITED = ("sd15", "sd2")
"""Families that audits run on, besides the demo base."""

CUSTOM = "custom"
"""Family of a base that has the Stable Diffusion architecture in sizes of its own."""

DEMO_BASE = ROOT / "demo" / "base"
"""The small base model that ships with the project."""

DEMO_LORAS = tuple(
    path
    for name in ("owf_demo_plain", "owf_demo_dc")
    if (path := ROOT / "demo" / "lora" / f"{name}.safetensors").is_file()
)
"""The LoRAs that the demo audits: one concept trained plainly, and with drift correction."""

CONFIGS = Path(__file__).resolve().parent / "families" / "configs"
"""Configuration and tokenizer of each family whose single-file checkpoints are read offline."""


@dataclass(frozen=True)
class BaseChoice:
    """Where a base model is to be loaded from."""

    path: str
    """Folder, file or hub id."""
    kind: str
    """"folder", "file" or "hub"."""


def config_file() -> Path:
    """Return the path of the user's settings: $OWF_CONFIG, or config.toml in the user's configuration folder."""
    if "OWF_CONFIG" in os.environ:
        return Path(os.environ["OWF_CONFIG"])
    home = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    if sys.platform == "win32":
        home = Path(os.environ.get("APPDATA", home))
    return home / "owf" / "config.toml"


def choose_base(base: str | None, family: str | None) -> BaseChoice:
    """Return where to load the base from: `base` if given, else by family from the settings, else its hub id."""
    if base is not None:
        return _by_name(base)
    if family is None:
        raise UsageError("The LoRA does not say which base it was made for; name one with --base PATH_OR_ID.")
    if family == "demo":
        return BaseChoice(str(DEMO_BASE), "folder")
    if family not in AUDITED:
        raise UsageError(
            f"The LoRA is for {families.get(family).title}, which audits do not run on yet; they run on "
            f"{' and '.join(families.get(name).title for name in AUDITED)}. `owf-audit inspect` reads the file."
        )
    configured = _configured_bases().get(family)
    if configured is not None:
        return _by_name(configured)
    hub_id = families.get(family).hub_id
    if hub_id is None:
        raise UsageError(f"There is no usual base for {family}; name one with --base PATH_OR_ID.")
    return BaseChoice(hub_id, "hub")


def _by_name(base: str) -> BaseChoice:
    path = Path(base).expanduser()
    if path.is_dir():
        return BaseChoice(str(path), "folder")
    if path.is_file():
        return BaseChoice(str(path), "file")
    if _looks_like_path(base):
        raise UsageError(f"--base {base}: no such file or folder.")
    return BaseChoice(base, "hub")


def _looks_like_path(base: str) -> bool:
    return base.count("/") != 1 or base.startswith((".", "/", "~")) or base.endswith((".safetensors", ".ckpt"))


def _configured_bases() -> dict[str, str]:
    path = config_file()
    if not path.is_file():
        return {}
    bases = read_toml(path).get("bases", {})
    if not isinstance(bases, dict) or not all(isinstance(v, str) for v in bases.values()):
        raise UsageError(f'{path}: [bases] must map family names to paths or hub ids, e.g. sd15 = "model.safetensors".')
    return bases


def load_base(
    choice: BaseChoice, device: "torch.device", dtype: "torch.dtype", *, offline: bool
) -> "DiffusersDenoiser":
    """Return the base model on the device; raise UsageError that says what to do where it cannot be loaded."""
    from .backends import diffusers

    diffusers.silence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' notices to maintainers of checkpoints
        pipeline = _LOADERS[choice.kind](choice.path, dtype, offline)
    family = _family_of(diffusers.context_width(pipeline), pipeline.unet.config.sample_size)
    for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
        part.to(device)
    return diffusers.DiffusersDenoiser(pipeline, _name(choice), family)


def _name(choice: BaseChoice) -> str:
    if choice.kind == "hub":
        return choice.path
    path = Path(choice.path).resolve()
    return "OWF demo base" if path == DEMO_BASE else path.name


def _load_folder(path: str, dtype: "torch.dtype", offline: bool) -> Any:
    from .backends.diffusers import load_pipeline_folder

    try:
        return load_pipeline_folder(path, dtype, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a complete diffusers folder of a Stable Diffusion model: {error}") from error


def _load_hub(path: str, dtype: "torch.dtype", offline: bool) -> Any:
    from .backends.diffusers import load_pipeline_folder

    try:
        return load_pipeline_folder(path, dtype, local_files_only=True)
    except (OSError, ValueError) as missing:
        if offline:
            raise UsageError(
                f"{path} is not in the local hub cache and --offline forbids fetching it. Run once without "
                f"--offline, name a local copy with --base PATH, or set it under [bases] in {config_file()}."
            ) from missing
    try:
        return load_pipeline_folder(path, dtype, local_files_only=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} could not be fetched from the hub: {error}. Check the name and the network, or name a local "
            f"copy with --base PATH or under [bases] in {config_file()}."
        ) from error


def _load_file(path: str, dtype: "torch.dtype", offline: bool) -> Any:
    from .backends.diffusers import load_pipeline_file

    if not path.endswith(".safetensors"):
        raise UsageError(f"{path}: only .safetensors checkpoints are read; pickles can run code.")
    family = _checkpoint_family(path)
    config = CONFIGS / family
    if not config.is_dir():
        raise UsageError(f"{path} is a checkpoint of family {family}; give --base a diffusers folder of it instead.")
    try:
        return load_pipeline_file(path, str(config), dtype)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UsageError(f"{path} cannot be read as a {family} checkpoint: {error}") from error


_LOADERS = {"folder": _load_folder, "hub": _load_hub, "file": _load_file}


_DEMO_SIZES = (32, 8)
"""Cross-attention width and latent side of the demo base."""

_CROSS_ATTENTION_KEY = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


def _checkpoint_family(path: str) -> str:
    """Return the family of a single-file checkpoint by the width of its first cross-attention."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            if _CROSS_ATTENTION_KEY not in file.keys():  # noqa: SIM118 - not a dict
                raise UsageError(
                    f"{path} is not a Stable Diffusion 1 checkpoint; give --base a diffusers folder or hub id instead."
                )
            return _family_of(file.get_slice(_CROSS_ATTENTION_KEY).get_shape()[-1])
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is not a readable safetensors file: {error}") from error


def _family_of(width: int, latent_side: int | None = None) -> str:
    """Return the family of a base by the width of its cross-attention and, for the demo base, its latents."""
    if (width, latent_side) == _DEMO_SIZES:
        return "demo"
    names = [f.name for f in families.all_families() if f.context_width == width]
    return names[0] if names else CUSTOM
