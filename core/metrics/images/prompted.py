"""Networks that see pictures and read prompts: what CLIP-T compares.

Each becomes a network whose features are the cosines of a picture to every prompt of a plan, so that prompts are read
once and hosts treat it as any other.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from ...errors import UsageError
from ...families import shipped
from ...families.prompt_form import IN_SENTENCES
from ...plan.vocabulary import shipped_vocabulary
from .demo_network import ATTRIBUTES, load_prepared
from .demo_network import FeatureNetwork as ShippedNetwork
from .features import Fetching, ImageFeatures, assemble
from .openclip import KIND, load_open_clip
from .towers import CLIP, clip_preparation, embed_texts, load_clip

if TYPE_CHECKING:
    from ...plan.audit_plan import AuditPlan
    from .preparation import Prepare

_PLACE = "background"
"""Attribute that a prompt names together with this word, and whose words are colours otherwise."""


class PromptCosines(nn.Module):
    """The cosine of each picture to each of P texts."""

    def __init__(self, images: nn.Module, texts: torch.Tensor) -> None:
        """Take what embeds pictures, and the texts' features (P, D)."""
        super().__init__()
        self.images = images
        self.texts: torch.Tensor
        self.register_buffer("texts", functional.normalize(texts.float(), dim=-1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return cosines (N, P)."""
        return functional.normalize(self.images(images).float(), dim=-1) @ self.texts.T


def load_prompted(plan: "AuditPlan", fetching: Fetching) -> ImageFeatures:
    """Return a network from pictures to their cosines (N, P) to the plan's P prompts.

    It is what ships for the plan's base, the network of open_clip that the plan names, or CLIP ViT-B/32. Raises
    UsageError, with what to do, where it cannot be loaded or cannot read a prompt.
    """
    # Tags of quality say nothing of what is to be seen.
    texts = [prompt.text.removeprefix(f"{plan.prefix}, ") for prompt in plan.prompts]
    if plan.features in shipped():
        name, (prepare, images, features) = plan.features, _shipped(plan.features, texts)
    elif plan.open_clip:
        name, found = f"{KIND}:{plan.open_clip}", load_open_clip(plan.open_clip, fetching)
        prepare, images, features = found.prepare, found.images, found.texts(texts)
    else:
        name, (prepare, images, features) = CLIP.repository, _clip(texts, fetching)
    return assemble(name, prepare, PromptCosines(images, features), fetching.device)


def _clip(texts: Sequence[str], fetching: Fetching) -> "tuple[Prepare, nn.Module, torch.Tensor]":
    """Return CLIP's preparation and image tower, and the texts' projected features."""
    model, tokenizer = load_clip(fetching.offline)
    features = embed_texts(model, tokenizer, texts)
    return clip_preparation(model.config.vision_config.image_size), _ClipImages(model), features


class _ClipImages(nn.Module):
    """CLIP's image embedding, without its text tower, which has done its part."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower: Any = model.vision_model
        self.projection: Any = model.visual_projection

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.projection(self.tower(images).pooler_output)


def _shipped(family: str, texts: Sequence[str]) -> "tuple[Prepare, nn.Module, torch.Tensor]":
    prepare, network = load_prepared(shipped()[family].features, family)
    return prepare, network, directions(network, family, texts)


def directions(network: ShippedNetwork, family: str, texts: Sequence[str]) -> torch.Tensor:
    """Return the direction (P, D) in which features go for what each text names: its answers against all others.

    It is the sum over what the text names of the answer's weights less the mean of its head's. Raises UsageError where
    a text names nothing that the network knows, or its answers are not those of the family's vocabulary.
    """
    levels: dict[str, dict[str, None]] = {}
    for concept in shipped_vocabulary(family, IN_SENTENCES):
        for attribute, level in concept.attributes:
            levels.setdefault(attribute, {})[level] = None
    rows: dict[tuple[str, str], torch.Tensor] = {}
    for head, layer in network.heads.items():
        names, weights = list(levels.get(ATTRIBUTES.get(head, ""), ())), layer.get_parameter("weight").float()
        if len(names) != len(weights):
            raise UsageError(
                f"The feature network of the base {family} has {len(weights)} answers about its {head}, and its "
                f"vocabulary {len(names)}: it cannot say what a prompt means."
            )
        rows |= {(ATTRIBUTES[head], name): row for name, row in zip(names, weights - weights.mean(0), strict=True)}
    found = [[rows[key] for key in named(text, rows)] for text in texts]
    if unread := [text for text, parts in zip(texts, found, strict=True) if not parts]:
        raise UsageError(f"The feature network of the base {family} knows nothing that {unread[0]!r} names.")
    return torch.stack([torch.stack(parts).sum(0) for parts in found])


def named(text: str, known: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return which (attribute, level) pairs a text names.

    Backgrounds come first, so that a white one makes nothing white, and longer names before shorter ones.
    """
    found = []
    for attribute, level in sorted(known, key=lambda pair: (pair[0] != _PLACE, -len(pair[1]))):
        words = f"{level} {_PLACE}" if attribute == _PLACE else level
        text, count = re.subn(rf"(?<![\w-]){re.escape(words)}(?![\w-])", "", text)
        found += [(attribute, level)] if count else []
    return found
