"""A real CUDA device says what the processor says, in every way of keeping a base: by hand, `pytest tests/cuda`."""

import gc

import pytest
import torch
from demo_base.judging.pictures import load_demo_base
from owf.core.adapter import read_adapter
from owf.core.audit.change import AdapterChange
from owf.core.demo import DEMO_BASE, DEMO_VERDICTS
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.noise import gaussian
from owf.core.model.diffusion.sample import Sampling, generate
from owf.core.model.memory import AS_LOADED, Keeping
from small_training import run, small_plan
from tiny_sd import tiny_parts, write_tiny_lora
from tiny_sdxl import kohya, lora_factors, tiny_xl_parts

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CUDA = torch.device("cuda")
KEPT = [
    AS_LOADED,
    Keeping("model"),
    Keeping("group"),
    Keeping(tile=32),
    Keeping(quantize="int8"),
    Keeping("model", "int8"),
    Keeping("group", "int8"),
    Keeping(quantize="nf4"),
    Keeping("model", "nf4"),
]
LIBRARIES = {"int8": "torchao", "nf4": "bitsandbytes"}
HALVES = [torch.float16, torch.bfloat16]
LORAS = sorted(DEMO_VERDICTS)


def made(parts, family: str, dtype: torch.dtype, keeping: Keeping, device: torch.device = CUDA) -> DiffusersDenoiser:
    if keeping.quantize != "none":
        pytest.importorskip(LIBRARIES[keeping.quantize])
    for module in vars(parts).values():
        if isinstance(module, torch.nn.Module):
            module.to(dtype)
    if family == "sdxl" and dtype == torch.float16:
        parts.vae.float()  # as it is loaded
    denoiser = DiffusersDenoiser(parts, "tiny", family)
    denoiser.keep(device, keeping)
    return denoiser


def answers(denoiser) -> list[torch.Tensor]:
    """Return what the parts say of the same, on the processor."""
    cond = denoiser.encode_text(["a bag", "a coat"])
    x = gaussian((2, 4, 8, 8), 0, "x").to(denoiser.device, denoiser.dtype)
    t = torch.tensor([5, 500], device=denoiser.device)
    images = torch.arange(2 * 3 * 64 * 64, dtype=torch.uint8).reshape(2, 3, 64, 64)
    found = [cond.context, denoiser.predict(x, t, cond), denoiser.encode_image(images), denoiser.decode(x)]
    return [tensor.float().cpu() for tensor in found]


def off_by(found: list[torch.Tensor], expected: list[torch.Tensor]) -> list[float]:
    return [float((a - b).norm() / b.norm()) for a, b in zip(found, expected, strict=True)]


@pytest.mark.parametrize("family", ["demo", "sdxl"])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 2e-3), (torch.float16, 1e-2), (torch.bfloat16, 6e-2)])
def test_a_small_base_answers_as_on_the_processor(family, dtype, near):
    parts = tiny_xl_parts if family == "sdxl" else tiny_parts
    here = answers(made(parts(), family, dtype, AS_LOADED))
    there = answers(made(parts(), family, torch.float32, AS_LOADED, torch.device("cpu")))
    assert max(off_by(here, there)) < near, off_by(here, there)


@pytest.mark.parametrize("family", ["demo", "sdxl"])
@pytest.mark.parametrize("keeping", KEPT, ids=Keeping.words)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_without_its_lora_a_base_is_the_base_bit_for_bit(tmp_path, family, keeping, dtype):
    if family == "sdxl":
        from safetensors.torch import save_file

        parts, path = tiny_xl_parts(), tmp_path / "a.safetensors"
        save_file(kohya(lora_factors(parts)), path)
    else:
        parts, path = tiny_parts(), write_tiny_lora(tmp_path / "a.safetensors", 1.0)
    denoiser = made(parts, family, dtype, keeping)
    digest, before = denoiser.digest(), answers(denoiser)
    nothing, whole = (AdapterChange(denoiser.components, read_adapter(path), s, keeping) for s in (0.0, 1.0))
    for change, changed in ((nothing, False), (whole, True)):
        change.on()
        during = answers(denoiser)
        change.off()
        assert torch.equal(during[1], before[1]) is not changed
        assert all(torch.equal(a, b) for a, b in zip(answers(denoiser), before, strict=True))
    assert denoiser.digest() == digest


@pytest.mark.parametrize("keeping", [k for k in KEPT if k.quantize == "none" and not k.tile], ids=Keeping.words)
def test_a_lora_does_the_same_beside_the_weights_as_in_them(tmp_path, keeping):
    adapter = read_adapter(write_tiny_lora(tmp_path / "a.safetensors", 1.0))
    found = []
    for way in (AS_LOADED, keeping):
        denoiser = made(tiny_parts(), "demo", torch.float32, way)
        AdapterChange(denoiser.components, adapter, 0.7, way).on()
        found.append(answers(denoiser))
    assert max(off_by(*found)) < 2e-3, off_by(*found)


@pytest.fixture(scope="module")
def bases():
    return load_demo_base(DEMO_BASE), load_demo_base(DEMO_BASE, "cuda")


def test_the_demo_base_draws_the_same_pictures(bases):
    prompts = ["a photo of a red dress", "a photo of a green sneaker", "a photo of a blue and white striped coat"]
    drawn = [generate(base, prompts, [0, 1, 2], Sampling(12, 4.0), Batching(8))[0].float() for base in bases]
    assert float((drawn[0] - drawn[1]).abs().mean()) < 1


@pytest.mark.parametrize("lora", LORAS, ids=lambda path: path.stem)
def test_the_drift_of_the_demos_loras_is_that_of_the_processor(bases, lora):
    found = []
    for base in bases:
        change, answered = AdapterChange(base.components, read_adapter(lora), 1.0), []
        cond = base.encode_text(["a photo of a red dress"]).rows([0] * 64)
        x = gaussian((64, *base.latent_shape), 0, "x").to(base.device)
        t = torch.arange(8, 1000, 1000 // 64, device=base.device)[:64]
        for turn in (None, change):
            if turn is not None:
                turn.on()
            answered.append(base.predict(x, t, cond).float().cpu())
        change.off()
        found.append(float((answered[1] - answered[0]).square().sum() / answered[0].square().sum()))
    assert found[1] == pytest.approx(found[0], rel=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES], ids=str)
@pytest.mark.parametrize("algorithm", ["lora", "dora", "loha", "lokr"])
def test_trainings_teach_and_resume_to_the_same_bytes(tmp_path, dtype, algorithm):
    plan, records, steps = small_plan(steps=6, preserve=("dc",), algorithm=algorithm), [], []
    whole = run(tmp_path / "whole", plan, made(tiny_parts(), "demo", dtype, AS_LOADED), records=records)
    again = run(tmp_path / "again", plan, made(tiny_parts(), "demo", dtype, AS_LOADED))
    assert again.path.read_bytes() == whole.path.read_bytes()
    assert all(torch.isfinite(torch.tensor(record.loss)) for record in records)
    run(tmp_path / "parts", plan, made(tiny_parts(), "demo", dtype, AS_LOADED), watch=lambda r: steps.append(r.step),
        stop=lambda: len(steps) == 3)  # fmt: skip
    resumed = run(tmp_path / "parts", plan, made(tiny_parts(), "demo", dtype, AS_LOADED), resume=True)
    assert resumed.path.read_bytes() == whole.path.read_bytes()


@pytest.mark.parametrize("keeping", [k for k in KEPT if k.offload != "group" and not k.tile], ids=Keeping.words)
def test_trainings_on_a_base_that_is_kept_otherwise(tmp_path, keeping):
    plan, losses = small_plan(steps=4, preserve=("dc",), checkpointing=True), []
    for way in (AS_LOADED, keeping):
        records = []
        base = made(tiny_parts(), "demo", torch.bfloat16, way)
        run(tmp_path / str(len(losses)), plan, base, records=records, keeping=way)
        losses.append([record.loss for record in records])
    assert losses[1] == pytest.approx(losses[0], rel=0.1 if keeping.quantize == "nf4" else 0.03)
    if keeping == Keeping("model"):
        assert losses[1] == losses[0]


def test_a_batch_that_does_not_fit_is_halved():
    denoiser = made(tiny_parts(), "demo", torch.float32, AS_LOADED)
    rows = 2**16
    cond = denoiser.encode_text(["a bag"])
    x = torch.zeros(1, 4, 8, 8, device=CUDA)

    def predict(part: slice) -> torch.Tensor:
        count = part.stop - part.start
        return denoiser.predict(
            x.expand(count, 4, 8, 8), torch.full((count,), 500, device=CUDA), cond.rows([0] * count)
        )

    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + 2**30) / total))
    try:
        batch = Batching(rows)
        found = torch.cat(batch.run(rows, predict))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert len(found) == rows
    assert batch.size < rows
