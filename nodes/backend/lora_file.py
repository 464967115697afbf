"""LoRA files as nodes read them: as `owf-audit` does, or as ComfyUI's own loaders do. Every error names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.disk.refusals import described
from ...core.errors import OwfError, UsageError
from ...core.text import inert
from . import places

if TYPE_CHECKING:
    import torch

    from ...core.adapter import Adapter


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Return a context whose errors begin with the file's name: of several nodes and LoRAs one is broken."""
    name = inert(path.name)
    try:
        yield
    except OwfError as error:
        if str(error).startswith(name):
            raise
        raise error.at(name) from error
    except OSError as error:
        raise UsageError(f"{name}: {described(error)}") from error


def read_lora(choice: str) -> "Adapter":
    """Return what the file of a choice of `places.lora_choices` holds, as `read_adapter` does, with its errors."""
    from ...core.adapter import read_adapter

    path = places.lora_path(choice)
    with reading(path):
        return read_adapter(path)


def lora_weights(path: Path) -> "dict[str, torch.Tensor]":
    """Return a LoRA file as ComfyUI's own loader nodes pass it on; raise UsageError where they cannot read it."""
    import comfy.utils

    with reading(path):
        try:
            return comfy.utils.load_torch_file(str(path), safe_load=True)
        except OSError:
            raise
        except Exception as error:  # safetensors, pickle, zip and ComfyUI itself each have errors of their own
            why = inert(_wrong_with(path) or str(error) or type(error).__name__, 300)
            raise UsageError(f"ComfyUI cannot read it: {why.rstrip('.')}.") from error


def _wrong_with(path: Path) -> str:
    """Return what OWF's own reader finds wrong with a file, in words that say more than a library's; "" for nothing."""
    from ...core.adapter import read_adapter

    try:
        read_adapter(path)
    except OwfError as error:
        return str(error).removeprefix(f"{inert(path.name)}: ")
    return ""
