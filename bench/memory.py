"""Memory on Stable Diffusion XL in every way of keeping it, from shapes: `python bench/memory.py`.

Prints the tables of docs/memory.md: an audit with four rows of 1024 px at once and a LoRA of rank 16 on all
transformers of the U-Net; and a training step of such a LoRA, whose activations are counted by what is allocated on
fake tensors.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import checkout  # noqa: F401
import torch
import torch.nn.functional as F
from counted import PeakMemory
from owf.core import families
from owf.core.model.base import CONFIGS, BaseChoice
from owf.core.model.blueprint import Blueprint, blueprint
from owf.core.model.footprint import GIB, LoraBytes, footprint, needed_for, part_weights
from owf.core.model.memory import TILE, Keeping
from owf.core.train.methods.dreambooth_lora import DreamBoothLora
from owf.core.train.plan import TrainPlan
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

RANK, ROWS = 16, 4
"""A usual LoRA, and as many rows at once as small cards hold."""
WAYS = (
    Keeping(),
    Keeping(tile=TILE),
    Keeping("model"),
    Keeping("group", tile=TILE),
    Keeping(quantize="int8"),
    Keeping(quantize="int8", tile=TILE),
    Keeping("model", "int8"),
    Keeping(quantize="nf4", tile=TILE),
    Keeping("model", "nf4", TILE),
)
TRAINED = (
    (Keeping(), False),
    *((Keeping(way, kind), True) for kind in ("none", "int8", "nf4") for way in ("none", "model")),
)
"""Ways of keeping the base in a training, and whether activations are computed anew in the backward pass."""
STEP_ROWS = 2
"""Student's rows in a step of the default plan: one of the concept, one of drift correction."""
KIND = torch.bfloat16
"""Type of the base where training is counted."""
ADAM = 4 * 4
"""Bytes of a trained number: itself, its gradient and two moments in float32."""


def lora_bytes(base: Blueprint) -> LoraBytes:
    """Return what a LoRA on every linear layer of the U-Net's transformers changes and has."""
    named = base.components["unet"].named_modules()
    layers = [m for name, m in named if ".transformer_blocks." in name and isinstance(m, nn.Linear)]
    factors = sum(RANK * (layer.in_features + layer.out_features) for layer in layers)
    return LoraBytes(sum(layer.weight.numel() for layer in layers), factors)


def audit_bytes(base: Blueprint, keeping: Keeping, dtype: torch.dtype = KIND) -> float:
    """Return what an audit takes of a card."""
    return footprint(base, dtype, ROWS, keeping, lora_bytes(base)).needed


def audits(base: Blueprint) -> None:
    """Print the table of an audit."""
    for keeping in WAYS:
        needed = [audit_bytes(base, keeping, t) / GIB for t in (torch.float32, torch.bfloat16, torch.float16)]
        print(f"| {keeping.words()} | " + " | ".join(f"{value:.1f}" for value in needed) + " |")


@contextmanager
def norms_as_on_cuda() -> Iterator[None]:
    """Return a context in which norms are computed in float32, as autocast does on CUDA but not on the CPU."""

    def widened(norm: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def called(x: torch.Tensor, size: Any, weight: torch.Tensor, bias: torch.Tensor, eps: float) -> torch.Tensor:
            return norm(x.float(), size, weight.float(), bias.float(), eps)

        return called

    plain = F.layer_norm, F.group_norm
    F.layer_norm, F.group_norm = map(widened, plain)
    try:
        yield
    finally:
        F.layer_norm, F.group_norm = plain


def fake_step(rows: int, checkpointing: bool) -> tuple[int, int]:
    """Return the peak of a step's allocations and the number of trained weights; the base is in bfloat16."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(CONFIGS / "sdxl" / "unet"))
    unet.to(KIND).requires_grad_(False)
    if checkpointing:
        unet.enable_gradient_checkpointing()
    unet.train(checkpointing)
    DreamBoothLora(SimpleNamespace(components={"unet": unet}, device="meta"), TrainPlan(class_word="x", rank=RANK))
    with FakeTensorMode(allow_non_fake_inputs=True), norms_as_on_cuda():
        for module in unet.modules():  # the library puts its layers beside weights of torch's own kinds alone
            for name, weight in module.named_parameters(recurse=False):
                fake = torch.empty(weight.shape, dtype=weight.dtype)
                module.register_parameter(name, nn.Parameter(fake, weight.requires_grad))
        sizes = {"text_embeds": torch.zeros(rows, 1280, dtype=KIND), "time_ids": torch.zeros(rows, 6)}
        x, text = torch.zeros(rows, 4, 128, 128, dtype=KIND), torch.zeros(rows, 77, 2048, dtype=KIND)
        with PeakMemory() as memory:
            with torch.autocast("cpu", KIND):
                prediction = unet(x, torch.zeros(rows), text, added_cond_kwargs=sizes).sample
            prediction.float().square().mean().backward()
    return memory.peak, sum(p.numel() for p in unet.parameters() if p.requires_grad)


@dataclass(frozen=True)
class Step:
    """What a training step takes besides weights."""

    row: int
    """Bytes of activations of each row."""
    trained: int
    """Numbers that are trained."""


def steps() -> dict[bool, Step]:
    """Return what a step takes without and with checkpointing."""
    found = {}
    for checkpointing in (False, True):
        # What weights take is the same in both: the difference is what one row does.
        (one, trained), (two, _) = (fake_step(rows, checkpointing) for rows in (1, 2))
        found[checkpointing] = Step(two - one, trained)
    return found


def training_bytes(base: Blueprint, keeping: Keeping, step: Step) -> float:
    """Return what a training takes of a card."""
    weights = part_weights(base, KIND, keeping)
    there = weights["unet"] if keeping.offload == "model" else sum(weights.values())
    return needed_for(there + ADAM * step.trained + STEP_ROWS * step.row)


def trainings(base: Blueprint) -> None:
    """Print the table of a training step, and what each row takes."""
    counted = steps()
    for checkpointing, step in counted.items():
        print(f"each row, checkpointing {'on' if checkpointing else 'off'}: {step.row / GIB:.2f} GiB")
    for keeping, checkpointing in TRAINED:
        needed = training_bytes(base, keeping, counted[checkpointing])
        print(f"| {keeping.words()}{', checkpointing' if checkpointing else ''} | {needed / GIB:.1f} |")


def main() -> None:
    hub_id = families.get("sdxl").hub_id
    assert hub_id is not None
    base = blueprint(BaseChoice(hub_id, "hub"))
    audits(base)
    trainings(base)


if __name__ == "__main__":
    main()
