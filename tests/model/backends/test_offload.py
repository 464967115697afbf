"""Weights that wait in main memory: which are on the device when, and that nothing is answered otherwise."""

import pytest
import torch
from owf.core.adapter import read_adapter
from owf.core.audit.change import BESIDE, AdapterChange
from owf.core.demo import DEMO_BASE
from owf.core.errors import UsageError
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.backends.offload import Turns
from owf.core.model.base import BaseChoice, load_base
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.memory import AS_LOADED, Keeping
from tiny_sd import tiny_parts, write_tiny_lora

CPU = torch.device("cpu")
OFFLOADS = [Keeping("model"), Keeping("group")]


def kept(keeping: Keeping) -> DiffusersDenoiser:
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")
    denoiser.keep(CPU, keeping)
    return denoiser


def answers(denoiser) -> list[torch.Tensor]:
    cond = denoiser.encode_text(["a bag", "a coat"])
    x = gaussian((2, 4, 8, 8), 0, "x")
    images = torch.arange(2 * 3 * 64 * 64, dtype=torch.uint8).reshape(2, 3, 64, 64)
    return [
        cond.context,
        denoiser.predict(x, torch.tensor([5, 500]), cond),
        denoiser.encode_image(images),
        denoiser.decode(x).float(),
    ]


class Asked(torch.nn.Module):
    """A part with a child, which remembers where it was moved."""

    def __init__(self):
        super().__init__()
        self.encoder, self.places, self.fits = torch.nn.Linear(2, 2), [], True

    def to(self, *args, **kwargs):
        self.places.append(str(args[0]))
        if not self.fits and args[0] != CPU:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return self

    def forward(self, x):
        return self.encoder(x)


def test_one_part_at_a_time_is_on_the_device():
    one, other = Asked(), Asked()
    Turns([one, other], torch.device("meta"))  # any device that is not where they wait
    x = torch.ones(1, 2)
    one(x)
    one(x)
    other.encoder(x)  # as a VAE is asked
    one(x)
    assert one.places == ["cpu", "meta", "cpu", "meta"]
    assert other.places == ["cpu", "meta", "cpu"]


def test_a_part_that_does_not_fit_goes_back_and_the_one_before_it_comes_again():
    one, other, x = Asked(), Asked(), torch.ones(1, 2)
    Turns([one, other], torch.device("meta"))
    one(x)
    other.fits = False
    with pytest.raises(torch.cuda.OutOfMemoryError):
        other(x)
    one(x)
    assert one.places == ["cpu", "meta", "cpu", "meta"]
    assert other.places == ["cpu", "meta", "cpu"]


@pytest.mark.parametrize("keeping", OFFLOADS)
def test_an_offloaded_base_answers_as_the_plain_one(keeping):
    plain, away = kept(AS_LOADED), kept(keeping)
    assert away.digest() == plain.digest()
    assert all(torch.equal(a, b) for a, b in zip(answers(plain), answers(away), strict=True))
    assert away.host == {"base kept": keeping.words()}
    assert plain.host == {}


@pytest.mark.parametrize("keeping", OFFLOADS)
def test_a_lora_on_an_offloaded_base_stands_beside_its_weights(keeping, tmp_path):
    adapter = read_adapter(write_tiny_lora(tmp_path / "a.safetensors"))
    plain, away = kept(AS_LOADED), kept(keeping)
    before = answers(away)
    changes = [AdapterChange(d.components, adapter, 0.7, k) for d, k in ((plain, AS_LOADED), (away, keeping))]
    for change in changes:
        change.on()
    merged, beside = answers(plain), answers(away)
    # Latents of an untrained VAE and predictions are of size 1, pixels of 255: sums of float32 in another order.
    assert all(torch.allclose(a, b, atol=1e-4, rtol=1e-4) for a, b in zip(merged[:3], beside[:3], strict=True))
    assert not torch.allclose(before[1], beside[1], atol=1e-4)
    for change in changes:
        change.off()
    assert all(torch.equal(a, b) for a, b in zip(before, answers(away), strict=True))
    assert changes[1].record().details["applied"] == BESIDE
    assert "applied" not in changes[0].record().details
    assert changes[1].key == (*changes[0].key, BESIDE)


def test_strength_0_is_the_offloaded_base_bit_for_bit(tmp_path):
    away = kept(Keeping("model"))
    before = answers(away)
    change = AdapterChange(away.components, read_adapter(write_tiny_lora(tmp_path / "a.safetensors")), 0.0, OFFLOADS[0])
    change.on()
    assert all(torch.equal(a, b) for a, b in zip(before, answers(away), strict=True))


def test_a_vae_in_tiles_draws_nearly_the_same():
    plain, tiled = kept(AS_LOADED), kept(Keeping(tile=32))
    assert tiled._vae.use_tiling
    x = gaussian((1, 4, 8, 8), 0, "x")
    assert tiled.decode(x).shape == plain.decode(x).shape
    assert not torch.equal(tiled.decode(x), plain.decode(x))
    assert tiled.host == {"base kept": "VAE in tiles of 32 px"}


def test_where_a_base_does_not_fit_the_error_says_how_it_may(monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 26.00 MiB.")

    monkeypatch.setattr(DiffusersDenoiser, "keep", full)
    choice, found = BaseChoice(str(DEMO_BASE), "folder"), []
    for keeping in (AS_LOADED, Keeping("model")):
        with pytest.raises(UsageError, match="not enough memory") as caught:
            load_base(choice, CPU, torch.float32, offline=True, keeping=keeping)
        found.append([(setting.name, setting.value) for setting in caught.value.settings])
    assert found == [[("offload", "model"), ("quantize", "int8")], [("quantize", "int8")]]
