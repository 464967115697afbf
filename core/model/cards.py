"""Graphics cards that people have, as far as an estimate needs them. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One kind of card."""

    gigabytes: int
    """Its memory, in GiB."""
    name: str
    """A common card of that size."""
    operations: float
    """Its floating-point operations a second in half precision that are added up in single, without sparsity."""


# Twice what they do in single precision (15.1, 12.7 and 35.6 TFLOPS by their maker), as on all of these generations.
CARDS = (
    Card(8, "RTX 4060", 30e12),
    Card(12, "RTX 3060", 25e12),
    Card(24, "RTX 3090", 71e12),
)
SHARE = 0.45
"""Share of a card's operations that a U-Net gets: with it, an RTX 3090 draws 2.7 steps of Stable Diffusion XL a second
with guidance, about what people report. A guess within a factor of two."""
TRANSFER = 6e9
"""Bytes a second from main memory to a card, copied from pages that are not pinned: about half of PCIe 4.0 with the 8
lanes of the smallest of these. A guess too."""
