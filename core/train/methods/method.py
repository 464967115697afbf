"""The boundary to what is trained: attached to the base's modules, switched off and on, written, and taken off."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from ...adapter import LoraCard
from ...model.diffusion.denoiser import TrainableDenoiser
from ..plan import TrainPlan


class Method(Protocol):
    """Trainable weights on a base whose own weights stay frozen and untouched."""

    parameters: Mapping[str, nn.Parameter]
    """Everything that is trained, by name; float32."""
    trains_text: bool
    """Whether captions have to be encoded anew in every step."""

    def off(self) -> AbstractContextManager[None]:
        """Return a context in which the model is the base, bit for bit: the teacher."""
        ...

    def changes(self) -> Iterator[torch.Tensor]:
        """Return each layer's change of its weight, with gradients."""
        ...

    def write(self, path: Path, card: LoraCard) -> Path | None:
        """Write the LoRA to `path`; return the path of the trigger's embedding if there is one."""
        ...

    def detach(self) -> None:
        """Take everything off: the base's modules are as they were."""
        ...


def attach(denoiser: TrainableDenoiser, plan: TrainPlan) -> Method:
    """Return the plan's method, attached to the base."""
    if plan.method == "custom_diffusion":
        from .custom_diffusion import CustomDiffusion

        return CustomDiffusion(denoiser, plan)
    from .dreambooth_lora import DreamBoothLora

    return DreamBoothLora(denoiser, plan)
