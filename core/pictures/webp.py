"""WebP files as far as the place of an animation's first frame."""

from .raw import Raw


def take_apart(content: bytes) -> Raw:
    """Return the file, with the part of the canvas that the first frame of an animation covers."""
    return Raw("WEBP", content, frame=_first_frame(content))


def _first_frame(content: bytes) -> tuple[int, int, int, int] | None:
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        if content[at : at + 4] == b"ANMF":
            body = content[at + 8 : at + 20]
            left, top, width, height = (int.from_bytes(body[i : i + 3], "little") for i in range(0, 12, 3))
            return 2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1
        at += 8 + size + size % 2
    return None
