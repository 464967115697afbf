"""LoRAs of flows: the network that diffusers makes of them, and the base when off."""

from functools import cache

import pytest
import torch
from owf.core.adapter import applied, read_adapter
from owf.core.families import Layers, layers_of
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from safetensors.torch import save_file
from tiny_flows import PARTS, pipeline_of

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own

KINDS = dict.fromkeys(PARTS, "") | {"flux": ".attn.", "z_image": ".attention.", "flux2_klein": ".attn."}
"""What stands in names of layers whose LoRAs diffusers loads."""
ALPHA, RANK = 2.0, 4


@pytest.fixture(params=PARTS)
def family(request):
    return request.param


@pytest.fixture
def denoiser(family):
    return _denoiser(family)


@cache
def _denoiser(family):
    return DiffusersDenoiser(PARTS[family](), "tiny", family)


def _layers(family, transformer):
    """Return the shapes of layers of a kind by their dotted names."""
    linear = {name: part for name, part in transformer.named_modules() if isinstance(part, torch.nn.Linear)}
    return {name: tuple(part.weight.shape) for name, part in linear.items() if KINDS[family] in name}


WHOLE = {"Krea2Transformer2DModel": ("norm", "txtmlp.0"), "CosmosTransformer3DModel": ("norm",)}
"""Class whose every linear layer is one of the original code's -> what stands in names there that are not linear."""


def _original(transformer):
    """Return the shapes of the layers of the original code by its dotted names."""
    if type(transformer).__name__.startswith("QwenImage"):  # its code has the same names
        return _layers("qwen_image", transformer)
    live = {name.replace(".", "_"): part for name, part in transformer.named_modules() if hasattr(part, "weight")}
    found = {}
    for layer in layers_of(type(transformer).__name__):
        for number in range(2):
            name = layer.original.replace("{n}", str(number))
            parts = [live.get(part.path) for part in Layers([layer]).parts(name.replace(".", "_"))]
            is_plain = (
                name.endswith(("attn.qkv", "attention.qkv", "linear2", "attn.proj", "attention.out"))
                and "to_" not in name
            )
            others = WHOLE.get(type(transformer).__name__)
            is_plain |= others is not None and not any(word in name for word in others)
            # Where it is four layers here, diffusers converts the true width only.
            is_plain |= name.endswith("linear1") and len(parts) == 1
            if is_plain and None not in parts:
                found[name] = (sum(part.weight.shape[0] for part in parts), parts[0].weight.shape[1])
    return found


def _tensors(stems, ends):
    generator, tensors = torch.Generator().manual_seed(3), {}
    for stem, (out, inputs) in stems.items():
        tensors[f"{stem}.{ends[0]}.weight"] = torch.randn(RANK, inputs, generator=generator) * inputs**-0.5
        tensors[f"{stem}.{ends[1]}.weight"] = torch.randn(out, RANK, generator=generator) * 0.3
    return tensors


def _peft(family, transformer):
    layers = {f"transformer.{name}": shape for name, shape in _layers(family, transformer).items()}
    return _tensors(layers, ("lora_A", "lora_B"))


def _comfy(family, transformer):
    layers = {f"diffusion_model.{name}": shape for name, shape in _original(transformer).items()}
    return _tensors(layers, ("lora_A", "lora_B"))


def _kohya(family, transformer):
    layers = {f"lora_unet_{name.replace('.', '_')}": shape for name, shape in _original(transformer).items()}
    return _tensors(layers, ("lora_down", "lora_up")) | {f"{stem}.alpha": torch.tensor(ALPHA) for stem in layers}


DIALECTS = {"diffusers": _peft, "ComfyUI": _comfy, "kohya": _kohya}
UNREAD = {("flux", "ComfyUI"), ("z_image", "ComfyUI"), ("krea2", "kohya"), ("anima", "kohya")}
"""What diffusers reads not at all, or without splitting the fused layers."""
READ = [(family, dialect) for family in PARTS for dialect in DIALECTS if (family, dialect) not in UNREAD]


def _answers(denoiser):
    cond = denoiser.encode_text(["a photo of a bag", "a coat"])
    x = torch.stack([gaussian(denoiser.latent_shape, 0, name) for name in "xy"])
    return denoiser.predict(x, torch.tensor([300, 700]), cond)


@pytest.mark.parametrize("strength", [1.0, 0.7])
@pytest.mark.parametrize(("family", "dialect"), READ)
def test_the_network_is_the_one_that_diffusers_makes(family, denoiser, dialect, strength, tmp_path):
    parts, path = PARTS[family](), tmp_path / "lora.safetensors"
    tensors = DIALECTS[dialect](family, parts.transformer)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    pipeline = pipeline_of(family, parts)
    pipeline.load_lora_weights(str(tmp_path), weight_name=path.name, adapter_name="x")
    pipeline.set_adapters(["x"], [strength])
    expected, before = _answers(DiffusersDenoiser(parts, "with a LoRA", family)), _answers(denoiser)
    adapter = read_adapter(path)
    with applied(denoiser.components, adapter, strength) as report:
        assert report.problems == ()
        torch.testing.assert_close(_answers(denoiser), expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(_answers(denoiser), before)
    assert (expected - before).abs().max() > 1e-3  # ten times what may differ


def test_dotted_names_are_the_same_change(family, denoiser, tmp_path):
    transformer, answers = denoiser.components["transformer"], []
    plain = _kohya(family, transformer)
    plain |= {name: torch.tensor(float(RANK)) for name in plain if name.endswith(".alpha")}
    for name, tensors in (("kohya", plain), ("comfy", _comfy(family, transformer))):
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, tmp_path / f"{name}.safetensors")
        with applied(denoiser.components, read_adapter(tmp_path / f"{name}.safetensors")) as report:
            assert report.problems == ()
            answers.append(_answers(denoiser))
    assert torch.equal(*answers)


def test_strength_0_draws_the_base_bit_for_bit(family, denoiser, tmp_path):
    tensors = _kohya(family, denoiser.components["transformer"])
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "x.safetensors")
    draw = lambda: generate(denoiser, ["a bag"], [3], Sampling(2, 1.0), Batching(2))[0]  # noqa: E731
    base, adapter = draw(), read_adapter(tmp_path / "x.safetensors")
    with applied(denoiser.components, adapter, 0.0):
        assert torch.equal(draw(), base)
    with applied(denoiser.components, adapter):
        assert not torch.equal(draw(), base)
    assert torch.equal(draw(), base)


OWN = {
    "flux": "text_model.encoder.layers.0.self_attn.q_proj",
    "krea2": "model.language_model.layers.0.self_attn.q_proj",
    "qwen_image": "model.language_model.layers.0.self_attn.q_proj",
}
"""Names of a layer of the text encoder, where it is no Qwen3."""


@pytest.mark.parametrize("end", ["text_encoder", "lora_te", "text_encoders.qwen3_4b.transformer"])
def test_text_encoders_are_changed_too(family, denoiser, end, tmp_path):
    """In every way in which programs call the layers of CLIP and of a Qwen3."""
    own = OWN.get(family, "model.layers.0.self_attn.q_proj")
    encoder = denoiser.components["text_encoder"]
    live = next(part for name, part in encoder.named_modules() if name.endswith("layers.0.self_attn.q_proj"))
    if family == "flux" and end.startswith("text_encoders"):
        end = "text_encoders.clip_l.transformer"
    stem = f"{end}_{own.replace('.', '_')}" if end == "lora_te" else f"{end}.{own}"
    save_file({f"{stem}.diff": torch.ones_like(live.weight)}, tmp_path / "x.safetensors")
    before = live.weight.clone()
    with applied(denoiser.components, read_adapter(tmp_path / "x.safetensors")) as report:
        assert report.problems == () and report.matched == 1
        torch.testing.assert_close(live.weight, before + 1)
