"""The demo base's feature network: a small classifier of what a picture shows."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ...errors import UsageError
from ...families import get
from ...foreign import foreign
from .network_names import NAMES
from .preparation import Prepare, resize_crop

FAMILY = "demo"
"""Family of the base whose pictures it was trained on; a network that is called by its folder sees them as large."""
ATTRIBUTES = {"label": "class", "color": "colour", "pattern": "pattern", "background": "background"}
"""Head -> what the base's vocabulary calls the same; the levels are in the order of the answers."""
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


def load_prepared(folder: Path, family: str) -> tuple[Prepare, FeatureNetwork]:
    """Return the network of a folder with its preparation: pictures as large as those of the family's base.

    Raises UsageError where the folder has none, or one that cannot be loaded.
    """
    if not (folder / "model.safetensors").is_file():
        known = ", ".join(NAMES)
        raise UsageError(f"No feature network {folder}: choose {known}, or a folder with model.safetensors.")
    with foreign(f"{folder} cannot be loaded as a feature network"):
        network = load_network(folder)
    side = get(family).resolution
    return lambda images: resize_crop(images, side, side) / 255, network


def load_network(folder: Path) -> FeatureNetwork:
    """Return the trained network of a folder, in float32 and evaluation mode; its file says how many answers it has."""
    from safetensors.torch import load_file

    weights = load_file(Path(folder) / "model.safetensors")
    heads = {name.split(".")[1]: len(value) for name, value in weights.items() if name.startswith("heads.")}
    network = FeatureNetwork(heads)
    network.load_state_dict(weights)
    return network.requires_grad_(False).eval()
