"""OWF measures and prevents open-world forgetting of customised diffusion models.

ComfyUI imports this file by path and pytest imports it for every test, so it stays empty
of work: anything heavy or relative is imported inside the function that needs it.
"""

from typing import Any

__version__ = "0.1.0"

WEB_DIRECTORY = "./web"


def comfy_entrypoint() -> Any:
    """Return the ComfyUI extension; ComfyUI calls this once at its start."""
    from .nodes.extension import OwfExtension

    return OwfExtension()


def __getattr__(name: str) -> Any:
    """Return nothing: a ComfyUI that asks for this name and knows no `comfy_entrypoint` is told that it is too old."""
    if name == "NODE_CLASS_MAPPINGS":
        from .nodes.backend.host_version import refuse_old_host

        refuse_old_host()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
