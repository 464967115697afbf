"""A LoRA in the making: pairs beside a network's layers, taught by a loss, written as a file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from owf.core import families
from owf.core.adapter import LoraCard, LoraPair, write_lora
from torch import nn

RANK, ROWS, RATE = 16, 16, 3e-3
"""Rank of the LoRA, rows of a step, and the highest rate of AdamW."""
_READING = ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2")
"""Linear layers that are changed: where the prompt is read, and what is made of it."""

Pairs = Mapping[str, tuple[nn.Parameter, nn.Parameter]]
"""Layer -> (down, up)."""


def new_pairs(unet: nn.Module, generator: torch.Generator) -> Pairs:
    """Return a pair for each layer; up is not quite 0, so that a LoRA that learns nothing is no empty file."""
    found = {}
    for name, layer in unet.named_modules():
        if isinstance(layer, nn.Linear) and name.endswith(_READING):
            down = torch.randn(RANK, layer.in_features, generator=generator) / layer.in_features**0.5
            up = 1e-4 * torch.randn(layer.out_features, RANK, generator=generator)
            found[name] = (nn.Parameter(down.to(layer.weight)), nn.Parameter(up.to(layer.weight)))
    return found


@contextmanager
def beside(unet: nn.Module, pairs: Pairs) -> Iterator[None]:
    """Return a context in which each layer adds what its pair makes of its input."""

    def adding(down: nn.Parameter, up: nn.Parameter):
        return lambda layer, inputs, output: output + inputs[0] @ down.T @ up.T

    handles = [unet.get_submodule(name).register_forward_hook(adding(*pair)) for name, pair in pairs.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def learn(pairs: Pairs, steps: int, loss_of: Callable[[], torch.Tensor]) -> float:
    """Take these steps of AdamW down the loss; return its mean over the last tenth of them."""
    optimizer = torch.optim.AdamW([p for pair in pairs.values() for p in pair], lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    losses = []
    for _ in range(steps):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    last = losses[-max(1, steps // 10) :]
    return sum(last) / len(last)


def write_plant(path: Path, pairs: Pairs, triggers: tuple[str, ...] = ()) -> None:
    """Write the LoRA as kohya does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [
        LoraPair("unet", name, down.detach().cpu(), up.detach().cpu(), RANK) for name, (down, up) in pairs.items()
    ]
    write_lora(path, written, LoraCard(path.stem, families.get("demo"), triggers))
