"""The demo base's feature network: a small classifier of what a picture shows."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

WIDTH, QUARTERS = 128, 2
"""Features of each part of a picture, and parts along each edge: where a colour lies counts too."""


class FeatureNetwork(nn.Module):
    """Features of small pictures, and what they show."""

    def __init__(self, heads: Mapping[str, int]) -> None:
        """Take what is recognised, with the number of answers."""
        super().__init__()
        self.body = nn.Sequential(
            _block(3, 32, kernel=5, stride=2),
            _block(32, 64, kernel=3, stride=2),
            _block(64, WIDTH, kernel=3, stride=2),
            _block(WIDTH, WIDTH, kernel=3, stride=1),
            _block(WIDTH, WIDTH, kernel=3, stride=1),
        )
        self.heads = nn.ModuleDict({name: nn.Linear(WIDTH * QUARTERS**2, count) for name, count in heads.items()})

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, 512) features of (N, 3, H, W) pixels in [0, 1]."""
        return nn.functional.adaptive_avg_pool2d(self.body(pixels * 2 - 1), QUARTERS).flatten(1)

    def classify(self, pixels: torch.Tensor, head: str = "label") -> torch.Tensor:
        """Return (N, answers) logits of one head."""
        return self.heads[head](self(pixels))


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def load_network(folder: Path) -> FeatureNetwork:
    """Return the trained network of a folder, in float32 and evaluation mode; its file says how many answers it has."""
    from safetensors.torch import load_file

    weights = load_file(Path(folder) / "model.safetensors")
    heads = {name.split(".")[1]: len(value) for name, value in weights.items() if name.startswith("heads.")}
    network = FeatureNetwork(heads)
    network.load_state_dict(weights)
    return network.requires_grad_(False).eval()
