"""What a picture file is taken apart into."""

from dataclasses import dataclass


@dataclass
class Raw:
    """Pixels and metadata of a picture file."""

    kind: str
    """Format, as Pillow calls it."""
    content: bytes
    """The file without what Pillow must not see."""
    exif: bytes = b""
    """EXIF block; may be anything."""
    profile: bytes = b""
    """ICC profile; may be anything."""
