"""Linear layers that keep weights of eight bits as a file has them: the numbers of the widened base, in less memory."""

import copy
import warnings

import pytest
import torch
from eight_bits import FORMATS, GROUP, in_eight_bits
from fake_cuda import require_fake_cuda
from original_names import names_in_a_file
from owf.core.adapter.change.weights import has_weight, makes_weight, weight_shape
from owf.core.errors import UsageError
from owf.core.model.backends.kept_as_stored import (
    Stored,
    StoredLinear,
    joined,
    plain_state,
    widen,
    widen_for,
    widening_bytes,
)
from owf.core.model.backends.parts import in_dtype, require_finite_weights
from owf.core.model.base import BaseChoice, load_base
from owf.core.model.blueprint import blueprint
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.footprint import part_weights
from owf.core.model.memory import AS_LOADED
from owf.core.train.forecast.peak_memory import PeakMemory
from safetensors.torch import save_file
from tiny_flows import PARTS, save_folder
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

CPU = torch.device("cpu")


@pytest.fixture(params=FORMATS)
def kind(request):
    return FORMATS[request.param]


def layers(kind, dtype=torch.float32):
    """Return a layer that keeps its weight, and a plain one with the values it stands for."""
    torch.manual_seed(0)
    plain = nn.Linear(3 * GROUP, 7).requires_grad_(False)
    rounded = kind.of(plain.weight)
    plain.weight.data = rounded.values
    plain = plain.to(dtype)
    return StoredLinear(rounded.stored, copy.deepcopy(plain.bias), dtype), plain


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_layer_computes_with_the_values_bit_for_bit(kind, dtype):
    kept, plain = layers(kind, dtype)
    x = gaussian((2, 5, 3 * GROUP), 0, "x").to(dtype)
    assert torch.equal(kept.weight, plain.weight) and kept.weight.dtype == dtype
    assert torch.equal(kept(x), plain(x))
    assert (kept.in_features, kept.out_features) == (plain.in_features, plain.out_features)


def test_its_numbers_take_a_byte_and_stay_as_they_are_whatever_type_the_model_is_given(kind):
    kept, plain = layers(kind)
    before = kept.numbers.clone()
    held = {name: value.nbytes for name, value in (*kept.named_parameters(), *kept.named_buffers())}
    assert held.pop("numbers") == plain.weight.numel()
    assert sum(held.values()) <= 4 * (7 + 7)  # the bias, and a scale for each row
    for cast in (lambda: kept.to(torch.bfloat16), lambda: kept.half(), lambda: in_dtype(kept, torch.bfloat16)):
        cast()
        assert torch.equal(kept.numbers, before)
    assert torch.equal(kept.to(torch.bfloat16).weight, plain.weight.bfloat16())
    assert torch.equal(copy.deepcopy(kept).float().weight, plain.weight)


def test_gradients_go_through_to_the_input_and_no_widened_weight_is_kept_for_them(kind):
    kept, plain = layers(kind)
    found = []
    for layer in (kept, plain):
        x = gaussian((2, 5, 3 * GROUP), 0, "x").requires_grad_()
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, saved=saved: saved.append(t) or t, lambda t: t):
            output = layer(x).square().sum()
        output.backward()
        found.append((x.grad, [tuple(t.shape) for t in saved]))
    assert torch.equal(found[0][0], found[1][0])
    shape = tuple(plain.weight.shape)
    assert shape not in found[0][1] and {shape, shape[::-1]} & set(found[1][1])


def test_gradients_of_a_bias_and_under_autocast_are_those_of_a_plain_layer(kind):
    kept, plain = layers(kind)
    found = []
    for layer in (kept, plain):
        layer.bias = nn.Parameter(torch.zeros(7))
        x = gaussian((2, 5, 3 * GROUP), 0, "x").requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            output = layer(x)
        output.float().square().sum().backward()
        found.append((output, x.grad, layer.bias.grad))
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype and torch.allclose(one, other, rtol=2**-6, atol=1e-6)


def test_rows_are_cut_and_joined_with_their_scales(kind):
    kept, plain = layers(kind)
    parts = kept.stored.split([4, 3])
    assert torch.equal(parts[1].widened(torch.float32), plain.weight[4:])
    again = joined(parts[::-1])
    assert torch.equal(again.widened(torch.float32), torch.cat([plain.weight[4:], plain.weight[:4]]))


def test_what_is_of_different_kinds_or_no_matrix_does_not_stay_as_stored():
    whole, eight = Stored(torch.ones(2, 4)), Stored(torch.ones(2, 4).to(torch.float8_e5m2))
    assert joined([whole]) is None and joined([eight, whole]) is None
    assert joined([Stored(torch.ones(2, 4, 1, 1).to(torch.float8_e5m2))]) is None
    assert joined([eight, Stored(torch.ones(2, 4).to(torch.float8_e4m3fn))]) is None
    assert joined([eight]) is eight


class Model(nn.Module):
    """A model with one layer that keeps its weight and one that does not."""

    def __init__(self, kind):
        super().__init__()
        self.kept, self.plain = layers(kind)


def test_widened_again_a_model_is_plain(kind):
    model = Model(kind)
    state = dict(plain_state(model))
    assert list(state) == ["kept.bias", "kept.weight", "plain.bias", "plain.weight"]
    assert torch.equal(state["kept.weight"], model.plain.weight)
    widen_for(CPU, [model])
    assert isinstance(model.kept, StoredLinear)
    widen_for(torch.device("mps"), [model])  # without floating-point numbers of eight bits
    assert type(model.kept) is nn.Linear and torch.equal(model.kept.weight, model.plain.weight)
    assert list(dict(model.named_parameters())) == ["kept.weight", "kept.bias", "plain.weight", "plain.bias"]
    widen(model)
    assert list(state) == list(dict(plain_state(model)))


def test_a_layer_without_a_weight_is_none_that_makes_it(kind):
    kept, plain = layers(kind)
    assert makes_weight(kept) and has_weight(kept) and not makes_weight(plain) and has_weight(plain)
    del plain.weight  # as hosts leave a layer until it is loaded: a LoRA would change nothing there
    assert not makes_weight(plain) and not has_weight(plain) and weight_shape(plain) is None


@pytest.mark.parametrize("place", ["numbers", "scale"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(place, value):
    model = Model(FORMATS["e5m2-layer"])  # which has infinity
    stored = model.kept.stored
    (stored.numbers if place == "numbers" else stored.scale).view(-1)[0] = value
    with pytest.raises(UsageError, match=r"kept\.weight holds NaN or infinite"):
        require_finite_weights(model, torch.float32, "it")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_on_a_gpu_types_and_devices_are_those_of_a_plain_layer(kind, dtype):
    require_fake_cuda()
    stored = layers(kind, dtype)[0].stored
    with FakeTensorMode() as mode:
        numbers, scale = (t if t is None else mode.from_tensor(t).cuda() for t in (stored.numbers, stored.scale))
        layer = StoredLinear(Stored(numbers, scale, stored.group), None, dtype)
        output = layer(torch.zeros(2, 5, 3 * GROUP, dtype=dtype, device="cuda"))
        for tensor in (output, layer.weight):
            assert (tensor.dtype, tensor.device.type) == (dtype, "cuda")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_more_is_alive_than_is_counted_while_a_weight_is_widened(kind, dtype):
    require_fake_cuda()
    with FakeTensorMode():
        numbers = torch.empty(64, 64, dtype=kind.dtype, device="cuda")
        stored = Stored(
            numbers, torch.empty(64, 1, device="cuda") if kind.scaled else None, GROUP if kind.turned else 0
        )
        with PeakMemory() as memory:
            stored.widened(dtype)
    own = numbers.nbytes + (0 if stored.scale is None else stored.scale.nbytes)  # which count where they are read
    assert 64 * 64 * dtype.itemsize <= memory.peak <= widening_bytes(stored, dtype.itemsize) + own


@pytest.fixture(autouse=True)
def quiet_libraries():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(params=PARTS)
def family(request):
    return request.param


@pytest.fixture
def both(family, kind, tmp_path, monkeypatch):
    """The files of a transformer in eight bits and of the values that it stands for, with the rest in a folder."""
    parts = PARTS[family]()
    folder = save_folder(family, parts, tmp_path / "base")
    (tmp_path / "config.toml").write_text(f'[bases]\n{family} = "{folder}"\n')
    monkeypatch.setenv("OWF_CONFIG", str(tmp_path / "config.toml"))
    found = []
    for name, tensors in zip(("kept", "plain"), in_eight_bits(names_in_a_file(parts), kind), strict=True):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "base.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
        found.append(BaseChoice(str(path), "file"))
    return found


def prediction(denoiser):
    cond = denoiser.encode_text(["a bag", "a coat"])
    x = torch.stack([gaussian(denoiser.latent_shape, 0, name) for name in "xy"]).to(denoiser.dtype)
    return denoiser.predict(x, torch.tensor([5, 500]), cond)


def kept_layers(denoiser):
    return [part for root in denoiser.components.values() for part in root.modules() if isinstance(part, StoredLinear)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_base_keeps_its_file_s_bytes_and_is_the_widened_one_bit_for_bit(both, family, dtype):
    kept, plain = (load_base(choice, CPU, dtype, offline=True) for choice in both)
    in_file = ["transformer", *(["text_conditioner"] if family == "anima" else [])]
    linear = [part for name in in_file for part in plain.components[name].modules() if type(part) is nn.Linear]
    held = kept_layers(kept)
    assert len(held) == len([part for part in linear if part.in_features % GROUP == 0]) and not kept_layers(plain)
    assert all(layer.numbers.nbytes == layer.in_features * layer.out_features for layer in held)
    assert kept.digest() == plain.digest() and kept.host == plain.host
    assert torch.equal(prediction(kept), prediction(plain))


def test_a_dry_run_counts_the_bytes_that_are_loaded(both):
    seen = blueprint(both[0])
    loaded = load_base(both[0], CPU, torch.bfloat16, offline=True)
    assert seen.keeps_as_stored and not blueprint(both[1]).keeps_as_stored
    # Norms that a class of diffusers' keeps in float32 are counted in the type of all.
    sizes = {torch.uint8: 1, torch.bfloat16: 2, torch.float32: 2}
    weights = sum(w.numel() * sizes[w.dtype] for w in loaded.components["transformer"].parameters())
    assert part_weights(seen, torch.bfloat16, AS_LOADED)["transformer"] == weights
    assert seen.row_operations == blueprint(both[1]).row_operations
