"""A model out of one file with the names of the original code."""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .... import families
from ....errors import Setting, UsageError
from ....families import Part, Pipeline
from ....foreign import foreign
from ...index import as_a_part
from ..networks import network_named
from ..parts import Parts, SchedulerConfig, dtype_of, in_dtype, require_channels, require_finite_weights
from .folder import class_of, dtype_option
from .markers import prediction
from .scaled import require_known_formats, values
from .text_encoders import load_text_encoder, shipped_tokenizer
from .weight_files import Header, opened, read_object, require_floats

_LORA = "a LoRA: name it as one, not as the base"
_OTHERS = (
    (
        r"(lora|oft|lycoris)_(unet|te\d?|transformer)_.*|.*([._]lora[._]|\.(hada_w1|lokr_w1|oft_blocks|oft_R|lora_magnitude)).*"
        r"|.*\.(diff(_b)?|[wb]_norm|on_input|dora_scale|[ab][12]\.weight)",
        _LORA,
    ),
    (r"control_model\..*|controlnet_.*|input_hint_block\..*", "a ControlNet"),
    (r"conditioner\.embedders\.0\.model\..*", "an SDXL refiner"),
    (r"(model\.diffusion_model\.)?joint_blocks\..*", "a Stable Diffusion 3 checkpoint"),
    (r"(model\.diffusion_model\.)?double_blocks\..*", "a FLUX checkpoint, or one like it"),
    (
        r"(model\.diffusion_model\.)?transformer_blocks\..*|(model\.diffusion_model\.)?layers\..*",
        "a transformer in names that are read from diffusers folders alone: name the folder with its model_index.json",
    ),
    (r"cond_stage_model\.model\..*", "a Stable Diffusion 2 checkpoint: name a diffusers folder of it"),
)
"""Names of weights -> what a file with such is; the first that fits."""
_SHARE = 0.02
"""Least share of a file's tensors whose names say what it is. The smallest part that does, the text encoder of an SDXL
refiner, has a sixth of them; what merging and training leave in a sound checkpoint is a tensor or a few."""
_ALONE = (  # text encoders before VAEs: since transformers 5, names of CLIP's layers begin with encoder. too
    (r"(input_blocks|down_blocks|middle_block|mid_block)\..*", "a UNet without its VAE and text encoder"),
    (
        r"(text_model|cond_stage_model|embeddings|transformer\.resblocks)\..*"
        r"|encoder\.layers\.\d+\.(self_attn|mlp|layer_norm\d)\..*|encoder\.block\.\d+\.layer\..*",
        "a text encoder alone",
    ),
    (r"(encoder|decoder|first_stage_model|quant_conv|post_quant_conv)\..*", "a VAE alone"),
    (r"emb_params|string_to_param.*|clip_[lg]", "an embedding (textual inversion)"),
)


def require_checkpoint(path: Path, header: Header) -> Pipeline:
    """Return the pipeline whose checkpoint a file is; raise UsageError, with what it is, unless it is a whole one."""
    names = header.shapes
    kind = _kind(names, _OTHERS)
    if kind is not None:
        raise UsageError(f"{path} is no base but {kind}. {_instead(path, kind)}", Setting("base"))
    pipeline = max(_read(), key=lambda pipeline: _held(names, pipeline))
    there = {part.title: any(name.startswith(part.prefix) for name in names) for part in pipeline.weighted}
    lacking = [title for title, found in there.items() if not found]
    denoiser = pipeline.parts[0]
    if lacking and there[denoiser.title]:
        raise UsageError(
            f"{path} is a {pipeline.checkpoint} checkpoint without {' and '.join(lacking)}. Name one that has them, or "
            "a diffusers folder.",
            Setting("base"),
        )
    if lacking:
        kind = _kind(names, _ALONE)
        some = f"it holds {len(names)} tensors, such as {min(names)}" if names else "it holds no tensors"
        said = f"{path} is no base: {f'it is {kind}' if kind else some}."
        raise UsageError(f"{said} {_instead(path, kind or '')}", Setting("base"))
    first = header.shapes.get(f"{denoiser.prefix}input_blocks.0.0.weight", ())
    last = header.shapes.get(f"{denoiser.prefix}out.2.weight", ())
    if len(first) == 4 and len(last) == 4:
        require_channels(first[1], last[0], 4, str(path))
    return pipeline


def _instead(path: Path, kind: str) -> str:
    """Return what to name instead of a file of a kind that is no base."""
    part = "" if kind == _LORA else as_a_part(path)
    return part or f"{families.what_bases_are()}."


def _read() -> list[Pipeline]:
    return [pipeline for pipeline in families.pipelines() if pipeline.checkpoint]


def _held(names: Collection[str], pipeline: Pipeline) -> int:
    prefixes = tuple(part.prefix for part in pipeline.weighted)
    return sum(name.startswith(prefixes) for name in names)


def _kind(names: Collection[str], kinds: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, kind in kinds:
        if sum(re.fullmatch(pattern, name) is not None for name in names) > _SHARE * len(names):
            return kind
    return None


def load_checkpoint(path: Path, header: Header, pipeline: Pipeline, config: Path, dtype: torch.dtype) -> Parts:
    """Return the parts of a checkpoint, read with the configuration folder of its family, in `dtype`."""
    require_known_formats(path)
    require_floats([path], tuple(part.prefix for part in pipeline.weighted))
    scheduler = read_object(config / "scheduler" / "scheduler_config.json") | prediction(header, path)
    models: dict[str, Any] = {}
    for part in pipeline.parts:
        if not part.prefix:
            models[part.name] = shipped_tokenizer(config / part.name)
            continue
        place, load = (
            config / part.name,
            {"diffusers": load_autoencoder, "transformers": load_text_encoder}[part.library],
        )
        own = dtype_of(part, read_object(place / "config.json"), dtype)
        models[part.name] = load(path, part, place, own)
    parts = Parts(pipeline, models, SchedulerConfig(scheduler), read_object(config / "model_index.json"))
    network_named(pipeline.network).require_fit(parts, str(path))
    return parts


def load_autoencoder(path: Path, part: Part, config: Path, dtype: torch.dtype) -> torch.nn.Module:
    """Return a UNet or VAE of diffusers' own from its weights in a file."""
    with opened(path) as file:
        weights = dict(values(path, file, part.prefix, dtype))
    doing = f"{path} cannot be loaded as a {part.title}"
    with foreign(doing), _naming_missing_weights(doing):
        model = class_of(part).from_single_file(
            weights, config=str(config.parent), subfolder=config.name, local_files_only=True, **dtype_option(dtype)
        )
    require_finite_weights(model, dtype, f"{path}, {part.title}")
    _require_all_weights(path, part, model)
    return in_dtype(model, dtype)


@contextmanager
def _naming_missing_weights(doing: str) -> Iterator[None]:
    """Say what is meant where diffusers moves a part that the file had no weights for: it speaks of meta tensors."""
    try:
        yield
    except NotImplementedError as error:
        if "meta" not in str(error):
            raise
        raise UsageError(f"{doing}: weights are missing, or have names that are not known here.") from error


_BESIDE = re.compile(r".*(model_ema\..*|loss\..*)")
"""What trainers and mergers leave under a part's prefix, and no picture depends on."""


def _require_all_weights(path: Path, part: Part, model: torch.nn.Module) -> None:
    """Raise UsageError unless a part's weights are exactly those that the file has under its prefix.

    diffusers leaves what it does not find random, and out what it does not know, without a word. It reshapes and
    renames, so sizes and sums are compared.
    """
    dtype, title = next(iter(model.parameters())).dtype, part.title
    loaded = Counter(_mark(tensor) for name, tensor in model.state_dict().items() if not _BESIDE.fullmatch(name))
    with opened(path) as file:
        found = values(path, file, part.prefix, dtype)
        held = {name: _mark(value) for name, value in found if not _BESIDE.fullmatch(name)}
    left_out = list((Counter(held.values()) - loaded).elements())
    if left_out:
        name = next(name for name, mark in held.items() if mark in left_out)
        raise UsageError(f"{path}: {len(left_out)} weights of the {title} have no place in it, such as {name}.")
    if loaded - Counter(held.values()):
        raise UsageError(
            f"{path}: {(loaded - Counter(held.values())).total()} weights of the {title} are not in the file under "
            "names known here."
        )


def _mark(tensor: torch.Tensor) -> tuple[int, float]:
    return tensor.numel(), float(tensor.double().sum())
