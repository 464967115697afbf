"""Checkpoints: everything that the rest of a training depends on, in one file that is replaced whole."""

import time
from pathlib import Path
from typing import Any

import torch

from ...disk.files import replacing
from ...errors import OFF, Setting, UsageError
from .state import TrainState

_SAVING = 0.02
"""Share of the time that saving may take: checkpoints of large trainings are a gigabyte."""


class Checkpoint:
    """The file of one training's state."""

    def __init__(self, path: Path, fingerprint: str, every: float) -> None:
        """Take the identity of the training, and the seconds between two savings."""
        self._path, self._fingerprint, self._every = path, fingerprint, every
        self._due = time.monotonic() + every

    def is_due(self) -> bool:
        """Return whether it is time to save."""
        return time.monotonic() > self._due

    def save(self, state: TrainState) -> None:
        """Write the state; raise InvalidError where it is not finite. The next is due when this was its share."""
        began = time.monotonic()
        save_checkpoint(self._path, {"fingerprint": self._fingerprint, **state.content()})
        now = time.monotonic()
        self._due = now + (now - began) / _SAVING + self._every

    def restore(self, state: TrainState) -> None:
        """Set the state to the saved one, if there is a file; raise UsageError where it is of another training."""
        content = load_checkpoint(self._path, self._fingerprint)
        if content is not None:
            state.restore(content)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; a kill at any moment leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        torch.save(content, file)


def load_checkpoint(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """Return the content of a checkpoint made with the same fingerprint, or None if there is no file.

    Raises UsageError where the file belongs to other settings or is damaged. Nothing in it is executed.
    """
    if not path.is_file():
        return None
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file raises anything from EOFError to UnpicklingError
        raise UsageError(f"{path} cannot be read ({error}); delete it to start over.") from error
    if not isinstance(content, dict) or content.get("fingerprint") != fingerprint:
        raise UsageError(
            f"{path} belongs to a training with other settings, pictures or base. Repeat that one, or start over.",
            Setting("resume", OFF),
        )
    return content
