"""A Stable Diffusion model out of a diffusers folder, every part checked before and after it is loaded."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from ...disk.files import is_folder, listing, require_files
from ...errors import UsageError
from ...foreign import foreign
from ...text import inert
from .parts import Parts, SchedulerConfig, require_finite_weights, require_fit
from .weight_files import STEMS, choose_variant, read_object, require_floats, weight_files

LARGEST = 2**14
"""Largest width in a part's configuration: 5,120 in Stable Diffusion 2 is the largest that there is."""
LARGEST_ID = 2**17
"""Largest number of a token, and size of a vocabulary: Stable Diffusion's has 49,408."""
MOST_LAYERS = 64
"""Most layers of a kind: the deepest text encoder has 32. Building each takes time, whatever its width."""
MOST_ITEMS = 64
"""Most items of a list: they are one per level of a UNet, or per label of a classifier."""
MOST_SIDE = 1024
"""Largest side of latents, that of pictures of 8,192 pixels."""


@dataclass(frozen=True)
class _Kind:
    """A class that a part must be of: what else there is does not answer the questions that audits ask."""

    library: str
    names: tuple[str, ...]


KINDS = {
    "unet": _Kind("diffusers", ("UNet2DConditionModel",)),
    "vae": _Kind("diffusers", ("AutoencoderKL",)),
    "text_encoder": _Kind("transformers", ("CLIPTextModel",)),
    "tokenizer": _Kind("transformers", ("CLIPTokenizer", "CLIPTokenizerFast")),
}
"""Part of a pipeline -> what it must be."""
WEIGHTED = ("unet", "vae", "text_encoder")
"""Parts of a pipeline that have weights."""


def load_folder(path: Path, dtype: torch.dtype) -> Parts:
    """Return the parts in a diffusers folder, in `dtype`; safetensors only.

    Raises UsageError that names the file for anything but a whole Stable Diffusion 1 or 2 text-to-image model.
    """
    for place in (path, *(path / name for name in (*KINDS, "scheduler"))):
        if is_folder(place):
            require_files(place)
    index = read_object(path / "model_index.json")
    require_stable_diffusion(index, path)
    for name in KINDS:
        _require_kind(index, name, path)
    scheduler = read_object(path / "scheduler" / "scheduler_config.json")
    for name in WEIGHTED:
        _require_sane(read_object(path / name / "config.json"), path / name / "config.json")
    parts = Parts(
        unet=_load(path, "unet", dtype),
        vae=_load(path, "vae", dtype),
        text_encoder=_load(path, "text_encoder", dtype),
        tokenizer=_load_tokenizer(path / "tokenizer"),
        scheduler=SchedulerConfig(scheduler),
    )
    require_fit(parts, str(path))
    return parts


def require_stable_diffusion(index: Mapping[str, Any], path: Path) -> None:
    """Raise UsageError for the index of another pipeline than Stable Diffusion's text-to-image."""
    kind = index.get("_class_name")
    if kind != "StableDiffusionPipeline":
        raise UsageError(
            f"{path} is a {kind}; audits run on Stable Diffusion 1 and 2 text-to-image models so far "
            "(StableDiffusionPipeline)."
        )


def _require_kind(index: Mapping[str, Any], name: str, path: Path) -> None:
    kind, known = index.get(name), KINDS[name]
    if not isinstance(kind, list) or len(kind) != 2 or kind[0] != known.library or kind[1] not in known.names:
        raise UsageError(
            f"{path / 'model_index.json'}: the {name} is {kind!r}; a base that audits run on has "
            f"{known.library}'s {known.names[0]} there."
        )


def _require_sane(config: Mapping[str, Any], path: Path) -> None:
    """Raise UsageError for numbers that no model has: building what they say would take all memory, or forever."""
    for key, value in config.items():
        values = value if isinstance(value, list) else [value]
        if len(values) > MOST_ITEMS:
            raise UsageError(f"{path}: {inert(key)} lists {len(values)} items, and no model of this kind has so many.")
        most = _most(key)
        for number in values:
            if isinstance(number, (int, float)) and not abs(number) <= most:
                raise UsageError(f"{path}: {inert(key)} is {number}, and no model of this kind has more than {most}.")


def _most(key: str) -> int:
    if key == "sample_size":
        return MOST_SIDE
    if "layers" in key:
        return MOST_LAYERS
    return LARGEST_ID if key == "vocab_size" or key.endswith("_id") else LARGEST


def _load(path: Path, name: str, dtype: torch.dtype) -> nn.Module:
    """Return a part with all its weights from its files, and all of its files' weights."""
    folder, library = path / name, KINDS[name].library
    stem = STEMS[library]
    variant = choose_variant([p.name for p in folder.iterdir()], stem, dtype, str(folder))
    files = weight_files(folder, stem, variant)
    require_floats(files)
    with _small_endings(path, name, files) as readable, foreign(f"{folder} cannot be loaded"):
        part, seen = _class(name).from_pretrained(
            str(readable),
            subfolder=name,
            variant=variant,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **(dtype_option(dtype) if library == "diffusers" else {}),
        )
    _require_same_weights(folder, [str(k) for k in seen["missing_keys"]], [str(k) for k in seen["unexpected_keys"]])
    require_finite_weights(part, dtype, str(folder))
    return part.to(dtype)


@contextmanager
def _small_endings(path: Path, name: str, files: Sequence[Path]) -> Iterator[Path]:
    """Return a folder with the same part in it whose endings are in small letters: the libraries know no others."""
    if all(file.suffix == ".safetensors" for file in files):
        yield path
        return
    with TemporaryDirectory() as place:
        part = Path(place) / name
        part.mkdir()
        there = listing(path / name)
        links = {file.stem + file.suffix.lower(): file for file in there} | {file.name: file for file in there}
        for link, file in links.items():
            (part / link).symlink_to(file.absolute())
        yield Path(place)


def _class(name: str) -> Any:
    if name == "unet":
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

        return UNet2DConditionModel
    if name == "vae":
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        return AutoencoderKL
    from transformers import CLIPTextModel

    return CLIPTextModel


_BESIDE = ("position_ids", "vision_model.", "visual_projection.", "text_projection.", "logit_scale")
"""Parts of names of weights that a text encoder's file may hold besides its own: those of the whole CLIP."""


def _require_same_weights(folder: Path, missing: list[str], unexpected: list[str]) -> None:
    """Raise UsageError where the libraries filled in random numbers, or left weights out: they only log both."""
    if missing:
        raise UsageError(
            f"{folder}: {len(missing)} weights that its config.json asks for are not in its file under names known "
            f"here, such as {min(missing)}. The file is of another model or layout than its configuration says, or was "
            "saved by a release of transformers or diffusers that is newer than the one installed."
        )
    unknown = [name for name in unexpected if not any(part in name for part in _BESIDE)]
    if unknown:
        raise UsageError(
            f"{folder}: its file holds {len(unknown)} weights that its config.json has no place for, such as "
            f"{min(unknown)}: without them it is another model."
        )


def _load_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    for name in ("vocab.json", "merges.txt"):
        if not (folder / name).is_file() and not (folder / "tokenizer.json").is_file():
            raise UsageError(f"{folder / name} is not there, and no tokenizer.json either: nothing can read prompts.")
    with foreign(f"{folder} cannot be loaded as a tokenizer"):
        return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)


def dtype_option(dtype: torch.dtype) -> dict[str, torch.dtype]:
    """Return the loading option for the type of the weights, which diffusers renamed."""
    from diffusers.utils import deprecation_utils

    renamed = hasattr(deprecation_utils, "_TORCH_DTYPE_DEPRECATION_MESSAGE")
    return {"dtype" if renamed else "torch_dtype": dtype}
