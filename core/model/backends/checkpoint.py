"""A Stable Diffusion model out of one file with the names of the original code."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ...disk.files import open_regular
from ...errors import Setting, UsageError
from ...foreign import foreign
from ...prediction_types import EPSILON, V, prediction_named
from ...text import inert
from .folder import dtype_option, read_object
from .parts import Parts, SchedulerConfig, require_channels, require_finite_weights, require_fit
from .weight_files import opened, require_floats

PREFIXES = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "cond_stage_model.transformer.",
}
"""Part -> how its weights' names begin."""
_TITLES = {"unet": "UNet", "vae": "VAE", "text_encoder": "text encoder"}

_OTHERS = (
    (r"(lora_(unet|te\d?)_|.*[._]lora[._]|.*\.hada_w1|.*\.lokr_w1).*", "a LoRA: name it as one, not as the base"),
    (r"control_model\..*|controlnet_.*|input_hint_block\..*", "a ControlNet"),
    (r"conditioner\.embedders\.1\..*", "an SDXL checkpoint"),
    (r"conditioner\.embedders\.0\..*", "an SDXL refiner"),
    (r"(model\.diffusion_model\.)?joint_blocks\..*", "a Stable Diffusion 3 checkpoint"),
    (r"(model\.diffusion_model\.)?double_blocks\..*", "a FLUX checkpoint, or one like it"),
    (r"(model\.diffusion_model\.)?transformer_blocks\..*|(model\.diffusion_model\.)?layers\..*", "a transformer model"),
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


@dataclass(frozen=True)
class Header:
    """What a checkpoint says before its weights are read."""

    shapes: Mapping[str, tuple[int, ...]]
    """Name of each tensor -> its shape."""
    metadata: Mapping[str, str]
    """Facts that its maker wrote."""


def read_header(path: Path) -> Header:
    """Return a file's header; raise UsageError where it is no safetensors file."""
    with opened(path) as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no dict
        return Header(shapes, file.metadata() or {})


def require_checkpoint(path: Path, header: Header) -> None:
    """Raise UsageError, with what the file is by its names, unless it is a whole Stable Diffusion 1 checkpoint."""
    names = header.shapes
    kind = _kind(names, _OTHERS)
    if kind is not None:
        raise UsageError(f"{path} is no Stable Diffusion 1 checkpoint but {kind}.", Setting("base"))
    there = {part: any(name.startswith(prefix) for name in names) for part, prefix in PREFIXES.items()}
    lacking = [_TITLES[part] for part, found in there.items() if not found]
    if lacking and there["unet"]:
        raise UsageError(
            f"{path} is a Stable Diffusion checkpoint without {' and '.join(lacking)}. Name one that has them, or a "
            "diffusers folder.",
            Setting("base"),
        )
    if lacking:
        kind = _kind(names, _ALONE)
        some = f"it holds {len(names)} tensors, such as {min(names)}" if names else "it holds no tensors"
        raise UsageError(f"{path} is no Stable Diffusion 1 checkpoint: {f'it is {kind}' if kind else some}.")
    first = header.shapes.get(f"{PREFIXES['unet']}input_blocks.0.0.weight", ())
    last = header.shapes.get(f"{PREFIXES['unet']}out.2.weight", ())
    if len(first) == 4 and len(last) == 4:
        require_channels(first[1], last[0], 4, str(path))


def _kind(names: Mapping[str, object], kinds: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, kind in kinds:
        if sum(re.fullmatch(pattern, name) is not None for name in names) > _SHARE * len(names):
            return kind
    return None


def load_checkpoint(path: Path, header: Header, config: Path, dtype: torch.dtype) -> Parts:
    """Return the parts of a checkpoint, read with the configuration folder of its family, in `dtype`."""
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    require_floats([path], tuple(PREFIXES.values()))
    apart = _text_encoder_apart(path, header, config, dtype)
    doing = f"{path} cannot be loaded as a Stable Diffusion 1 checkpoint"
    with _small_ending(path) as readable, foreign(doing), _naming_missing_weights(doing):
        pipeline: Any = StableDiffusionPipeline.from_single_file(
            str(readable),
            config=str(config),
            **dtype_option(dtype),
            local_files_only=True,
            safety_checker=None,
            feature_extractor=None,
            image_encoder=None,
            requires_safety_checker=False,
            **apart,
        )
    scheduler = read_object(config / "scheduler" / "scheduler_config.json") | prediction(header, path)
    tokenizer = pipeline.tokenizer
    parts = Parts(pipeline.unet, pipeline.vae, pipeline.text_encoder, tokenizer, SchedulerConfig(scheduler))
    for name, prefix in PREFIXES.items():
        part = getattr(parts, name)
        require_finite_weights(part, dtype, f"{path}, {_TITLES[name]}")
        _require_all_weights(path, prefix, part, _TITLES[name])
    require_fit(parts, str(path))
    return parts


_LEVEL = "text_model."
"""What the names of a text encoder's weights begin with, but for those of the first anime models."""


def _text_encoder_apart(path: Path, header: Header, config: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Return the text encoder of a checkpoint whose names lack a level, which diffusers does not find; else nothing."""
    prefix = PREFIXES["text_encoder"]
    if not any(name.startswith(f"{prefix}embeddings.") for name in header.shapes):
        return {}
    from transformers import CLIPTextConfig, CLIPTextModel

    with opened(path) as file:
        names = [name for name in header.shapes if name.startswith(prefix)]
        weights = {_LEVEL + name[len(prefix) :].removeprefix(_LEVEL): file.get_tensor(name).to(dtype) for name in names}
    with foreign(f"{path}: its text encoder cannot be loaded"):
        loaded: Any = CLIPTextModel.from_pretrained(
            None,
            config=CLIPTextConfig.from_pretrained(str(config / "text_encoder")),
            state_dict=weights,
            output_loading_info=True,
        )
    part, seen = loaded
    missing = [str(name) for name in seen["missing_keys"]]
    if missing:
        raise UsageError(
            f"{path}: {len(missing)} weights of the text encoder are not in the file, such as {min(missing)}."
        )
    return {"text_encoder": part.to(dtype)}


@contextmanager
def _small_ending(path: Path) -> Iterator[Path]:
    """Return a path of the same file that ends in .safetensors: diffusers takes X.SAFETENSORS for a pickle."""
    if path.suffix == ".safetensors":
        yield path
        return
    with TemporaryDirectory() as folder:
        link = Path(folder) / "checkpoint.safetensors"
        link.symlink_to(path.absolute())
        yield link


@contextmanager
def _naming_missing_weights(doing: str) -> Iterator[None]:
    """Say what is meant where diffusers moves a part that the file had no weights for: it speaks of meta tensors."""
    try:
        yield
    except NotImplementedError as error:
        if "meta" not in str(error):
            raise
        raise UsageError(f"{doing}: weights are missing, or have names that are not known here.") from error


def prediction(header: Header, path: Path) -> dict[str, object]:
    """Return the settings of the scheduler that a checkpoint itself states, by marker tensors, metadata or settings.

    The hosts go by markers: `v_pred` means v-prediction, `ztsnr` that the last step is pure noise. Metadata
    (`modelspec.prediction_type`, ComfyUI's `modelspec.predict_key`) counts where there are none, and the settings
    beside the file (A1111's `.yaml`) where it says nothing either. Raises UsageError for processes that audits do not
    run on, and where settings beside the file say another than what is in it.
    """
    found = sorted(name for name in header.shapes if name.startswith("edm_"))
    if found:
        raise UsageError(f"{path} is marked as a model of the EDM process ({found[0]}), on which audits do not run.")
    stated, beside = _stated(header, path), _stated_beside(path)
    if stated is not None and beside is not None and stated.kind != beside.kind:
        raise UsageError(
            f"{path} says that it predicts {stated.kind} ({stated.source}), and {beside.source} that it predicts "
            f"{beside.kind}. Correct the one that is wrong, or remove it."
        )
    settings: dict[str, object] = {}
    statement = stated or beside
    if statement is not None:
        settings["prediction_type"] = statement.kind
    if "ztsnr" in header.shapes:
        settings["rescale_betas_zero_snr"] = True
    return settings


@dataclass(frozen=True)
class _Statement:
    """What a checkpoint predicts by its own account, or by that of a file beside it."""

    kind: str
    """"epsilon" or "v_prediction"."""
    source: str
    """Where that is said."""


def _stated(header: Header, path: Path) -> _Statement | None:
    if "v_pred" in header.shapes:
        return _Statement(V, "the marker v_pred")
    for key in ("modelspec.prediction_type", "modelspec.predict_key"):
        text = header.metadata.get(key, "").strip()
        if text:
            return _Statement(_read(text, f"{path} says", key), key)
    return None


_LARGEST_SETTINGS = 2**16
"""Bytes of settings beside a checkpoint that are looked through: Stable Diffusion's have 2,000."""
_PARAMETERIZATION = re.compile(r"""(?m)^[ \t]*parameterization[ \t]*:[ \t]*["']?([\w -]*?)["']?[ \t]*(?:\#.*)?\r?$""")


def _stated_beside(path: Path) -> _Statement | None:
    """Return what the `.yaml` of the same name says: the one line, as the rest names classes that are to be run."""
    beside = path.with_suffix(".yaml")
    if not beside.is_file():
        return None
    with foreign(f"{beside} cannot be read"), open_regular(beside) as file:
        content = file.read(_LARGEST_SETTINGS)
    kinds = [
        _read(text, f"{beside} says", "parameterization")
        for text in _PARAMETERIZATION.findall(content.decode(errors="replace"))
    ]
    if len(set(kinds)) > 1:
        raise UsageError(
            f"{beside} says that the checkpoint predicts {' and '.join(sorted(set(kinds)))}: it is one of them."
        )
    return _Statement(kinds[0], str(beside)) if kinds else None


def _read(text: str, says: str, key: str) -> str:
    kind = prediction_named(text)
    if kind is None:
        raise UsageError(f"{says} that it predicts {inert(text, 40)!r} ({key}); {EPSILON} and v are read.")
    return kind


_BESIDE = re.compile(r".*(position_ids|model_ema\..*|loss\..*|logit_scale|text_projection.*)")
"""What trainers and mergers leave under a part's prefix, and no picture depends on."""


def _require_all_weights(path: Path, prefix: str, part: torch.nn.Module, title: str) -> None:
    """Raise UsageError unless a part's weights are exactly those that the file has under its prefix.

    diffusers leaves what it does not find random, and out what it does not know, without a word. It reshapes and
    renames, so sizes and sums are compared.
    """
    dtype = next(part.parameters()).dtype
    loaded = Counter(_mark(tensor) for name, tensor in part.state_dict().items() if not _BESIDE.fullmatch(name))
    with opened(path) as file:
        names = [name for name in file.keys() if name.startswith(prefix) and not _BESIDE.fullmatch(name)]  # noqa: SIM118
        held = {name: _mark(file.get_tensor(name).to(dtype)) for name in names}
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
