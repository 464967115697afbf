"""What every long node asks of ComfyUI: interrupts, loading through its memory management, progress."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

PREVIEW_SIDE = 512
"""Longest side in pixels of the preview that ComfyUI shows on a running node."""


def check_interrupt() -> None:
    """Raise ComfyUI's InterruptProcessingException if the user pressed cancel."""
    import comfy.model_management

    comfy.model_management.throw_exception_if_processing_interrupted()


def load(*patchers: Any, memory: float = 0) -> None:
    """Load models for computing and unload others as memory asks; exactly these patches are then in effect."""
    import comfy.model_management

    nested = [other for patcher in patchers for other in patcher.get_nested_additional_models()]
    comfy.model_management.load_models_gpu([*patchers, *nested], memory_required=memory)


class Bar:
    """ComfyUI's progress bar of the running node; moving it also raises when the user pressed cancel."""

    def __init__(self, total: int) -> None:
        import comfy.utils

        self._bar = comfy.utils.ProgressBar(max(1, total))

    def move(self, done: int, total: int, preview: "Image | None" = None) -> None:
        """Show `done` of `total` and, if given, a picture."""
        shown = None if preview is None else ("JPEG", preview, PREVIEW_SIDE)
        self._bar.update_absolute(done, max(1, total), shown)
