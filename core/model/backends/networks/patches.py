"""Latents as tokens, one for each patch."""

import torch

PATCH = 2
"""Side of the patches of latents that are one token, or of klein's one channel each."""


def packed(latents: torch.Tensor) -> torch.Tensor:
    """Return latents (N, C, h, w) as tokens (N, h/2 w/2, 4 C), one for each patch, row by row."""
    count, channels, height, width = latents.shape
    patches = latents.reshape(count, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpacked(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return latents of tokens; the inverse of `packed` for `height` by `width` patches."""
    patches = tokens.reshape(len(tokens), height, width, -1, PATCH, PATCH)
    return patches.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
