"""Where and in which precision the model runs."""

from typing import TYPE_CHECKING

from ..errors import Setting, UsageError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
"""The device or type that suits."""
DEVICES = (AUTO, "cpu", "cuda", "mps")
DTYPES = (AUTO, "float32", "float16", "bfloat16")
DISK = "disk"
"""The type in which a base's weights lie on disk."""


def choose_device(name: str) -> "torch.device":
    """Return the device called `name`; "auto" takes CUDA, then Apple's MPS, then the CPU."""
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == AUTO:
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available[name]:
        raise UsageError(f"This PyTorch finds no device {name}; use cpu or auto.", Setting("device"))
    return torch.device(name)


def choose_dtype(name: str, device: "torch.device") -> "torch.dtype":
    """Return the floating-point type called `name`; "auto" is float16 on GPUs and float32 on the CPU."""
    import torch

    if name == AUTO:
        return torch.float32 if device.type == "cpu" else torch.float16
    return getattr(torch, name)
