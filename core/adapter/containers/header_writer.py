"""The header of a safetensors file, written the same way each time."""

import json
from collections.abc import Mapping

LENGTH = 8
"""Bytes in front of the header that say how long it is."""


def body(content: bytes) -> memoryview:
    """Return the bytes after the header, whose hash is the same whatever the metadata."""
    return memoryview(content)[LENGTH + int.from_bytes(content[:LENGTH], "little") :]


def with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return a sound safetensors file's bytes with these text pairs instead of its own.

    Names are sorted: the library writes pairs in an order that changes from one call to the next.
    """
    header = json.loads(content[LENGTH : len(content) - len(body(content))])
    header["__metadata__"] = dict(sorted(metadata.items()))
    head = json.dumps({name: header[name] for name in sorted(header)}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % LENGTH)
    return len(head).to_bytes(LENGTH, "little") + head + body(content)
