"""The trained parts as a Stable Diffusion folder that diffusers and hosts load: float16 safetensors."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..world.drawing import colorize
from ..world.world import CLASSES, caption, draw_scene
from .diffusion import build_scheduler

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

PROBE_SEED = 30
"""Of the looks of the pictures that ship, so that they can be made again."""


def export_base(vae: "AutoencoderKL", unet: "UNet2DConditionModel", text: "CLIPTextModel", folder: Path) -> None:
    """Write the model in diffusers layout; the tokenizer is in its place already."""
    for name, part in (("vae", vae), ("unet", unet)):
        part.save_config(folder / name)
        _save_half(part.state_dict(), folder / name / "diffusion_pytorch_model.safetensors")
    _export_text(text, folder / "text_encoder")
    _write_json(folder / "scheduler" / "scheduler_config.json", _scheduler_config())
    _write_json(folder / "model_index.json", _model_index())


def _export_text(text: "CLIPTextModel", folder: Path) -> None:
    """Write the text encoder under the names of transformers 4, which version 5 reads too."""
    config = text.config.to_dict()
    dropped = ("dtype", "transformers_version", "_name_or_path")
    config = {k: v for k, v in config.items() if v is not None and k not in dropped}
    # Without it transformers 5 would keep the file's float16, in which a CPU does not compute.
    config = {**config, "architectures": ["CLIPTextModel"], "torch_dtype": "float32"}
    _write_json(folder / "config.json", config)
    plain = {name.removeprefix("text_model."): value for name, value in text.state_dict().items()}
    weights = {f"text_model.{n}": v for n, v in plain.items() if not n.endswith("position_ids")}
    _save_half(weights, folder / "model.safetensors")


def _save_half(weights: dict, path: Path) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in weights.items()}, path, {"format": "pt"})


def _scheduler_config() -> dict:
    """Return Stable Diffusion 1.5's sampling schedule."""
    trained = build_scheduler().config
    names = (
        "beta_start",
        "beta_end",
        "beta_schedule",
        "num_train_timesteps",
        "prediction_type",
        "clip_sample",
    )
    shared = {name: trained[name] for name in names}
    rest = {"set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None}
    return {"_class_name": "PNDMScheduler", **shared, **rest, "timestep_spacing": "leading"}


def _model_index() -> dict:
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.31.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def export_probes(gray: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Write held-out pictures with labels, full captions and class names as one compressed file."""
    rng = np.random.default_rng(PROBE_SEED)
    scenes = [draw_scene(int(label), rng) for label in labels]
    pixels = (colorize(gray, scenes, rng) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    captions = np.array([caption(scene, "both") for scene in scenes])
    np.savez_compressed(
        path, images=pixels, labels=labels.astype(np.uint8), captions=captions, classes=np.array(CLASSES)
    )
