"""Claim: what is written is read back as it was, and loads in diffusers with equal output."""

import copy
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from owf.core import families
from owf.core.adapter import LoraCard, LoraPair, applied, read_adapter, write_lora
from owf.core.adapter.naming.names import flatten
from owf.core.errors import UsageError
from safetensors import safe_open
from safetensors.torch import load_file, save_file

CARD = LoraCard("tiny", families.get("sd15"), ("ohwx",), "base.safetensors", (512, 640), 2)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def _layers(base):
    return [
        (component, dotted, module)
        for component, root in base.components.items()
        for dotted, module in root.named_modules()
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))
    ]


def _pair(component, dotted, module, rank, alpha, dtype=torch.float32):
    weight = module.weight
    kernel = [1] * (weight.ndim - 2)
    down = (torch.randn(rank, *weight.shape[1:]) * 0.1).to(dtype)
    up = (torch.randn(weight.shape[0], rank, *kernel) * 0.1).to(dtype)
    return LoraPair(component, dotted, down, up, alpha)


@pytest.fixture
def pairs(small_base):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return [_pair(*layer, 4, 2.0) for layer in _layers(small_base)]


def test_metadata_comes_back(pairs, tmp_path):
    sha = write_lora(tmp_path / "tiny.safetensors", pairs, CARD)
    adapter = read_adapter(tmp_path / "tiny.safetensors")
    assert adapter.sha256 == sha
    assert adapter.trigger_words[0] == "ohwx"
    assert adapter.resolution == (512, 640)
    assert adapter.prediction_type == "epsilon"
    assert adapter.training.title == "tiny"
    assert adapter.training.network == "networks.lora"
    assert not any("sshs_model_hash" in warning for warning in adapter.warnings)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_diffusers_loads_it_with_equal_output(small_base, pairs, tmp_path, largest_difference):
    from diffusers import StableDiffusionPipeline

    plain = [pair for pair in pairs if not pair.module.startswith(("conv_in", "conv_out", "time_emb"))]
    write_lora(tmp_path / "tiny.safetensors", plain, CARD)
    unet, text = (copy.deepcopy(small_base.components[name]) for name in ("unet", "text_encoder"))
    state, alphas = StableDiffusionPipeline.lora_state_dict(tmp_path / "tiny.safetensors", unet_config=unet.config)[:2]
    StableDiffusionPipeline.load_lora_into_unet(state, alphas, unet)
    StableDiffusionPipeline.load_lora_into_text_encoder(state, alphas, text)
    loaded = type(small_base)({"unet": unet.eval(), "text_encoder": text.eval()})
    with applied(small_base.components, read_adapter(tmp_path / "tiny.safetensors")) as report:
        assert report.unmatched == ()
        assert largest_difference(loaded.outputs(), small_base.outputs()) < 1e-4


def test_plain_peft_loads_it_with_equal_output(small_base, pairs, tmp_path, largest_difference):
    """Without diffusers' loader: rank and alpha from the metadata, modules by the flattened names of the live ones."""
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    write_lora(tmp_path / "tiny.safetensors", pairs, CARD)
    tensors, facts = load_file(tmp_path / "tiny.safetensors"), _metadata(tmp_path / "tiny.safetensors")
    loaded = {}
    for component, prefix in (("unet", "lora_unet"), ("text_encoder", "lora_te_text_model")):
        model = copy.deepcopy(small_base.components[component])
        names = {f"{prefix}_{flatten(component, dotted)}": dotted for dotted, _ in model.named_modules()}
        state = {}
        for key, tensor in tensors.items():
            stem, _, ending = key.partition(".")
            half = {"lora_down.weight": "lora_A", "lora_up.weight": "lora_B"}.get(ending)
            if half and stem in names:
                state[f"base_model.model.{names[stem]}.{half}.weight"] = tensor
        targets = sorted({key.removeprefix("base_model.model.").rsplit(".lora_", 1)[0] for key in state})
        rank, alpha = int(facts["ss_network_dim"]), float(facts["ss_network_alpha"])
        loaded[component] = get_peft_model(model, LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets)).eval()
        assert not set_peft_model_state_dict(loaded[component], state).unexpected_keys
    with applied(small_base.components, read_adapter(tmp_path / "tiny.safetensors")) as report:
        assert report.matched == len(pairs)
        assert largest_difference(type(small_base)(loaded).outputs(), small_base.outputs()) < 1e-4


def _metadata(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


@QUICK
@given(data=st.data())
def test_reading_is_the_inverse_of_writing(small_base, to_ldm, data):
    """For any modules, ranks, alphas, element types, spellings of text modules and dialects of names."""
    layers = data.draw(
        st.lists(st.sampled_from(_layers(small_base)), min_size=1, max_size=6, unique_by=lambda x: x[:2])
    )
    dtype = data.draw(st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64]))
    alphas = st.floats(-64, 64, width=32, allow_subnormal=False).filter(bool)
    pairs = [_pair(c, d, m, data.draw(st.integers(1, 8)), data.draw(alphas), dtype) for c, d, m in layers]
    if data.draw(st.booleans()):
        pairs = [_old_spelling(pair) for pair in pairs]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        write_lora(path, pairs, CARD)
        dialect = data.draw(st.sampled_from(["kohya", "sgm", "wrapper"]))
        save_file({_renamed(key, dialect, to_ldm): value for key, value in load_file(path).items()}, path)
        adapter = read_adapter(path)
        found = {module.name: module for module in adapter.modules}
        assert len(found) == len(pairs)
        for pair in pairs:
            module = found[f"{pair.component}.{flatten(pair.component, pair.module)}"]
            assert module.alpha == pytest.approx(pair.alpha)
            assert module.outline.rank == pair.down.shape[0]
            with module.source.reading() as load:
                assert torch.equal(load(module.slots["down"].name), pair.down)
                assert torch.equal(load(module.slots["up"].name), pair.up)


def _old_spelling(pair):
    if pair.component == "unet":
        return pair
    return LoraPair(pair.component, f"text_model.{pair.module}", pair.down, pair.up, pair.alpha)


def _renamed(key, dialect, to_ldm):
    """Return a key of a kohya file in another dialect."""
    stem, _, ending = key.partition(".")
    if dialect == "sgm" and stem.startswith("lora_unet_"):
        return f"lora_unet_{to_ldm(stem.removeprefix('lora_unet_'), (0,))}.{ending}"
    if dialect == "wrapper":
        return f"lycoris_{stem.removeprefix('lora_unet_').removeprefix('lora_te_')}.{ending}"
    return key


def test_a_failed_write_leaves_the_old_file(pairs, tmp_path):
    path = tmp_path / "tiny.safetensors"
    write_lora(path, pairs, CARD)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="twice"):
        write_lora(path, [pairs[0], pairs[0]], CARD)
    with pytest.raises(UsageError, match="nothing"):
        write_lora(path, [], CARD)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
