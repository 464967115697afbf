"""ComfyUI's MODEL as a TrainableDenoiser: gradients through the graph's own network."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn

from ....core.errors import UsageError
from ....core.model.diffusion.denoiser import Conditioning, Token
from ....core.progress import Progress
from .. import host
from .conditions import HostConditioning, together
from .denoiser import ComfyDenoiser, Pair
from .schedule import prediction, to_host


class ComfyTrainer(ComfyDenoiser):
    """The base of a training: loaded whole, once, since the network must not move while layers wrap its own."""

    def __init__(self, base: Pair, vae: Any, resolution: int | None, progress: Progress) -> None:
        super().__init__(base, vae, resolution, progress=progress)
        if "unet" not in self.components:
            raise UsageError(f"Training runs on UNet models (Stable Diffusion 1, 2 and XL), not yet on {self.name}.")
        self.digest()
        host.load(base.model, whole=True)
        if base.model.model.model_lowvram:
            raise UsageError(f"Training needs MODEL whole on its device, where {host.why_split()}.")
        make_trainable(base.model.model)
        self._is_alone = False

    def held(self) -> AbstractContextManager[None]:
        """Return a context in which the network stays where it is, so that layers may wrap its own."""
        return host.held(self.base.model)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the network's prediction for x_t (N, C, h, w) at timesteps t (N,), with gradients."""
        if not self._is_alone:  # text encoder or autoencoder came back for something new
            host.offload_others(self.device)
            self._is_alone = True
        x, sigma = to_host(self.schedule, x_t, t), self._sigma(t)
        ((_, entries),) = together(self.base.model, cond, self._framed(x_t[:1]))  # UNets take prompts of one length
        inputs = {name: entry.process_cond(batch_size=len(x), area=None).cond for name, entry in entries.items()}
        with self._running(len(x)) as options:
            transformer = options["transformer_options"]
            denoised = self.base.model.model.apply_model(x, sigma, transformer_options=transformer, **inputs)
        return prediction(self.schedule, x, sigma, denoised)

    def encode_text(self, prompts: Sequence[str]) -> HostConditioning:
        """Return the conditioning of the prompts; the text encoder leaves the device before the next step."""
        self._is_alone = False
        return super().encode_text(prompts)

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Return latents of the images; the autoencoder leaves the device before the next step."""
        self._is_alone = False
        return super().encode_image(images)

    def embed_text(self, prompts: Any) -> HostConditioning:
        """Raise UsageError: ComfyUI's text encoders answer without gradients."""
        raise UsageError("The training node does not train text encoders; use owf-train for that.")

    def checkpoint_gradients(self, on: bool) -> None:
        """Raise UsageError if it is to be turned on: ComfyUI's networks do not recompute activations."""
        if on:
            raise UsageError("checkpointing does not exist in ComfyUI's networks; use owf-train for that.")

    def token(self, word: str) -> Token:
        """Raise UsageError: only Custom Diffusion asks for it, which the node does not offer."""
        raise UsageError("The training node does not train words; use owf-train --method custom_diffusion.")

    def _load(self, patcher: Any, rows: int) -> None:
        """Leave the network where it is: it was loaded whole, and is held."""


def make_trainable(root: nn.Module) -> None:
    """Replace weights that were loaded in inference mode by equal ones that autograd may pass through."""
    for module in root.modules():
        for name, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
            if parameter.is_inference():
                setattr(module, name, nn.Parameter(parameter.detach().clone(), requires_grad=False))
        for name, buffer in list(module.named_buffers(recurse=False, remove_duplicate=False)):
            if buffer.is_inference():
                setattr(module, name, buffer.clone())


@contextmanager
def gradients() -> Iterator[None]:
    """Leave the inference mode that ComfyUI runs every node in, for as long as the block lasts."""
    with torch.inference_mode(False), torch.enable_grad():
        yield
