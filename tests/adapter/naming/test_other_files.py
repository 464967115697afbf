"""Claim: what is no LoRA is named and refused; Custom Diffusion weights are applied."""

import pytest
import torch
from original_names import names_in_a_file
from owf.core import families
from owf.core.adapter import applied, match, read_adapter
from owf.core.errors import AdapterError
from safetensors.torch import save_file
from tiny_flows import PARTS


def _file(tmp_path, *names, shape=(4, 4)):
    save_file({name: torch.ones(shape) for name in names}, tmp_path / "x.safetensors")
    return tmp_path / "x.safetensors"


CASES = {
    "textual inversion": ["emb_params"],
    "embedding": ["clip_l", "clip_g"],
    "ControlNet-LLLite": ["lllite_unet_input_blocks_1_1_proj_in.down.0.weight"],
    "IP-Adapter": ["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"],
    "ControlNet, not": ["controlnet_cond_embedding.conv_in.weight", "controlnet_mid_block.weight"],
    "whole checkpoint": ["model.diffusion_model.out.0.weight", "first_stage_model.x.weight"],
    "checkpoint": ["conditioner.embedders.0.transformer.text_model.x.weight", "model_ema.decay"],
    "VAE": ["encoder.down_blocks.0.weight", "quant_conv.weight"],
    "whole U-Net": ["down_blocks.0.resnets.0.conv1.weight", "conv_in.weight"],
    "known LoRA format": ["x.foo", "y.foo"],
}


@pytest.mark.parametrize("kind", CASES)
def test_other_kinds_are_named_and_refused(kind, tmp_path):
    with pytest.raises(AdapterError, match=kind.split(",")[0]):
        read_adapter(_file(tmp_path, *CASES[kind]))


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model.", "diffusion_model."])
@pytest.mark.parametrize("family", PARTS)
def test_a_transformer_alone_is_named_with_its_family(family, prefix, tmp_path):
    parts = PARTS[family]()
    original = names_in_a_file(parts)
    live = {f"transformer.{name}": value for name, value in parts.transformer.state_dict().items()}
    title = families.get(family).pipeline.title.replace(".", r"\.")
    for tensors in ({f"{prefix}{name}": value for name, value in original.items()}, live):
        scales = {f"{name}_scale": torch.ones(()) for name in tensors if name.endswith("attn.wq.weight")}
        save_file(tensors | scales, tmp_path / "x.safetensors")
        with pytest.raises(AdapterError, match=rf"a whole transformer, .* of {title}, not a LoRA: .* as the base"):
            read_adapter(tmp_path / "x.safetensors")


def test_a_file_without_tensors_is_refused(tmp_path):
    with pytest.raises(AdapterError, match="no tensors"):
        read_adapter(_file(tmp_path))


def test_custom_diffusion_weights_replace_those_of_the_base(base, tmp_path):
    stem = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
    owner = base.components["unet"].get_submodule(stem)
    tensors = {
        f"{stem}.processor.{leaf}_custom_diffusion.{suffix}": torch.randn_like(parameter)
        for leaf, suffix, parameter in [
            ("to_k", "weight", owner.to_k.weight),
            ("to_v", "weight", owner.to_v.weight),
            ("to_q", "weight", owner.to_q.weight),
            ("to_out", "0.weight", owner.to_out[0].weight),
            ("to_out", "0.bias", owner.to_out[0].bias),
        ]
    }
    save_file(tensors, tmp_path / "pytorch_custom_diffusion_weights.safetensors")
    adapter = read_adapter(tmp_path / "pytorch_custom_diffusion_weights.safetensors")
    assert adapter.algorithms == ("custom_diffusion",)
    with applied(base.components, adapter) as report:
        assert report.problems == ()
        for leaf in ("to_k", "to_v", "to_q"):
            wanted = tensors[f"{stem}.processor.{leaf}_custom_diffusion.weight"]
            # base + (stored - base) rounds twice in float32
            assert torch.allclose(getattr(owner, leaf).weight, wanted, atol=1e-6)
        wanted = tensors[f"{stem}.processor.to_out_custom_diffusion.0.bias"]
        assert torch.allclose(owner.to_out[0].bias, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("stem", "inputs", "family"),
    [
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 2048, "sdxl"),
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 768, "sd15"),
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_v", 1024, "sd2"),
        ("lora_unet_double_blocks_0_img_attn_qkv", 3072, "flux"),
        ("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, "sd3"),
        ("transformer.single_transformer_blocks.0.attn.to_q", 3072, "flux"),
        ("transformer.transformer_blocks.0.attn.to_q", 1536, "sd3"),
        ("transformer.transformer_blocks.0.attn.to_q", 3072, "flux"),
        ("transformer.transformer_blocks.40.attn.to_q", 3072, "qwen_image"),
        ("transformer.transformer_blocks.0.attn1.to_q", 1152, "pixart"),
        ("diffusion_model.layers.0.attention.qkv", 3840, "z_image"),
        ("diffusion_model.layers.0.attention.qkv", 2304, "lumina2"),
        ("lora_unet_double_blocks_0_img_attn_qkv", 6144, "flux2"),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 1024, "sd2"),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 768, "sd15"),
        ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", 768, None),  # XL's first, and that of three others
        ("te1.text_model.encoder.layers.0.self_attn.q_proj", 768, None),
        ("text_encoder_1.text_model.encoder.layers.0.self_attn.q_proj", 768, None),
        ("te.text_model.encoder.layers.0.self_attn.q_proj", 768, "sd15"),
        ("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", 1280, "sdxl"),
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 1280, "sdxl_refiner"),
        ("diffusion_model.distilled_guidance_layer.layers.0.in_layer", 64, "chroma"),
        ("diffusion_model.double_stream_blocks.0.block.attn1.to_k", 64, "hidream"),
    ],
)
def test_families_by_shape(stem, inputs, family, tmp_path):
    tensors = {f"{stem}.lora_down.weight": torch.ones(2, inputs), f"{stem}.lora_up.weight": torch.ones(8, 2)}
    save_file(tensors, tmp_path / "x.safetensors")
    assert read_adapter(tmp_path / "x.safetensors").family == family


@pytest.mark.parametrize(
    ("stated", "family", "width"),
    [("base", "sdxl", 640), ("refiner", "sdxl_refiner", 768), ("inpainting", "sdxl", 640)],
)
def test_the_longest_name_of_an_architecture_counts(stated, family, width, tmp_path):
    stem = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_k"
    tensors = {f"{stem}.lora_down.weight": torch.ones(2, width), f"{stem}.lora_up.weight": torch.ones(width, 2)}
    said = {"modelspec.architecture": f"stable-diffusion-xl-v1-{stated}/lora"}
    save_file(tensors, tmp_path / "x.safetensors", metadata=said)
    assert read_adapter(tmp_path / "x.safetensors").family == family


@pytest.mark.parametrize(
    ("channels", "kind"), [(4, None), (8, "an instruct-pix2pix model"), (9, "an inpainting model")]
)
def test_a_first_layer_of_more_channels_names_the_kind_of_base(channels, kind, tmp_path):
    stem = "lora_unet_input_blocks_0_0"
    tensors = {
        f"{stem}.lora_down.weight": torch.ones(2, channels, 3, 3),
        f"{stem}.lora_up.weight": torch.ones(8, 2, 1, 1),
    }
    save_file(tensors, tmp_path / "x.safetensors")
    found = [warning for warning in read_adapter(tmp_path / "x.safetensors").warnings if "first layer" in warning]
    assert found == ([] if kind is None else [f"its first layer reads {channels} channels: it was trained on {kind}"])


def test_lying_metadata_is_reported(tmp_path):
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors = {f"{stem}.lora_down.weight": torch.ones(2, 768), f"{stem}.lora_up.weight": torch.ones(8, 2)}
    lies = {"ss_base_model_version": "sdxl_base_v1-0", "sshs_model_hash": "0" * 64}
    save_file(tensors, tmp_path / "x.safetensors", metadata=lies)
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert adapter.family == "sd15"
    assert any("says sdxl" in warning for warning in adapter.warnings)
    assert any("sshs_model_hash" in warning for warning in adapter.warnings)


def test_a_flux_file_on_sd1_is_invalid(base, tmp_path):
    stem = "lora_unet_double_blocks_0_img_attn_qkv"
    tensors = {f"{stem}.lora_down.weight": torch.ones(2, 64), f"{stem}.lora_up.weight": torch.ones(192, 2)}
    save_file(tensors, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert match(adapter, base.components).problems[0].startswith("no module of the file fits")
    with pytest.raises(AdapterError, match="no module of the file fits"), applied(base.components, adapter):
        pass
