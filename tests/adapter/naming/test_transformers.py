"""Claim: Flux LoRAs in the names of several programs change the fused or split layers that they mean."""

import warnings

import pytest
import torch
from owf.core.adapter import applied, match, read_adapter
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def flux():
    from diffusers import FluxTransformer2DModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FluxTransformer2DModel(
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=16,
            pooled_projection_dim=16,
            axes_dims_rope=(2, 2, 4),
        ).requires_grad_(False)


def _pair(out, inputs, rank=2):
    generator = torch.Generator().manual_seed(out)
    return torch.randn(rank, inputs, generator=generator), torch.randn(out, rank, generator=generator)


def _changes(flux, path, adapter):
    linear = flux.get_submodule(path)
    before = linear.weight.detach().clone()
    with applied({"transformer": flux}, adapter) as report:
        assert report.problems == ()
        return linear.weight.detach() - before


def test_fused_kohya_layers_are_split(flux, tmp_path):
    down, up = _pair(48, 16)
    stem = "lora_unet_double_blocks_0_img_attn_qkv"
    tensors = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(1.0)}
    save_file(tensors, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert adapter.family == "flux"
    wanted = (0.5 * up @ down).chunk(3)
    for leaf, change in zip(("to_q", "to_k", "to_v"), wanted, strict=True):
        found = _changes(flux, f"transformer_blocks.0.attn.{leaf}", adapter)
        assert torch.allclose(found, change, atol=1e-5)


def test_diffusers_names_need_no_converter(flux, tmp_path):
    down, up = _pair(16, 16)
    stem = "transformer.single_transformer_blocks.0.attn.to_q"
    save_file({f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}, tmp_path / "x.safetensors")
    found = _changes(flux, "single_transformer_blocks.0.attn.to_q", read_adapter(tmp_path / "x.safetensors"))
    assert torch.allclose(found, up @ down, atol=1e-5)


def test_xlabs_processors(flux, tmp_path):
    down, up = _pair(48, 16)
    stem = "double_blocks.0.processor.qkv_lora1"
    save_file({f"{stem}.down.weight": down, f"{stem}.up.weight": up}, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert adapter.family == "flux"
    found = _changes(flux, "transformer_blocks.0.attn.to_q", adapter)
    assert torch.allclose(found, (up @ down).chunk(3)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("stem", "live"),
    [
        ("transformer.double_blocks.0.img_attn.qkv.1", "transformer_blocks.0.attn.to_k"),
        ("transformer.double_blocks.0.txt_attn.qkv.2", "transformer_blocks.0.attn.add_v_proj"),
        ("transformer.single_blocks.0.linear1.0", "single_transformer_blocks.0.attn.to_q"),
        ("transformer.single_blocks.0.linear1.3", "single_transformer_blocks.0.proj_mlp"),
        ("lora_transformer.double_blocks.0.img_attn.proj", "transformer_blocks.0.attn.to_out.0"),
        ("transformer.img_in.proj", "x_embedder"),
        ("lora_unet__double_blocks_0_txt_mlp_2", "transformer_blocks.0.ff_context.net.2"),
        ("single_blocks.0.processor.proj_lora", "single_transformer_blocks.0.proj_out"),
    ],
)
def test_other_programs_names_of_one_layer(stem, live, flux, tmp_path):
    """OneTrainer counts the parts of fused layers; XLabs' names of single blocks have no number at their end."""
    down, up = _pair(*flux.get_submodule(live).weight.shape)
    ends = ("down", "up") if "processor" in stem else ("lora_down", "lora_up")
    tensors = {f"{stem}.{end}.weight": tensor for end, tensor in zip(ends, (down, up), strict=True)}
    save_file(tensors, tmp_path / "x.safetensors")
    found = _changes(flux, live, read_adapter(tmp_path / "x.safetensors"))
    assert torch.allclose(found, up @ down, atol=1e-5)


def test_xlabs_single_blocks(flux, tmp_path):
    down, up = _pair(48, 16)
    stem = "single_blocks.0.processor.qkv_lora"
    save_file({f"{stem}.down.weight": down, f"{stem}.up.weight": up}, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    for leaf, change in zip(("to_q", "to_k", "to_v"), (up @ down).chunk(3), strict=True):
        found = _changes(flux, f"single_transformer_blocks.0.attn.{leaf}", adapter)
        assert torch.allclose(found, change, atol=1e-5)


def test_a_part_beside_the_whole_is_a_problem(flux, tmp_path):
    whole, part = "transformer.double_blocks.0.img_attn.qkv", "transformer.double_blocks.0.img_attn.qkv.0"
    tensors = {f"{whole}.diff": torch.ones(48, 16), f"{part}.diff": torch.ones(16, 16)}
    save_file(tensors, tmp_path / "x.safetensors")
    assert match(read_adapter(tmp_path / "x.safetensors"), {"transformer": flux}).problems


def test_a_control_lora_is_named_and_a_problem(flux, tmp_path):
    """As black-forest-labs publish them: the first layer reads a picture besides, and norms are replaced."""
    tensors = {"double_blocks.0.img_attn.norm.key_norm.scale": torch.ones(8)}
    for stem, (out, inputs) in {"img_in": (16, 128), "double_blocks.0.img_attn.qkv": (48, 16)}.items():
        down, up = _pair(out, inputs)
        tensors |= {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up, f"{stem}.lora_B.bias": torch.ones(out)}
    save_file(tensors, tmp_path / "x.safetensors")
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert any("control LoRA" in warning for warning in adapter.warnings)
    assert match(adapter, {"transformer": flux}).problems


def test_names_of_another_architecture_are_refused(flux, tmp_path):
    down, up = _pair(48, 16)
    stem = "diffusion_model.joint_blocks.0.x_block.attn.qkv"
    save_file({f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}, tmp_path / "x.safetensors")
    report = match(read_adapter(tmp_path / "x.safetensors"), {"transformer": flux})
    assert "the base's transformer has no such module" in report.problems[0]


@pytest.fixture(scope="module")
def chroma():
    """One of those whose files diffusers converts."""
    from diffusers import ChromaTransformer2DModel

    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        return ChromaTransformer2DModel(
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(2, 2, 4),
            approximator_num_channels=8,
            approximator_hidden_dim=16,
            approximator_layers=1,
        ).requires_grad_(False)


def test_names_that_nobody_converts_are_refused(chroma, tmp_path):
    down, up = _pair(48, 16)
    stem = "diffusion_model.joint_blocks.0.x_block.attn.qkv"
    save_file({f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}, tmp_path / "x.safetensors")
    report = match(read_adapter(tmp_path / "x.safetensors"), {"transformer": chroma})
    assert "not supported yet" in report.problems[0]


def test_what_the_converter_would_drop_is_refused(chroma, tmp_path):
    stem = "lora_unet_double_blocks_0_img_attn_qkv"
    tensors = {f"{stem}.hada_w{side}_{half}": torch.ones(2, 2) for side in "12" for half in "ab"}
    save_file(tensors, tmp_path / "x.safetensors")
    report = match(read_adapter(tmp_path / "x.safetensors"), {"transformer": chroma})
    assert "not supported yet" in report.problems[0]
