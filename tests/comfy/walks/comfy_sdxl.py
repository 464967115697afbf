"""A tiny Stable Diffusion XL of ComfyUI's own classes, with random weights, for other walks."""

import comfy.model_patcher
import comfy.sd
import torch
from comfy import model_base, sdxl_clip, supported_models, supported_models_base
from prelude import pack


def build(kind):
    """Return MODEL, CLIP and VAE, and the network in MODEL; `kind` is the name of a ModelType."""
    torch.manual_seed(0)
    with torch.inference_mode(False):
        network = _config(kind).get_model({}, device="cpu")
        _fill(network.diffusion_model)
        model = comfy.model_patcher.ModelPatcher(network, torch.device("cpu"), torch.device("cpu"))
        target = supported_models_base.ClipTarget(sdxl_clip.SDXLTokenizer, sdxl_clip.SDXLClipModel)
        small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
        sizes = {"clip_l_model_config": small, "clip_g_model_config": small}
        clip = comfy.sd.CLIP(target, model_options={**sizes, "dtype": torch.float32})
        _fill(clip.cond_stage_model)
        _, _, vae = pack("nodes.backend.demo").load_demo()
    return model, clip, vae, network


def _config(kind):
    class Tiny(supported_models.SDXL):
        unet_extra_config = {}  # noqa: RUF012 - the base class has it so

        def model_type(self, state_dict, prefix=""):
            return getattr(model_base.ModelType, kind)

    class Flow(Tiny):
        sampling_settings = {"shift": 3.0}  # noqa: RUF012 - the base class has it so

    sizes = {
        "image_size": 8, "in_channels": 4, "out_channels": 4, "model_channels": 32, "channel_mult": [1, 2],
        "num_res_blocks": [1, 1], "transformer_depth": [0, 1], "transformer_depth_output": [0, 0, 1, 1],
        "transformer_depth_middle": 1, "context_dim": 64, "num_heads": 4, "num_head_channels": -1,
        "use_spatial_transformer": True, "use_linear_in_transformer": True, "use_temporal_attention": False,
        "legacy": False, "adm_in_channels": 32 + 1536, "num_classes": "sequential",
    }  # fmt: skip
    config = (Flow if kind == "FLOW" else Tiny)(sizes)
    config.set_inference_dtype(torch.float32, None)
    return config


def _fill(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.08)
