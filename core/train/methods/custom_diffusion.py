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

from ...adapter import LoraCard, LoraPair, write_kohya
from ...adapter.containers.safetensors import open_safetensors
from ...disk.files import write_bytes
from ...errors import AdapterError, Setting, UsageError
from ...model.denoiser import TrainableDenoiser
from ...plan.concept import Concept
from ..plan import TrainPlan

_LAYERS = re.compile(r".*attn2\.to_[kv]")


def embedding_path(path: Path, word: str) -> Path:
    """Return where the embedding of a word lies that belongs to the LoRA at `path`."""
    return path.with_name(f"{path.stem}_{re.sub(r'[^A-Za-z0-9_-]+', '_', word)}.safetensors")


def is_embedding(path: Path) -> bool:
    """Return whether a safetensors file is an embedding as this method writes it."""
    try:
        return list(open_safetensors(path).entries) == ["emb_params"]
    except AdapterError:
        return False


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
        self._token = denoiser.token(word)
        start = self._token.embedding.weight[self._token.number].detach().float().clone()
        self._word, self._embedding = word, nn.Parameter(start)
        self.parameters: Mapping[str, nn.Parameter] = {
            **{f"unet.{n}.weight": w for n, w in self._weights.items()},
            "embedding": self._embedding,
        }
        self._is_on = True
        self._hook = self._token.embedding.register_forward_hook(self._embed)
        self._swap(self._weights)

    def _embed(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if not self._is_on:
            return output
        return torch.where((inputs[0] == self._token.number)[..., None], self._embedding.to(output.dtype), output)

    def _swap(self, weights: dict[str, nn.Parameter]) -> None:
        for name, layer in self._layers.items():
            layer.weight = weights[name]

    @contextmanager
    def off(self) -> Iterator[None]:
        """Return a context with the base's own weights and embedding."""
        self._is_on = False
        self._swap(self._base)
        try:
            yield
        finally:
            self._is_on = True
            self._swap(self._weights)

    def changes(self) -> Iterator[torch.Tensor]:
        """Return each projection's change of its weight, with gradients; the embedding belongs to the concept."""
        for name, weight in self._weights.items():
            yield weight - self._base[name].detach().float()

    def write(self, path: Path, card: LoraCard) -> Path:
        """Write the projections as a LoRA to `path`, the embedding beside it; return the embedding's path."""
        from safetensors.torch import save

        write_kohya(path, [self._pair(name) for name in self._layers], card)
        embedding = embedding_path(path, self._word)
        write_bytes(embedding, save({"emb_params": self._embedding.detach().cpu()[None].contiguous()}))
        return embedding

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
        self._hook.remove()
        self._swap(self._base)
