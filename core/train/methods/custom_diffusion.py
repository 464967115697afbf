"""Custom Diffusion: keys and values of cross-attention, and the trigger's embedding (Kumari et al. 2023).

Written as a LoRA of full rank, which holds the change exactly and loads in every program; the embedding is a file
of its own, as textual inversion writes it.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ...adapter import LoraCard, LoraPair, write_lora
from ...errors import Setting, UsageError
from ...model.diffusion.denoiser import TrainableDenoiser
from ...plan.concept import Concept
from ..plan import TrainPlan
from .embedding import LearnedEmbedding, embedding_path

_LAYERS = re.compile(r".*attn2\.to_[kv]")


class CustomDiffusion:
    """Float32 copies of the trained weights take the place of the base's, by swapping parameters."""

    trains_text = True

    def __init__(self, denoiser: TrainableDenoiser, plan: TrainPlan) -> None:
        unet = denoiser.components["unet"]
        self._layers = {n: m for n, m in unet.named_modules() if _LAYERS.fullmatch(n) and isinstance(m, nn.Linear)}
        if not self._layers:
            raise UsageError(
                "The base has no cross-attention of the kind that custom_diffusion trains.", Setting("method")
            )
        self._base = {name: layer.get_parameter("weight") for name, layer in self._layers.items()}
        self._weights = {n: nn.Parameter(w.detach().float().clone()) for n, w in self._base.items()}
        word = Concept(plan.trigger, plan.class_word).pure_trigger
        self._word, self._embedding = word, LearnedEmbedding(denoiser, word)
        self.parameters: Mapping[str, nn.Parameter] = {
            **{f"unet.{n}.weight": w for n, w in self._weights.items()},
            "embedding": self._embedding.parameter,
        }
        self._swap(self._weights)

    def _swap(self, weights: dict[str, nn.Parameter]) -> None:
        for name, layer in self._layers.items():
            layer.weight = weights[name]

    @contextmanager
    def off(self) -> Iterator[None]:
        """Return a context with the base's own weights and embedding."""
        self._embedding.is_on = False
        self._swap(self._base)
        try:
            yield
        finally:
            self._embedding.is_on = True
            self._swap(self._weights)

    def changes(self) -> Iterator[torch.Tensor]:
        """Return each projection's change of its weight, with gradients; the embedding belongs to the concept."""
        for name, weight in self._weights.items():
            yield weight - self._base[name].detach().float()

    def write(self, path: Path, card: LoraCard) -> Path:
        """Write the projections as a LoRA to `path`, the embedding beside it; return the embedding's path."""
        write_lora(path, [self._pair(name) for name in self._layers], card)
        return self._embedding.write(embedding_path(path, self._word))

    @torch.no_grad()
    def _pair(self, name: str) -> LoraPair:
        """Return the exact change as factors: its singular value decomposition, whole."""
        change = (self._weights[name] - self._base[name].float()).cpu()
        u, s, v = torch.linalg.svd(change, full_matrices=False)
        # One alpha for all modules is read alike everywhere, so the rank is multiplied into the factors.
        root = (s * len(s)).sqrt()
        return LoraPair("unet", name, (root[:, None] * v).half(), (u * root).half(), 1.0)

    def detach(self) -> None:
        """Put the base's own weights back."""
        self._embedding.detach()
        self._swap(self._base)
