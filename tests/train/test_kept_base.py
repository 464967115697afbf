"""Training beside a base whose weights are rounded, or wait in main memory: the same bytes, or off by the rounding."""

import pytest
import torch
from owf.core.errors import UsageError
from owf.core.model.memory import Keeping
from small_training import run, small_plan, tiny_denoiser

MODEL = Keeping("model")
LIBRARIES = {"int8": "torchao", "nf4": "bitsandbytes"}


def kept(keeping):
    denoiser = tiny_denoiser()
    denoiser.keep(torch.device("cpu"), keeping)
    return denoiser


def trained(folder, plan, keeping, **setting):
    return run(folder, plan, kept(keeping), keeping=keeping, **setting)


@pytest.mark.parametrize(
    "options",
    [
        {"preserve": ("dc",)},
        {"preserve": ("dc", "prior"), "teacher_cache": 4, "prior_images": 2, "drift_every": 2},
        {"preserve": (), "algorithm": "dora"},
    ],
)
def test_what_waits_in_main_memory_changes_no_byte(tmp_path, options):
    plan = small_plan(**options)
    here, waiting = (trained(tmp_path / k.offload, plan, k) for k in (Keeping(), MODEL))
    assert waiting.path.read_bytes() == here.path.read_bytes()


def test_text_encoders_come_back_once(tmp_path):
    base, told = kept(MODEL), []
    for name, part in base.components.items():
        part.register_forward_pre_hook(lambda module, inputs, name=name: told.append(name))
    # After the last drawing the captions are read ahead, and then nothing but the U-Net is asked.
    run(tmp_path, small_plan(steps=6), base, keeping=MODEL, watch=lambda record: told.append(record.step))
    steps = told[told.index(1) :]
    assert set(steps) == {"unet", *range(1, 7)}


@pytest.mark.parametrize(("quantize", "near"), [("int8", 0.01), ("nf4", 0.05)])
def test_rounded_weights_train_to_nearly_the_same(tmp_path, quantize, near):
    pytest.importorskip(LIBRARIES[quantize])
    plan, losses = small_plan(steps=4, preserve=("dc",), rate=5e-2, checkpointing=True), []
    for keeping in (Keeping(), Keeping(quantize=quantize)):
        records = []
        trained(tmp_path / keeping.quantize, plan, keeping, records=records)
        losses.append([(r.loss, r.terms["dc"]) for r in records])
    plain, rounded = losses
    assert rounded != plain
    assert [loss for loss, _ in rounded] == pytest.approx([loss for loss, _ in plain], rel=near)
    assert rounded[-1][1] > 0


@pytest.mark.parametrize("quantize", LIBRARIES)
def test_a_training_beside_rounded_weights_resumes_to_the_same_bytes(tmp_path, quantize):
    pytest.importorskip(LIBRARIES[quantize])
    plan, keeping, steps = small_plan(steps=5, checkpointing=True), Keeping("model", quantize), []
    whole = trained(tmp_path / "whole", plan, keeping)
    trained(tmp_path / "parts", plan, keeping, watch=lambda r: steps.append(r.step), stop=lambda: len(steps) == 2)
    resumed = trained(tmp_path / "parts", plan, keeping, resume=True)
    assert resumed.path.read_bytes() == whole.path.read_bytes()


@pytest.mark.parametrize("algorithm", ["lora", "dora", "loha", "lokr"])
@pytest.mark.parametrize("quantize", LIBRARIES)
def test_every_algorithm_trains_or_says_why_not(tmp_path, quantize, algorithm):
    pytest.importorskip(LIBRARIES[quantize])
    plan, keeping = small_plan(algorithm=algorithm, checkpointing=True), Keeping(quantize=quantize)
    if quantize == "nf4" and algorithm in ("loha", "lokr"):
        with pytest.raises(UsageError, match="beside weights of 4 bits"):
            trained(tmp_path, plan, keeping)
    else:
        assert trained(tmp_path, plan, keeping).finished


@pytest.mark.parametrize(
    ("options", "keeping", "said", "settings"),
    [
        ({"method": "custom_diffusion"}, Keeping(quantize="nf4"), "the base's own weights", ["offload", "quantize"]),
        ({"train_text_encoder": True}, MODEL, "asked in each step", ["offload"]),
        ({}, Keeping(quantize="int8"), "a whole copy of each weight", ["checkpointing", "quantize"]),
    ],
)
def test_what_cannot_be_trained_so_is_refused_before_anything_runs(tmp_path, options, keeping, said, settings):
    with pytest.raises(UsageError, match=said) as caught:
        run(tmp_path, small_plan(**options), keeping=keeping)
    assert [setting.name for setting in caught.value.settings] == settings
