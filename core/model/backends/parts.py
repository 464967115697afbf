"""The parts of a diffusion model, and whether they fit together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ...errors import Setting, UsageError
from ...families import OTHER_INPUTS, Part, Pipeline
from .kept_as_stored import plain_state

_LEAST_VOCABULARY = 0.9
"""Least share of the text encoder's embeddings that its tokenizer can ask for: below, most words read as unknown."""


@dataclass(frozen=True)
class SchedulerConfig:
    """A scheduler as far as it is needed."""

    config: Mapping[str, Any]
    """Its settings by name."""


@dataclass(frozen=True)
class Parts:
    """A loaded model; each part is an attribute too, under its name in the pipeline."""

    pipeline: Pipeline
    """What it is made of."""
    models: Mapping[str, Any]
    """Name of each part -> the part."""
    scheduler: SchedulerConfig
    index: Mapping[str, Any]
    """Settings of the pipeline."""
    own_files: Mapping[str, str] = field(default_factory=dict)
    """Title of each part that was read from a file of its own -> the file's name."""

    def __getattr__(self, name: str) -> Any:
        models = self.__dict__.get("models", {})
        if name in models:
            return models[name]
        raise AttributeError(name)


def require_width(width: int, context: int, path: str) -> None:
    """Raise UsageError where the text that goes into a UNet is not as wide as it takes."""
    if width != context:
        raise UsageError(
            f"{path}: the text encoder gives {width} numbers a token and the UNet's cross-attention takes {context}: "
            "they are of different models."
        )


def require_side(config: Any, path: str) -> None:
    """Raise UsageError where a UNet does not say what size it was made for."""
    if latent_side(config) is None:
        raise UsageError(f"{path}: the UNet's config.json does not say its sample_size, the side of its latents.")


def require_channels(inputs: int, outputs: int, latent: int, path: str) -> None:
    """Raise UsageError unless a UNet takes and gives as many channels as the VAE's latents have."""
    if inputs != latent:
        kind = OTHER_INPUTS.get(inputs) if latent == 4 else None
        raise UsageError(
            f"{path}: the UNet takes {inputs} channels and the VAE's latents have {latent}"
            + (f", as in {kind}" if kind else "")
            + ". What it would be given besides a picture's latents is not known here; audits run on text-to-image "
            "models."
        )
    if outputs != latent:
        raise UsageError(f"{path}: the UNet predicts {outputs} channels and the VAE's latents have {latent}.")


def latent_side(config: Any) -> int | None:
    """Return the side of the square latents that a UNet is made for, None where its configuration does not say."""
    side = config.sample_size
    if isinstance(side, (list, tuple)) and len(set(side)) == 1:
        side = side[0]
    return side if type(side) is int and side > 0 else None


def pixels_of_unet(parts: Any) -> int:
    """Return the side in pixels of what the latents become that a pipeline's UNet is made for."""
    side = latent_side(parts.unet.config)
    assert side is not None, "require_side refuses bases without"
    return side * pixels_per_latent(parts.vae.config)


def pixels_per_latent(vae: Any) -> int:
    """Return the side in pixels of one latent by an AutoencoderKL's configuration: each level but one halves."""
    return 2 ** (len(vae.block_out_channels) - 1)


def scaled(config: Any, mean: torch.Tensor) -> torch.Tensor:
    """Return latents as denoisers have them, from the mean of an AutoencoderKL of such a configuration."""
    shift = getattr(config, "shift_factor", None)
    return (mean - shift if shift else mean) * config.scaling_factor


def unscaled(config: Any, latents: torch.Tensor) -> torch.Tensor:
    """Return what an AutoencoderKL of such a configuration decodes; the inverse of `scaled`."""
    shift, plain = getattr(config, "shift_factor", None), latents / config.scaling_factor
    return plain + shift if shift else plain


_MORE = ("class_embed_type", "addition_embed_type", "encoder_hid_dim_type", "time_cond_proj_dim", "num_class_embeds")
"""Settings of UNets that are asked with more than noised latents, a timestep and text."""


def require_plain_unet(parts: Any, path: str, known: tuple[tuple[str, str], ...] = ()) -> None:
    """Raise UsageError for a UNet that is asked with more than latents, timestep, text and what is `known`."""
    config, latent = parts.unet.config, parts.vae.config.latent_channels
    require_channels(config.in_channels, config.out_channels, latent, path)
    for name in _MORE:
        value, expected = getattr(config, name, None), dict(known).get(name)
        if value is None and expected is not None:
            raise UsageError(f"{path}: the UNet has no {name}, and that of this pipeline has {expected!r}.")
        if value != expected:
            raise UsageError(
                f"{path}: the UNet asks for more than latents, timestep and text ({name} is {value!r}); what else it "
                "would be given is not known here."
            )


def require_plain_vae(config: Any, path: str) -> None:
    """Raise UsageError for a VAE that needs more than its scaling_factor between pixels and latents."""
    require_scaled_vae(config, path)
    if getattr(config, "shift_factor", None):
        raise UsageError(f"{path}: the VAE shifts its latents, as no Stable Diffusion 1, 2 or XL does.")


def require_scaled_vae(config: Any, path: str) -> None:
    """Raise UsageError for a VAE that needs more than numbers for scale and shift between pixels and latents."""
    if (config.in_channels, config.out_channels) != (3, 3):
        raise UsageError(
            f"{path}: the VAE takes {config.in_channels} and gives {config.out_channels} colour channels instead of 3."
        )
    if not isinstance(config.scaling_factor, (int, float)) or not config.scaling_factor > 0:
        raise UsageError(f"{path}: the VAE's scaling_factor is {config.scaling_factor!r}.")
    shift = getattr(config, "shift_factor", None)
    if shift is not None and not (isinstance(shift, (int, float)) and math.isfinite(shift)):
        raise UsageError(f"{path}: the VAE's shift_factor is {shift!r}.")
    if any(getattr(config, name, None) for name in ("latents_mean", "latents_std")):
        raise UsageError(
            f"{path}: the VAE shifts each channel of its latents (latents_mean), as none that is read does."
        )


def require_channels_of(inputs: int, outputs: int, wanted: int, path: str) -> None:
    """Raise UsageError unless a transformer takes and gives as many channels as a token of latents has."""
    if (inputs, outputs) != (wanted, wanted):
        raise UsageError(
            f"{path}: the transformer takes {inputs} channels and gives {outputs}, and a token of the VAE's latents "
            f"has {wanted}. What else it would be given is not known here; audits run on text-to-image models."
        )


def require_width_of(width: int, taken: int, title: str, path: str) -> None:
    """Raise UsageError where what a text encoder gives is not as wide as what the transformer takes of it."""
    if width != taken:
        raise UsageError(
            f"{path}: {title} gives {width} numbers and the transformer takes {taken} of it: they are of different "
            "models."
        )


def require_places(known: Sequence[object], asked: Sequence[int], setting: str, path: str) -> None:
    """Raise UsageError where a transformer knows fewer places along an axis than prompts and pictures have."""
    if len(known) != len(asked) or any(type(k) is not int or k < a for k, a in zip(known, asked, strict=True)):
        raise UsageError(
            f"{path}: the transformer's {setting} is {list(known)}, fewer places than prompts and pictures "
            f"have: {list(asked)}."
        )


def require_angles_of(axes: Sequence[int], width: int, path: str) -> None:
    """Raise UsageError where places are turned into angles of other than all numbers of an attention's head."""
    if not all(type(axis) is int and axis > 0 for axis in axes) or sum(axes) != width:
        raise UsageError(
            f"{path}: the transformer's axes_dims_rope are {list(axes)}, and must add up to the {width} numbers of a "
            "head of its attention (attention_head_dim)."
        )


def require_size(vae: Any, patch: int, path: str) -> None:
    """Raise UsageError where a VAE's configuration says no size of pictures that patches of latents cover."""
    size, each = vae.sample_size, patch * 2 ** (len(vae.block_out_channels) - 1)
    if type(size) is not int or size <= 0 or size % each:
        raise UsageError(f"{path}: the VAE's sample_size is {size!r}, and pictures have a multiple of {each} pixels.")


def require_words(tokenizer: Any, text_encoder: Any, path: str) -> None:
    """Raise UsageError where tokenizer and text encoder are of different models; cut prompts where the encoder must."""
    config = getattr(text_encoder.config, "text_config", text_encoder.config)  # one that sees too has two
    require_vocabulary(tokenizer, config.vocab_size, "text encoder", path)
    places = getattr(config, "max_position_embeddings", None)
    if places is not None:  # T5 knows distances alone
        # A tokenizer without settings knows no length at all, and would pad every prompt to 10^30 tokens.
        tokenizer.model_max_length = min(tokenizer.model_max_length, places)


def require_vocabulary(tokenizer: Any, rows: int, reader: str, path: str) -> None:
    """Raise UsageError where a tokenizer is of another model than the part with `rows` embeddings for its tokens."""
    numbers = tokenizer.get_vocab().values()
    if not numbers or max(numbers) >= rows or len(numbers) < _LEAST_VOCABULARY * rows:
        raise UsageError(
            f"{path}: the tokenizer knows {len(numbers):,} tokens (numbers up to {max(numbers, default=0):,}) and the "
            f"{reader} has {rows:,}: they are of different models, or the tokenizer's files are not whole."
        )


def require_finite_weights(part: nn.Module, dtype: torch.dtype, where: str) -> None:
    """Raise UsageError where a weight is NaN or infinite, or too large for the type that the model is to run in."""
    for name, tensor in plain_state(part):
        if tensor.is_meta:
            raise UsageError(f"{where}: {name} has no weights in the file.")
        if not tensor.is_floating_point():
            continue
        if not torch.isfinite(tensor).all():
            raise UsageError(f"{where}: {name} holds NaN or infinite weights, so the model can answer nothing.")
        if not torch.isfinite(tensor.to(dtype)).all():
            raise UsageError(
                f"{where}: {name} has weights too large for {dtype}; use the type float32 or bfloat16.",
                Setting("dtype", "float32"),
            )


def in_dtype(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a model with its weights in a type.

    What is computed and not saved, such as the frequencies by which language models turn places into angles, stays in
    float32, as the libraries keep it: rounded, a place 100 words on is turned by a tenth of a radian too much.
    """
    saved = module.state_dict(keep_vars=True)
    for name, tensor in saved.items():
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(torch.float32 if is_kept_wide(module, name) else dtype)
    return module


def is_kept_wide(module: nn.Module, name: str) -> bool:
    """Return whether a weight of a model of diffusers' stays in float32 whatever its type, as its class says.

    Krea 2's norms do, which add 1 to their weights.
    """
    if type(module).__module__.partition(".")[0] != "diffusers":
        return False
    kept = getattr(module, "_keep_in_fp32_modules", None) or ()
    return any(part in kept for part in name.split("."))


def dtype_of(part: Part, config: Mapping[str, Any], dtype: torch.dtype) -> torch.dtype:
    """Return the type that a part of a model in `dtype` runs in.

    It is float32 for one that overflows in float16, which most VAEs of Stable Diffusion XL do: `force_upcast` false in
    its configuration says that this one does not, and that it does is diffusers' default.
    """
    if part.overflows and dtype == torch.float16 and config.get("force_upcast", True):
        return torch.float32
    return dtype
