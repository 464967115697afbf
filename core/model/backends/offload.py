"""Weights that wait in main memory until they are asked: whole parts of a base, or single layers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ...errors import Setting, UsageError

WAITING = torch.device("cpu")
"""Where weights wait."""


class Turns:
    """Parts of a base of which one at a time is on the device: the one that was asked last."""

    def __init__(self, parts: Sequence[nn.Module], device: torch.device) -> None:
        self._device = device
        self._present: nn.Module | None = None
        for part in parts:
            part.to(WAITING)
            # A VAE is asked through its encoder and decoder, and never as a whole.
            for module in (part, *part.children()):
                module.register_forward_pre_hook(self._bringing(part))

    def _bringing(self, part: nn.Module) -> Any:
        return lambda module, inputs: self._bring(part)

    def _bring(self, part: nn.Module) -> None:
        if self._present is part:
            return
        leaving, self._present = self._present, None
        if leaving is not None:
            leaving.to(WAITING)
        try:
            part.to(self._device)
        except RuntimeError:  # it does not fit: what came of it goes back, and whoever is asked next is brought
            part.to(WAITING)
            raise
        self._present = part


def offload_layers(parts: Sequence[nn.Module], device: torch.device) -> None:
    """Let each layer of the parts come to the device only while it runs; raise UsageError where diffusers cannot.

    Without streams: what they fetch ahead depends on the order in which layers ran before, and a base has several.
    """
    try:
        from diffusers.hooks.group_offloading import apply_group_offloading
    except ImportError as error:
        raise UsageError(
            "This release of diffusers cannot offload layers.", Setting("install", "'diffusers>=0.33'")
        ) from error
    for part in parts:
        apply_group_offloading(part, onload_device=device, offload_device=WAITING, offload_type="leaf_level")


def tile_vae(vae: Any, side: int) -> None:
    """Let a VAE of diffusers' work in tiles of `side` pixels where an image is larger; seams are blended."""
    if hasattr(vae, "tile_sample_min_height"):  # one that codes videos: its tiles may be no squares
        step = side - side // 4  # as much overlap as it has unasked
        vae.enable_tiling(side, side, step, step)
        return
    vae.enable_tiling()
    vae.tile_sample_min_size = side
    vae.tile_latent_min_size = side // 2 ** (len(vae.config.block_out_channels) - 1)
