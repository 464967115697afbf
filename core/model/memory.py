"""How a base is kept where memory is short: what lies elsewhere until it is asked, and what is rounded. No torch."""

from dataclasses import dataclass

from ..errors import Setting, UsageError

OFFLOADS = ("none", "model", "group")
"""What waits in main memory: nothing, every part but the one that is asked, or every layer but that one."""
TRAINING_OFFLOADS = OFFLOADS[:2]
"""What can wait in a training: layers that come one at a time are gone when gradients need them."""
QUANTIZED = ("none", "int8", "nf4")
"""How linear layers are rounded: not at all, to 8 bits, or to the 4 of QLoRA (Dettmers et al. 2023)."""
ROUNDED_BYTES = {"int8": 1.0, "nf4": (4 + 8 / 64 + 32 / (64 * 256)) / 8}
"""Way of rounding -> bytes a weight: a scale in 8 bits for each 64 weights, and one in 32 for each 256 of these, or one
for each output, which is a thousandth."""


@dataclass(frozen=True)
class Keeping:
    """How a base is kept; raises UsageError for what no library can do."""

    offload: str = "none"
    """One of OFFLOADS."""
    quantize: str = "none"
    """One of QUANTIZED."""
    tile: int = 0
    """Side in pixels of the tiles in which the VAE works; 0 for whole images."""

    def __post_init__(self) -> None:
        if self.quantize == "nf4" and self.offload == "group":
            raise UsageError(
                "Layers of 4 bits cannot wait in main memory one by one.",
                Setting("offload", "model"),
                Setting("quantize", "int8"),
            )

    @property
    def is_plain(self) -> bool:
        """Return whether weights lie on the device as they were loaded, so that a LoRA can be merged into them."""
        return self.offload == "none" and self.quantize == "none"

    @property
    def takes_turns(self) -> bool:
        """Return whether weights come to the device when they are asked, and go again."""
        return self.offload != "none"

    def saving(self) -> tuple[Setting, ...]:
        """Return what else lets a base take less memory."""
        asked = (Setting("offload", "model"), self.offload), (Setting("quantize", "int8"), self.quantize)
        return tuple(setting for setting, kept in asked if kept == "none")

    def words(self) -> str:
        """Return how a base is kept as people read it."""
        said = [
            "" if self.offload == "none" else f"offload {self.offload}",
            "" if self.quantize == "none" else f"{self.quantize} weights",
            f"VAE in tiles of {self.tile} px" if self.tile else "",
        ]
        return ", ".join(filter(None, said)) or "as loaded"


AS_LOADED = Keeping()
"""Everything on the device, in the type in which it was loaded."""
TILE = 512
"""Usual side of tiles in pixels: they need a quarter of what an image of Stable Diffusion XL needs."""
