"""Feature networks of `core.metrics.images.features` under ComfyUI's memory management."""

import dataclasses

import numpy as np
import torch

from ...core.metrics.images.features import Fetching, ImageFeatures, load_features
from ...core.progress import Progress
from . import host

_ON_CPU = 4
"""Images between two looks at the cancel button where they take half a second each."""


class HostFeatures:
    """A FeatureNetwork that is on the device only while it is used, and that cancel stops."""

    def __init__(self, network: ImageFeatures) -> None:
        from comfy import model_management, model_patcher

        device = model_management.get_torch_device()
        self._patcher = model_patcher.ModelPatcher(network.network, device, model_management.unet_offload_device())
        self._network = dataclasses.replace(network, device=device)
        self.name, self.digest = network.name, network.digest

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        """Return float32 features (N, D) of uint8 images (N, 3, H, W)."""
        rows = _ON_CPU if self._network.device.type == "cpu" else len(images)
        return np.concatenate([self._features(part) for part in images.split(rows)])

    def _features(self, images: torch.Tensor) -> np.ndarray:
        host.check_interrupt()
        host.load(self._patcher)
        return self._network(images)


def host_features(name: str, progress: Progress) -> HostFeatures:
    """Return the feature network of a name (see `load_features`); `progress` hears of downloaded bytes."""
    return HostFeatures(load_features(name, Fetching(progress=progress)))
