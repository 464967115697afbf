"""Graphs as one describes them: nodes by name, what differs from their defaults, and what is connected to what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Sockets = list[tuple[str, str, dict[str, Any]]]
"""Kind, name and settings of each input or output."""
WIDGETS = ("INT", "FLOAT", "STRING", "COMBO", "BOOLEAN")
"""Kinds of input that a node shows as a widget, and of which a workflow saves the value."""
NOTE = "MarkdownNote"
"""ComfyUI's node for a text, which the page makes by itself: it has neither inputs nor outputs."""

COMFY: dict[str, dict[str, Sockets]] = {
    "CheckpointLoaderSimple": {
        "inputs": [("COMBO", "ckpt_name", {})],
        "outputs": [("MODEL", "MODEL", {}), ("CLIP", "CLIP", {}), ("VAE", "VAE", {})],
    },
    "PreviewImage": {"inputs": [("IMAGE", "images", {})], "outputs": []},
    NOTE: {"inputs": [], "outputs": []},
}
"""ComfyUI's own nodes that are used here; a test in a real ComfyUI asks whether they are so."""


@dataclass(frozen=True)
class Node:
    """One node of a graph."""

    type: str
    size: tuple[int, int]
    """Pixels; the page makes it higher where its content is."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Input -> "node.output" that is connected to it."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Widget -> value, where it is not the default; of a note its text."""
    models: Sequence[Mapping[str, str]] = ()
    """Files that the node names: name, url and folder, so that the page can offer them where they are missing."""


@dataclass(frozen=True)
class Graph:
    """A workflow, or what is inside of a blueprint."""

    name: str
    columns: Sequence[Mapping[str, Node]]
    """Nodes by their names, from left to right, and in each column from top to bottom."""

    @property
    def nodes(self) -> dict[str, Node]:
        """Return all nodes by their names."""
        return {name: node for column in self.columns for name, node in column.items()}


@dataclass(frozen=True)
class Blueprint:
    """A graph that is used as one node."""

    graph: Graph
    description: str
    inputs: Mapping[str, str]
    """Name on the outside -> "node.input" that it is."""
    outputs: Mapping[str, str]
    """Name on the outside -> "node.output" that it is."""


class Schemas:
    """What the nodes of a graph have: those of the pack as they say themselves, and ComfyUI's own."""

    def __init__(self, pack: Mapping[str, Mapping[str, Any]]):
        self._all = {**pack, **COMFY}

    def inputs(self, kind: str) -> Sockets:
        """Return the inputs of a type of node as a workflow saves them: sockets before widgets, required ones first."""
        given = sorted(self._all[kind]["inputs"], key=lambda socket: bool(socket[2].get("optional")))
        return sorted(given, key=is_widget)

    def outputs(self, kind: str) -> list[tuple[str, str]]:
        """Return kind and shown name of the outputs of a type of node."""
        return [(what, settings.get("display_name", what)) for what, _, settings in self._all[kind]["outputs"]]

    def values(self, node: Node) -> list[Any]:
        """Return the values of a node's widgets in their order; raise KeyError for one that it has not."""
        if node.type == NOTE:
            return [node.values["text"]]
        widgets = {socket[1]: socket[2].get("default") for socket in self.inputs(node.type) if is_widget(socket)}
        if unknown := node.values.keys() - widgets.keys():
            raise KeyError(f"{node.type} has no {', '.join(sorted(unknown))}")
        return [node.values.get(name, default) for name, default in widgets.items()]

    def input_slot(self, node: Node, name: str) -> tuple[int, str]:
        """Return place and kind of a node's input; raise KeyError where it has none of this name."""
        return _slot(node, name, [(kind, given) for kind, given, _ in self.inputs(node.type)])

    def output_slot(self, node: Node, name: str) -> tuple[int, str]:
        """Return place and kind of a node's output; raise KeyError where it has none of this name."""
        return _slot(node, name, self.outputs(node.type))


def is_widget(socket: tuple[str, str, dict[str, Any]]) -> bool:
    """Return whether a node shows an input as a widget; one that has to be connected is none."""
    return socket[0] in WIDGETS and not socket[2].get("force_input")


def _slot(node: Node, name: str, slots: Sequence[tuple[str, str]]) -> tuple[int, str]:
    for place, (kind, given) in enumerate(slots):
        if given == name:
            return place, kind
    raise KeyError(f"{node.type} has no {name}")
