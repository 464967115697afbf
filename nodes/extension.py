"""The list of nodes. A node whose optional package is missing is left out with a message, never the pack."""

import logging
import sys
from importlib import import_module

from comfy_api.latest import ComfyExtension, io

from .backend.host_version import host_version, too_old

NODES = {
    "demo": "DemoCheckpoint",
    "audit": "DriftAudit",
    "sweep": "StrengthSweep",
    "folder": "FolderAudit",
    "compare": "CompareAudits",
    "load": "LoadAuditedLora",
    "inspect": "InspectLora",
    "meter": "CdiKidMeter",
    "report": "LoadReport ShowReport",
    "prompts": "PromptBank",
    "train": "TrainLoraDC",
}
"""Module of this folder -> the nodes in it."""
_PACKAGES = {
    "filelock": "filelock",
    "jinja2": "jinja2",
    "peft": "peft",
    "skimage": "scikit-image",
    "tomli": "tomli",
    "torch_fidelity": "torch-fidelity",
}
"""Module -> package of requirements.txt that brings it."""


class OwfExtension(ComfyExtension):
    """The pack as ComfyUI sees it."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return every node whose module can be imported."""
        if old := too_old():
            logging.warning("%s Its nodes are loaded, but were never tried there.", old)
        nodes = [node for module, names in NODES.items() for node in _nodes(module, names.split())]
        _serve()
        return nodes


def _serve() -> None:
    """Let the page ask what an audit costs; without it nodes work as ever."""
    try:
        from .auditing.forecast import serve
    except ImportError as error:
        logging.warning("OWF: audits say nothing of their cost before they are queued: %s", error)
    else:
        serve()


def _nodes(module: str, names: list[str]) -> list[type[io.ComfyNode]]:
    try:
        home = import_module(f".{module}", __package__)
    except ImportError as error:
        logging.warning("OWF: left out %s: %s. %s", " and ".join(names), error, _advice(error))
        return []
    return [getattr(home, name) for name in names]


def _advice(error: ImportError) -> str:
    """Return what to do about a module that cannot be imported, where that is known."""
    root = (error.name or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and root in _PACKAGES:
        # ComfyUI often has a Python of its own, and another one's pip would change nothing.
        return f'Run "{sys.executable}" -m pip install {_PACKAGES[root]} and restart ComfyUI.'
    return too_old() or f"This is ComfyUI {host_version() or 'of an unknown version'}."
