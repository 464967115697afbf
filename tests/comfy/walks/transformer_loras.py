"""Loads LoRAs of small transformers by ComfyUI's own names, and compares what they change with what was trained."""

import logging
from pathlib import Path

import comfy.lora
import comfy.supported_models
import torch
from prelude import GIVEN, answer
from safetensors.torch import load_file

FLUX = {
    "image_model": "flux", "in_channels": 4, "out_channels": 4, "patch_size": 2, "vec_in_dim": 24, "context_in_dim": 32,
    "hidden_size": 32, "mlp_ratio": 4.0, "num_heads": 2, "depth": 2, "depth_single_blocks": 2, "axes_dim": [4, 4, 8],
    "theta": 10000, "qkv_bias": True, "guidance_embed": True, "txt_ids_dims": [],
}  # fmt: skip
KLEIN = FLUX | {
    "image_model": "flux2", "in_channels": 16, "out_channels": 16, "patch_size": 1, "vec_in_dim": None,
    "context_in_dim": 96, "mlp_ratio": 3.0, "axes_dim": [4, 4, 4, 4], "theta": 2000, "qkv_bias": False,
    "guidance_embed": False, "global_modulation": True, "mlp_silu_act": True, "ops_bias": False, "txt_ids_dims": [3],
}  # fmt: skip
Z_IMAGE = {
    "image_model": "lumina2", "patch_size": 2, "in_channels": 4, "dim": 32, "cap_feat_dim": 32, "n_layers": 2,
    "n_refiner_layers": 1, "qk_norm": True, "n_heads": 2, "n_kv_heads": 2, "axes_dims": [4, 4, 8],
    "axes_lens": [1024, 64, 64], "rope_theta": 256.0, "ffn_dim_multiplier": 8 / 3, "multiple_of": 1,
    "z_image_modulation": True, "time_scale": 1000.0, "pad_tokens_multiple": 32,
}  # fmt: skip
MODELS = {"flux": ("Flux", FLUX), "flux2_klein": ("Flux2", KLEIN), "z_image": ("ZImage", Z_IMAGE)}


class Unread(logging.Handler):
    """Counts the tensors that ComfyUI says that it did not load."""

    count = 0

    def emit(self, record):
        self.count += "not loaded" in record.getMessage()


def model_of(family):
    kind, sizes = MODELS[family]
    config = getattr(comfy.supported_models, kind)(dict(sizes))
    config.unet_config = dict(sizes)
    config.set_inference_dtype(torch.float32, None)
    return config.get_model({}, "", device="cpu")


def compared(family, path):
    """Return tensors that were not read, layers that were patched, and how far their changes are from those trained."""
    model, changes = model_of(family), load_file(path.with_suffix(".changes"))
    known, unread = comfy.lora.model_lora_keys_unet(model, {}), Unread()
    logging.getLogger().addHandler(unread)
    patches = comfy.lora.load_lora(load_file(path), known)
    logging.getLogger().removeHandler(unread)
    weights, apart = model.state_dict(), 0.0
    for key, patch in patches.items():
        name, offset = (key, None) if isinstance(key, str) else key[:2]
        (change,) = [changes[layer] for layer in changes if known.get(f"transformer.{layer}") == key]
        found = comfy.lora.calculate_weight([(1.0, patch, 1.0, offset, None)], torch.zeros_like(weights[name]), name)
        found = found if offset is None else found.narrow(*offset)
        apart = max(apart, float((found - change).abs().max() / change.abs().max()))
    return unread.count, len(patches), apart


folder = Path(GIVEN["folder"])
answer(**{path.stem: compared(path.stem.split("-")[0], path) for path in sorted(folder.glob("*.safetensors"))})
