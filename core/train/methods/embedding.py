"""The embedding of the trigger's token: learned in the place of the base's, filed as textual inversion writes it."""

import re
from pathlib import Path

import torch
from torch import nn

from ...adapter.containers.safetensors import open_safetensors
from ...disk.files import write_bytes
from ...errors import AdapterError
from ...model.diffusion.denoiser import TrainableDenoiser

KEY = "emb_params"
"""Name of the tensor in an embedding's file, as hosts read it."""


def embedding_path(path: Path, word: str) -> Path:
    """Return where the embedding of a word lies that belongs to the LoRA at `path`."""
    return path.with_name(f"{path.stem}_{re.sub(r'[^A-Za-z0-9_-]+', '_', word)}.safetensors")


def is_embedding(path: Path) -> bool:
    """Return whether a safetensors file is an embedding as it is written here."""
    try:
        return list(open_safetensors(path).entries) == [KEY]
    except AdapterError:
        return False


def read_embedding(path: Path) -> torch.Tensor:
    """Return the embedding (D,) in a file that was written here."""
    from safetensors.torch import load_file

    return load_file(path)[KEY][0]


class LearnedEmbedding:
    """A float32 copy of a token's embedding, which its layer gives for it while it is on."""

    def __init__(self, denoiser: TrainableDenoiser, word: str) -> None:
        self._token = denoiser.token(word)
        start = self._token.embedding.weight[self._token.number].detach().float().clone()
        self.parameter, self.is_on = nn.Parameter(start), True
        self._hook = self._token.embedding.register_forward_hook(self._embed)

    def _embed(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if not self.is_on:
            return output
        return torch.where((inputs[0] == self._token.number)[..., None], self.parameter.to(output.dtype), output)

    def write(self, path: Path) -> Path:
        """Write the embedding to `path`; return it."""
        from safetensors.torch import save

        write_bytes(path, save({KEY: self.parameter.detach().cpu()[None].contiguous()}))
        return path

    def detach(self) -> None:
        """Take the hook off."""
        self._hook.remove()
