"""Facts added to the header of a LoRA that is already written; its tensors stay as they are, byte for byte."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ..adapter.safetensors_file import open_safetensors

_LENGTH = 8


def read_metadata(path: Path) -> dict[str, str]:
    """Return the text pairs in the header of a safetensors file; raise AdapterError where it is not sound."""
    return dict(open_safetensors(path).metadata)


def add_metadata(path: Path, facts: Mapping[str, str]) -> None:
    """Set pairs in the header of a safetensors file, which is replaced whole.

    The tensors' bytes do not change, and with them the hashes over tensors alone (AutoV3, `sshs_model_hash`). The same
    pairs give the same bytes in whatever order they come. Raises AdapterError for a file that is not sound.
    """
    checked = open_safetensors(path)
    content = path.read_bytes()
    header = json.loads(content[_LENGTH : checked.data_start])
    metadata = {**checked.metadata, **facts}
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps({name: header[name] for name in sorted(header)}, separators=(",", ":"))
    head = text.encode()
    head += b" " * (-len(head) % _LENGTH)
    _replace(path, len(head).to_bytes(_LENGTH, "little") + head + content[checked.data_start :])


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
