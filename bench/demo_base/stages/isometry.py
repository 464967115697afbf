"""First weights that carry a picture through the autoencoder, so that no step is spent on learning to pass it on."""

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

QUIET = -4.0
"""First log variance of the latents. Noise as large as the latents themselves would hide them from the decoder."""


@torch.no_grad()
def make_isometric(vae: "AutoencoderKL") -> None:
    """Set the autoencoder's weights so that every layer keeps lengths and angles (Xiao et al. 2018).

    Residual branches begin at zero; every other convolution is an orthogonal matrix at its middle, and those that halve
    the picture take means. PyTorch's own first weights shrink a picture by a third in each of 14 such layers, and the
    colours were then learned one after the other, after a plateau each.
    """
    for name, layer in vae.named_modules():
        if name.endswith("conv2") or name.endswith("to_out.0"):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Conv2d) and not name.endswith("conv1"):
            _pass_on(layer, halves="downsamplers" in name)
    means, log_variances = vae.quant_conv.weight.chunk(2), vae.quant_conv.bias.chunk(2)
    means[1].zero_()
    log_variances[1].fill_(QUIET)


def _pass_on(layer: nn.Conv2d, halves: bool) -> None:
    mix = nn.init.orthogonal_(torch.empty(layer.weight.shape[:2]))[:, :, None, None]
    middle = layer.kernel_size[0] // 2
    nn.init.zeros_(layer.bias)
    nn.init.zeros_(layer.weight)
    if halves:
        layer.weight[:, :, :2, :2] = mix / 4
    else:
        layer.weight[:, :, middle : middle + 1, middle : middle + 1] = mix
