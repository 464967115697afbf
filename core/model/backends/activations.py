"""How many numbers are alive at once while a U-Net or a VAE runs without gradients, in closed form.

`docs/memory.md` has the derivation; tests hold it against allocations counted on fake tensors of a GPU.
"""

from typing import Any

_GATED = 22
"""Tensors as large as a transformer's tokens at its fullest moment: 8 are what the gated layer makes of them, 4 the
half that is the gate, 4 the product; 6 are the input, its norm, what is added to it later, and what blocks hold."""
_RESIDUAL = 3
"""Tensors as large as its input in a residual block: the input, which is added in the end, its norm, and its SiLU."""


def unet_values(config: Any, side: int) -> int:
    """Return the numbers of one row through a U-Net at latents of `side`, at most.

    They are the skip connections, and the largest of what the blocks work with. Fused attention adds none.
    """
    widths, layers = config.block_out_channels, config.layers_per_block
    pixels = [(side >> level) ** 2 for level in range(len(widths))]
    each = [layers] * len(widths) if isinstance(layers, int) else layers
    skips = widths[0] * pixels[0]
    work = []
    for level, (width, count) in enumerate(zip(widths, pixels, strict=True)):
        is_last = level == len(widths) - 1
        skips += each[level] * width * count + (0 if is_last else width * pixels[level + 1])
        work.append(_RESIDUAL * (width + (width if is_last else widths[level + 1])) * count)
        if "CrossAttn" in config.down_block_types[level]:
            work.append(_GATED * width * count)
    return skips + max(work)


_STREAM = 8
"""Tensors as wide as a transformer's tokens at its fullest moment, besides what its feed-forward makes: the tokens,
their norm, queries, keys and values before and after they are rotated, and what attention gives."""


def transformer_values(tokens: int, width: int, ratio: float) -> int:
    """Return the numbers of one row through a transformer, at most, for a feed-forward `ratio` times as wide.

    In blocks that do attention and feed-forward at once, both are alive, the feed-forward's layer before and after its
    activation, and what they are joined to.
    """
    return int(tokens * width * (_STREAM + 3 * ratio + 1))


def sequential_values(tokens: int, width: int, ratio: float) -> int:
    """Return the numbers of one row through a transformer, at most, whose feed-forwards follow their attention.

    A feed-forward `ratio` times as wide holds its layer before and after its activation, beside the tokens, their norm,
    and what is added to them.
    """
    return int(tokens * width * (2 * ratio + 4))


def language_values(tokens: int, width: int, inner: int, kept: int) -> int:
    """Return the numbers of one prompt through a language model, at most, that keeps `kept` layers' states to the end.

    Its gated feed-forward, `inner` wide, holds gate, other half and product, beside the tokens, their norm, what is
    added to them, and what attention was given and gave.
    """
    return tokens * ((kept + 5) * width + 3 * inner)


_VIDEO = 18
"""Tensors as large as a picture at the first width, while a VAE that codes videos decodes one: seven convolutions keep
their inputs for the next frame, and one is filled up in front to the three frames that it reads."""


def vae_values(config: Any, side: int) -> int:
    """Return the numbers of one image of `side` pixels through a VAE's encoder or decoder, at most.

    The decoder's last level begins as wide as the level before it, in a residual block. The encoder's first holds
    input, norm and SiLU of the second layer of its block, its output, and the sum of both. One that codes videos keeps
    more: see `_VIDEO`.
    """
    if hasattr(config, "base_dim"):
        return _VIDEO * config.base_dim * side**2
    widths = config.block_out_channels
    return max(_RESIDUAL * widths[min(1, len(widths) - 1)], 5 * widths[0]) * side**2
