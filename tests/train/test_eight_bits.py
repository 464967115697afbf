"""LoRAs on bases that keep weights of eight bits as they are stored: measured and trained as on the widened base."""

import warnings

import pytest
import torch
from eight_bits import FORMATS, keep_parts
from owf.core import families
from owf.core.adapter import LoraCard, read_adapter, stacked
from owf.core.audit.change import BESIDE, AdapterChange
from owf.core.experiments.lab.stack import StackChange
from owf.core.model.backends import quantize
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.backends.kept_as_stored import StoredLinear, widen
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.memory import AS_LOADED, Keeping
from owf.core.train.methods.method import attach
from safetensors.torch import load_file, save_file
from small_training import run, small_plan
from tiny_flows import PARTS, TRAINED
from torch import nn

KIND = FORMATS["e4m3-rows"]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def quiet_libraries():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(params=TRAINED)
def family(request):
    return request.param


def plan(**options):
    return small_plan(**({"steps": 2, "batch": 1, "targets": "transformer", "dc_control": "fixed"} | options))


def base(family, *, is_widened=False, keeping=AS_LOADED):
    """Return a base in eight bits, or the plain one with its values."""
    denoiser = DiffusersDenoiser(keep_parts(PARTS[family](), KIND), "tiny", family)
    for part in denoiser.components.values():
        if is_widened:
            widen(part)
    denoiser.keep(CPU, keeping)
    return denoiser


def answers(denoiser):
    cond = denoiser.encode_text(["a photo of a sks bag", "a"])
    x = torch.stack([gaussian(denoiser.latent_shape, 0, name) for name in "xy"])
    return denoiser.predict(x, torch.tensor([300, 700]), cond)


def trained_layers(path, family, algorithm):
    """Write a LoRA of a base's layers, moved by noise, and return what the base answers with it as it is trained."""
    denoiser = base(family)
    method, generator = attach(denoiser, plan(algorithm=algorithm)), torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in method.parameters.values():
            noise = 0.2 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_((parameter + noise).half().float())  # as the file holds it
    found = answers(denoiser)
    method.write(path, LoraCard("x", families.get(family)))
    method.detach()
    return found


@pytest.mark.parametrize("algorithm", ["lora", "dora", "loha", "lokr"])
def test_a_lora_beside_such_layers_is_the_one_merged_into_the_widened_base(family, algorithm, tmp_path):
    trained = trained_layers(tmp_path / "x.safetensors", family, algorithm)
    adapter, found = read_adapter(tmp_path / "x.safetensors"), []
    for is_widened in (False, True):
        denoiser = base(family, is_widened=is_widened)
        before = answers(denoiser)
        change = AdapterChange(denoiser.components, adapter, 1.0)
        assert change.refusal() is None
        change.on()
        found.append((before, answers(denoiser), change.record().delta_norm))
        change.off()
        assert torch.equal(answers(denoiser), before)
        assert change.record().details.get("applied") == (None if is_widened else BESIDE)
    (before, beside, norm), (plain, merged, other) = found
    assert torch.equal(before, plain) and norm == pytest.approx(other, rel=1e-5)
    assert (merged - plain).abs().max() > 1e-3
    for one in (beside, trained):
        torch.testing.assert_close(one, merged, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("is_dora", [False, True])
def test_a_lora_of_a_fused_layer_is_cut_for_layers_in_eight_bits(is_dora, tmp_path):
    generator, stem = torch.Generator().manual_seed(3), "lora_unet_double_blocks_0_img_attn_qkv"
    tensors = {
        f"{stem}.lora_down.weight": torch.randn(4, 32, generator=generator),
        f"{stem}.lora_up.weight": torch.randn(96, 4, generator=generator),
    }
    tensors |= {f"{stem}.dora_scale": torch.full((96, 1), 2.0)} if is_dora else {}
    save_file(tensors, tmp_path / "x.safetensors")
    found = []
    for is_widened in (False, True):
        denoiser = base("flux", is_widened=is_widened)
        plain = answers(denoiser)
        change = AdapterChange(denoiser.components, read_adapter(tmp_path / "x.safetensors"), 1.0)
        assert change.refusal() is None and change.record().matched == 3
        change.on()
        found.append(answers(denoiser))
        assert (found[-1] - plain).abs().max() > 1e-3
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_strength_0_is_the_base_bit_for_bit_and_several_add_up(family, tmp_path):
    paths = [tmp_path / f"{name}.safetensors" for name in ("lora", "lokr")]
    for path in paths:
        trained_layers(path, family, path.stem)
    adapters = [read_adapter(path) for path in paths]
    kept, plain = base(family), base(family, is_widened=True)
    before = answers(kept)
    change = AdapterChange(kept.components, adapters[0], 0.0)
    change.on()
    assert torch.equal(answers(kept), before)
    change.off()
    found = []
    for denoiser in (kept, plain):
        with stacked(denoiser.components, adapters, (1.0, 1.0)):
            found.append(answers(denoiser))
        together = StackChange(denoiser.components, adapters)
        together.on()
        assert torch.equal(answers(denoiser), found[-1])
        together.off()
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)
    assert torch.equal(answers(kept), before)
    assert StackChange(kept.components, adapters).key == (*StackChange(plain.components, adapters).key, BESIDE)


@pytest.mark.parametrize("offload", ["model", "group"])
def test_layers_that_wait_in_main_memory_answer_as_those_that_do_not(family, offload, tmp_path):
    trained_layers(tmp_path / "x.safetensors", family, "lora")
    adapter, found = read_adapter(tmp_path / "x.safetensors"), []
    for keeping in (AS_LOADED, Keeping(offload)):
        denoiser = base(family, keeping=keeping)
        change = AdapterChange(denoiser.components, adapter, 1.0, keeping)
        plain = answers(denoiser)
        change.on()
        found.append((plain, answers(denoiser), denoiser.digest()))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_ends_where_that_of_the_widened_base_does(family, checkpointing, tmp_path):
    asked, found = plan(checkpointing=checkpointing, preserve=("dc",), rate=1e-3), []
    for name, is_widened in (("kept", False), ("plain", True)):
        denoiser = base(family, is_widened=is_widened)
        before = answers(denoiser)
        found.append(load_file(run(tmp_path / name, asked, denoiser).path))
        assert torch.equal(answers(denoiser), before)
    kept, plain = found
    assert kept.keys() == plain.keys()
    assert all(value.any() for name, value in kept.items() if "lora_B" in name)  # which begin at 0
    for name, value in plain.items():
        assert torch.allclose(kept[name].float(), value.float(), atol=1e-4), name


def test_what_is_to_be_rounded_is_widened_before(family, monkeypatch):
    seen, plain = [], base(family, is_widened=True)
    monkeypatch.setattr(quantize, "require_library", lambda keeping: None)
    monkeypatch.setitem(quantize._ROUNDS, "int8", seen.append)
    kept = base(family, keeping=Keeping(quantize="int8"))
    assert seen == list(kept.components.values())
    for name, part in kept.components.items():
        assert not any(isinstance(layer, StoredLinear) for layer in part.modules())
        for path, layer in plain.components[name].named_modules():
            if type(layer) is nn.Linear:
                assert torch.equal(part.get_submodule(path).weight, layer.weight)
