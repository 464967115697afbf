"""The demo base as ComfyUI's own MODEL, CLIP and VAE classes, so that a whole graph runs on a CPU in seconds."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...core.demo import DEMO_BASE


def load_demo(folder: Path = DEMO_BASE) -> tuple[Any, Any, Any]:
    """Return (MODEL, CLIP, VAE) of the demo base; their weights may be trained."""
    with torch.inference_mode(False), torch.no_grad():
        return _load_model(folder), _load_clip(folder), _load_vae(folder)


def _config(folder: Path, part: str) -> dict[str, Any]:
    return json.loads((folder / part / "config.json").read_text(encoding="utf-8"))


def _weights(folder: Path, part: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    (file,) = (path for path in (folder / part).glob("*.safetensors") if not path.name.startswith("."))
    return load_file(file)


def _load_model(folder: Path) -> Any:
    import comfy.model_management
    import comfy.model_patcher
    import comfy.utils

    device = comfy.model_management.get_torch_device()
    dtype = comfy.model_management.unet_dtype(device, supported_dtypes=[torch.float16, torch.float32])
    cast = comfy.model_management.unet_manual_cast(dtype, device, [torch.float16, torch.float32])
    config = _model_config(folder)
    config.set_inference_dtype(dtype, cast)
    names = comfy.utils.unet_to_diffusers(config.unet_config)
    weights = {names[name]: tensor for name, tensor in _weights(folder, "unet").items()}
    offload = comfy.model_management.unet_offload_device()
    model = config.get_model(weights, device=offload)
    unet = _config(folder, "unet")
    _set_groups(model.diffusion_model, unet["norm_num_groups"])
    _set_heads(model.diffusion_model, dict(zip(unet["block_out_channels"], unet["attention_head_dim"], strict=True)))
    model.load_model_weights(weights)
    return comfy.model_patcher.ModelPatcher(model.eval(), load_device=device, offload_device=offload)


def _model_config(folder: Path) -> Any:
    from comfy import latent_formats, supported_models_base

    class DemoLatents(latent_formats.SD15):
        """Stable Diffusion 1's latents in the demo base's scale."""

        def __init__(self) -> None:
            super().__init__(scale_factor=_config(folder, "vae")["scaling_factor"])

    class OwfDemo(supported_models_base.BASE):
        """The demo base's configuration."""

        owf_family = "demo"
        unet_extra_config: dict[str, Any] = {}  # noqa: RUF012 - the base class has it so
        latent_format = DemoLatents

    return OwfDemo(_unet_config(_config(folder, "unet")))


def _unet_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return diffusers' configuration of Stable Diffusion 1's UNet in the terms of the original code."""
    widths, depth = config["block_out_channels"], config["layers_per_block"]
    attends = [int(kind.startswith("CrossAttn")) for kind in config["down_block_types"]]
    return {
        "image_size": config["sample_size"],
        "in_channels": config["in_channels"],
        "out_channels": config["out_channels"],
        "model_channels": widths[0],
        "channel_mult": [width // widths[0] for width in widths],
        "num_res_blocks": [depth] * len(widths),
        "transformer_depth": [n for n in attends for _ in range(depth)],
        "transformer_depth_output": [n for n in attends for _ in range(depth + 1)],
        "transformer_depth_middle": 1,
        "context_dim": config["cross_attention_dim"],
        "num_heads": 1,  # everywhere; see `_set_heads`
        "num_head_channels": -1,
        "use_spatial_transformer": True,
        "use_linear_in_transformer": config["use_linear_projection"],
        "use_temporal_attention": False,
        "legacy": False,
        "adm_in_channels": None,
    }


def _load_clip(folder: Path) -> Any:
    import comfy.sd
    from comfy import sd1_clip, supported_models_base

    config, weights = _config(folder, "text_encoder"), _weights(folder, "text_encoder")
    kept = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "eos_token_id")
    options = {"clip_l_model_config": {name: config[name] for name in kept}}
    # The demo base has CLIP's own vocabulary, whose last token ends a text.
    options["clip_l_model_config"]["eos_token_id"] = 49407
    target = supported_models_base.ClipTarget(sd1_clip.SD1Tokenizer, sd1_clip.SD1ClipModel)
    clip = comfy.sd.CLIP(target, model_options=options)
    named = {_text_name(name): tensor for name, tensor in weights.items()}
    # Stable Diffusion 1 has no projection; ComfyUI makes one anyway and would leave it to chance.
    clip.load_sd({**named, "text_projection.weight": torch.eye(config["hidden_size"])})
    return clip


def _text_name(name: str) -> str:
    return name if name.startswith("text_model.") else f"text_model.{name}"


def _load_vae(folder: Path) -> Any:
    import comfy.diffusers_convert
    import comfy.sd
    from comfy.ldm.models.autoencoder import AutoencoderKL

    config = _config(folder, "vae")
    weights = comfy.diffusers_convert.convert_vae_state_dict(_weights(folder, "vae"))
    widths = config["block_out_channels"]
    # ComfyUI's norms have 32 groups and refuse fewer channels, so the layers are made wider and then cut to size.
    layout = {
        "double_z": True,
        "z_channels": config["latent_channels"],
        "resolution": config["sample_size"],
        "in_channels": config["in_channels"],
        "out_ch": config["out_channels"],
        "ch": max(32, widths[0]),
        "ch_mult": [width // widths[0] for width in widths],
        "num_res_blocks": config["layers_per_block"],
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    parameters = {"ddconfig": layout, "embed_dim": config["latent_channels"]}
    # VAE wants weights of the sizes that it makes; they are replaced at once.
    drawn = AutoencoderKL(**parameters).state_dict()
    vae = comfy.sd.VAE(drawn, config={"params": parameters})
    _replace_weights(vae.first_stage_model, weights, vae.vae_dtype)
    _set_groups(vae.first_stage_model, config["norm_num_groups"])
    return vae


def _replace_weights(root: nn.Module, weights: dict[str, torch.Tensor], dtype: torch.dtype) -> None:
    """Put other Parameters in place, of other shapes too; raise ValueError unless they are exactly all of them."""
    if set(weights) != {name for name, _ in root.named_parameters()}:
        raise ValueError("the demo base's autoencoder does not have the layers of ComfyUI's")
    for name, tensor in weights.items():
        owner, _, leaf = name.rpartition(".")
        setattr(root.get_submodule(owner), leaf, nn.Parameter(tensor.to(dtype), requires_grad=False))


def _set_groups(root: nn.Module, groups: int) -> None:
    """Give every norm its groups; ComfyUI's classes are written for 32."""
    for module in root.modules():
        if isinstance(module, nn.GroupNorm):
            module.num_groups, module.num_channels = groups, len(module.weight)


def _set_heads(root: nn.Module, heads: dict[int, int]) -> None:
    """Give every attention as many heads as its width has; ComfyUI's UNet knows one number, or one width of a head."""
    blocks: list[Any] = [module for module in root.modules() if hasattr(module, "attn2")]
    for block in blocks:
        (width,) = block.norm1.normalized_shape
        block.n_heads, block.d_head = heads[width], width // heads[width]
        for attention in (block.attn1, block.attn2):
            attention.heads, attention.dim_head = block.n_heads, block.d_head
