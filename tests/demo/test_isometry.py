"""The autoencoder's first weights."""

from typing import Any

import torch
from demo_base.stages.autoencoder import build_autoencoder


def test_layers_keep_lengths_and_halving_layers_keep_means():
    encoder: Any = build_autoencoder().encoder
    block = encoder.down_blocks[0]
    picture = torch.randn(1, 3, 1, 1).expand(1, 3, 32, 32)
    wide = encoder.conv_in(picture)
    assert torch.allclose(wide.norm(dim=1), picture.norm(dim=1), rtol=1e-4)
    assert torch.allclose(block.resnets[0](wide, None), wide, atol=1e-6), "a residual branch begins at zero"
    half = block.downsamplers[0](wide)
    # The last row and column are padded with zeros, so only the others are means of four.
    assert torch.allclose(half[..., :-1, :-1].norm(dim=1), picture[..., ::2, ::2][..., :-1, :-1].norm(dim=1), rtol=1e-4)


def test_latents_begin_quiet():
    autoencoder: Any = build_autoencoder()
    posterior = autoencoder.encode(torch.rand(2, 3, 32, 32) * 2 - 1).latent_dist
    assert (posterior.std.mean() < posterior.mean.std()).item()
