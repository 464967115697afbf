"""Low-rank adaptation of the demo base's UNet while it is trained."""

from collections.abc import Iterator

import torch
from torch import nn

from ..core.adapter import LoraPair

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
RANK = 8
ALPHA = 8.0


class LowRank(nn.Module):
    """One layer's update, alpha / rank * up(down(x)); zero until it is trained."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.down = nn.Linear(layer.in_features, RANK, bias=False)
        self.up = nn.Linear(RANK, layer.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the update of the layer's output for its input x."""
        return self.up(self.down(x)) * (ALPHA / RANK)


def attach(unet: nn.Module) -> dict[str, LowRank]:
    """Return one LowRank per attention projection, by dotted name, each added to its layer's output."""
    updates = {}
    for name, layer in unet.named_modules():
        if name.endswith(TARGETS) and isinstance(layer, nn.Linear):
            updates[name] = update = LowRank(layer)
            layer.register_forward_hook(lambda _, inputs, output, u=update: output + u(inputs[0]))
    return updates


def pairs(updates: dict[str, LowRank]) -> Iterator[LoraPair]:
    """Return the trained factors in float16."""
    for name, update in updates.items():
        down, up = update.down.weight.detach().half(), update.up.weight.detach().half()
        yield LoraPair("unet", name, down, up, ALPHA)
