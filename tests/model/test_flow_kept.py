"""Flows whose weights wait elsewhere or are rounded: a LoRA beside them is what it is merged into plain ones."""

import warnings

import pytest
import torch
from original_names import names_in_a_file
from owf.core.adapter import read_adapter
from owf.core.adapter.change.weights import read_weight
from owf.core.audit.change import AdapterChange
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.memory import AS_LOADED, Keeping
from safetensors.torch import save_file
from tiny_flows import PARTS

CPU, RANK = torch.device("cpu"), 4
KEPT = [Keeping("model"), Keeping("group"), Keeping(quantize="int8"), Keeping("model", "int8"), Keeping(quantize="nf4")]
LIBRARIES = {"int8": "torchao", "nf4": "bitsandbytes"}
LAYERS = {
    "flux": ("double_blocks.1.img_attn.qkv", "single_blocks.0.linear1", "double_blocks.0.txt_mlp.2"),
    "z_image": ("layers.1.attention.qkv", "layers.0.attention.out", "noise_refiner.0.feed_forward.w2"),
    "flux2_klein": ("double_blocks.1.txt_attn.qkv", "single_blocks.1.linear1", "double_blocks.0.img_mlp.0"),
    "krea2": ("blocks.1.attn.wk", "blocks.0.mlp.down", "txtfusion.refiner_blocks.0.attn.wo"),
    "qwen_image": ("transformer_blocks.0.attn.add_k_proj", "transformer_blocks.1.img_mlp.net.2"),
    "anima": ("blocks.1.cross_attn.k_proj", "blocks.0.mlp.layer2", "llm_adapter.blocks.0.cross_attn.o_proj"),
}
"""Layers of the original code, some of which are several of diffusers'."""


@pytest.fixture(autouse=True)
def quiet_libraries():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _file(path, family, parts, is_dora):
    """Write a LoRA of layers of the original code; DoRA by inputs has norms over all rows of a fused one."""
    generator, tensors, weights = torch.Generator().manual_seed(0), {}, names_in_a_file(parts)
    for name in LAYERS[family]:
        out, inputs = weights[f"{name}.weight"].shape
        stem = f"diffusion_model.{name}"
        tensors[f"{stem}.lora_down.weight"] = torch.randn(RANK, inputs, generator=generator) * inputs**-0.5
        tensors[f"{stem}.lora_up.weight"] = torch.randn(out, RANK, generator=generator) * 0.3
        if is_dora:
            tensors[f"{stem}.dora_scale"] = weights[f"{name}.weight"].norm(dim=0, keepdim=True) * 1.2
    save_file(tensors, path)
    return read_adapter(path)


def _kept(family, keeping):
    denoiser = DiffusersDenoiser(PARTS[family](), "tiny", family)
    denoiser.keep(CPU, keeping)
    return denoiser


def _plain(family, kept):
    """Return a plain base with the weights that a kept one computes with."""
    plain = _kept(family, AS_LOADED)
    for name, model in plain.components.items():
        for path, layer in model.named_modules():
            # What writes (lm_head) shares its weight with what reads.
            if type(layer) is torch.nn.Linear and path != "lm_head":
                layer.weight.data = read_weight(kept.components[name].get_submodule(path)).float()
    return plain


def _answers(denoiser):
    cond, steps = denoiser.encode_text(["a bag", "a coat"]), denoiser.schedule.steps
    x = torch.stack([gaussian(denoiser.latent_shape, 0, name) for name in "xy"])
    return denoiser.predict(x, torch.tensor([3 * steps // 10, 7 * steps // 10]), cond)


@pytest.mark.parametrize("is_dora", [False, True], ids=["lora", "dora"])
@pytest.mark.parametrize("keeping", KEPT, ids=lambda keeping: keeping.words())
@pytest.mark.parametrize("family", PARTS)
def test_a_lora_beside_its_weights_is_the_one_merged_into_them(family, keeping, is_dora, tmp_path):
    if keeping.quantize != "none":
        pytest.importorskip(LIBRARIES[keeping.quantize])
    adapter = _file(tmp_path / "x.safetensors", family, PARTS[family](), is_dora)
    kept, found = _kept(family, keeping), []
    for denoiser, way in ((_plain(family, kept), AS_LOADED), (kept, keeping)):
        before = _answers(denoiser)
        change = AdapterChange(denoiser.components, adapter, 1.0, way)
        assert change.refusal() is None
        change.on()
        found.append((before, _answers(denoiser)))
        change.off()
        assert torch.equal(_answers(denoiser), before)
    (plain, plain_moved), (before, moved) = found
    assert (plain_moved - plain).norm() > 1e-3 * plain.norm()
    assert (before - plain).norm() < 1e-4 * plain.norm()
    assert (moved - plain_moved).norm() < 1e-3 * (plain_moved - plain).norm()
