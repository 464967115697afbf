"""Which family of base models a MODEL of ComfyUI belongs to."""

from dataclasses import dataclass
from typing import Any

from ....core import families
from ....core.families.custom import FAMILY as CUSTOM

_NAMES = {
    "SD15": "sd15",
    "SD20": "sd2",
    "SDXL": "sdxl",
    "SD3": "sd3",
    "Flux": "flux",
    "FluxSchnell": "flux",
    "Chroma": "chroma",
    "PixArtSigma": "pixart",
    "PixArtAlpha": "pixart",
    "Lumina2": "lumina2",
    "HiDream": "hidream",
    "QwenImage": "qwen_image",
    "Flux2": "flux2",
    "ZImage": "z_image",
    "Krea2": "krea2",
    "Anima": "anima",
    "Ideogram4": "ideogram4",
    "ErnieImage": "ernie_image",
    "HiDreamO1": "hidream_o1",
}
"""ComfyUI's name of a model's configuration -> family."""

_OTHERS = frozenset({"ChromaRadiance", "FluxInpaint", "ZImagePixelSpace"})
"""Configurations that ComfyUI derives from those of a family, but of models of other latents or inputs."""
_FLUX2 = {3072: "flux2_klein", 4096: "flux2_klein_9b"}
"""Widths of the smaller transformers of what ComfyUI calls Flux2 -> family."""
_OF_EDITS = ("default_ref_method", "use_additional_t_cond")
"""Settings of what ComfyUI calls QwenImage that one has which is given pictures besides the prompt."""
_UNKNOWN_SIDE = 1024
"""Side in pixels of what an unknown model is taken to draw, as most that are new do."""


@dataclass(frozen=True)
class Kind:
    """What is known of a MODEL."""

    name: str
    """Name of the family."""
    title: str
    """Name for people."""
    resolution: int
    """Side of the square images it was made for, in pixels."""


def family_of(model: Any) -> Kind:
    """Return the family of a BaseModel; "custom" with images of 1024 px where ComfyUI's name of it is unknown."""
    config = type(model.model_config)
    # Variants of a family, such as smaller XL models, are subclasses of it.
    known = (base.__name__ for base in config.__mro__ if base.__name__ in _NAMES.keys() | _OTHERS)
    name = getattr(config, "owf_family", None) or _NAMES.get(next(known, ""))
    if name == "flux2":
        name = _FLUX2.get(model.model_config.unet_config.get("hidden_size", 0), name)
    if name == "qwen_image" and any(model.model_config.unet_config.get(setting) for setting in _OF_EDITS):
        name = None
    if name is None:
        return Kind(CUSTOM.name, config.__name__, _UNKNOWN_SIDE)
    family = families.get(name)
    return Kind(name, family.title, family.resolution)
