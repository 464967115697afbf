"""A stand-in for comfy_api.latest."""

from . import io as io


class ComfyExtension:
    pass
