"""Which ComfyUI this is, and what is said to one that is too old. Nothing here needs a new one."""

import re
import sys
from importlib import import_module

NEEDED = "0.3.64"
"""The oldest ComfyUI that is tested; [tool.comfy] of pyproject.toml says the same to the registry."""
_UPDATE = f"OWF needs ComfyUI {NEEDED} or newer{{found}}: update ComfyUI and restart it."


def host_version() -> str:
    """Return ComfyUI's version, "" where it does not say."""
    try:
        from comfyui_version import __version__
    except ImportError:  # before January 2025
        return ""
    return str(__version__)


def too_old() -> str:
    """Return the sentence for a ComfyUI that is older than the tested ones; "" for any other."""
    found = host_version()
    return _sentence(found) if found and _numbers(found) < _numbers(NEEDED) else ""


def refuse_old_host() -> None:
    """Raise ImportError, which ComfyUI shows, where this is a ComfyUI that does not know this kind of nodes."""
    if "folder_paths" not in sys.modules:  # ComfyUI always has it; elsewhere there is nothing to refuse
        return
    try:
        latest = import_module("comfy_api.latest")  # what loads such nodes has imported it already
    except ImportError:
        latest = None
    if not hasattr(latest, "ComfyExtension"):
        raise ImportError(_sentence(host_version()))


def _sentence(found: str) -> str:
    return _UPDATE.format(found=f"; this is {found}" if found else "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
