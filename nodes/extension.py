"""The list of nodes. A node whose optional package is missing is left out with a message, never the pack."""

import logging
from importlib import import_module

from comfy_api.latest import ComfyExtension, io

NODES = {
    "demo": "DemoCheckpoint",
    "audit": "DriftAudit",
    "inspect": "InspectLora",
    "meter": "CdiKidMeter",
    "report": "LoadReport ShowReport",
    "prompts": "PromptBank",
    "train": "TrainLoraDC",
}
"""Module of this folder -> the nodes in it."""


class OwfExtension(ComfyExtension):
    """The pack as ComfyUI sees it."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return every node whose module can be imported."""
        return [node for module, names in NODES.items() for node in _nodes(module, names.split())]


def _nodes(module: str, names: list[str]) -> list[type[io.ComfyNode]]:
    try:
        home = import_module(f".{module}", __package__)
    except ImportError as error:
        logging.warning("OWF: the nodes %s are off: %s. Install what is missing and restart.", ", ".join(names), error)
        return []
    return [getattr(home, name) for name in names]
