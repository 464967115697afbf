"""Facts added to the header of a LoRA that is already written; its tensors stay as they are, byte for byte."""

from collections.abc import Mapping
from pathlib import Path

from ..adapter.containers.header_writer import with_metadata
from ..adapter.containers.safetensors import open_safetensors
from ..disk.files import write_bytes


def read_metadata(path: Path) -> dict[str, str]:
    """Return the text pairs in the header of a safetensors file; raise AdapterError where it is not sound."""
    return dict(open_safetensors(path).metadata)


def add_metadata(path: Path, facts: Mapping[str, str]) -> None:
    """Set pairs in the header of a safetensors file, which is replaced whole.

    The tensors' bytes do not change, and with them the hashes over tensors alone (AutoV3, `sshs_model_hash`). The same
    pairs give the same bytes in whatever order they come. Raises AdapterError for a file that is not sound.
    """
    checked = open_safetensors(path)
    write_bytes(path, with_metadata(path.read_bytes(), {**checked.metadata, **facts}))
