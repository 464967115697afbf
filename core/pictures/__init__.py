"""Pictures from the user's disk: every one of them upright, in 8-bit sRGB, on white."""

from .picture import MAX_PIXELS, SUFFIXES, cover, open_picture

__all__ = ["MAX_PIXELS", "SUFFIXES", "cover", "open_picture"]
