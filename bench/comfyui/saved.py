"""Graphs as ComfyUI's page saves them: workflows, and blueprints, which are workflows of one node that is a subgraph.

The format is what the page wrote of itself, version 0.4 with definitions of subgraphs in version 1.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from .graph import Blueprint, Graph, Node, Schemas, is_widget

LEFT, TOP, BETWEEN, TITLE = 70, 100, 60, 30
"""Place of the first node, pixels between two, and height of a title, which stands above a node's place."""
BELOW = 180
"""Pixels by which a column stands lower that takes something from behind the one before it, so that no link comes out
level with another node's outputs and looks like theirs: a node has seven at most."""
INPUTS, OUTPUTS = -10, -20
"""Nodes of a subgraph that stand for its inputs and outputs, in the page's own numbers."""
SIDE = (160, 40, 20)
"""Width of such a node, its height without slots, and the height of a slot."""
OPTIONAL = 7
"""Shape of the socket of an optional input."""


class Link:
    """A connection, by the numbers of its nodes and the places of their slots."""

    def __init__(self, number: int, origin: tuple[int, int], target: tuple[int, int], kind: str):
        self.number, self.origin, self.target, self.kind = number, origin, target, kind

    def row(self) -> list[Any]:
        """Return it as a workflow saves it."""
        return [self.number, *self.origin, *self.target, self.kind]

    def record(self) -> dict[str, Any]:
        """Return it as a subgraph saves it."""
        (origin, origin_slot), (target, target_slot) = self.origin, self.target
        ends = {"origin_id": origin, "origin_slot": origin_slot, "target_id": target, "target_slot": target_slot}
        return {"id": self.number, **ends, "type": self.kind}


def workflow(graph: Graph, schemas: Schemas) -> dict[str, Any]:
    """Return a graph as a workflow."""
    links = list(_links(graph, schemas))
    return {
        "revision": 0,
        "last_node_id": len(graph.nodes),
        "last_link_id": len(links),
        "nodes": _nodes(graph, schemas, links),
        "links": [link.row() for link in links],
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def blueprint(described: Blueprint, schemas: Schemas) -> dict[str, Any]:
    """Return a blueprint as a workflow whose one node is the subgraph."""
    graph = described.graph
    inside = list(_links(graph, schemas))
    links = [*inside, *_outer_links(described, schemas, len(inside))]
    definition = _definition(described, schemas, links)
    number = len(graph.nodes) + 1  # ids inside and outside are of one kind: the page gives new ones where two are alike
    outside = {
        "id": number,
        "type": definition["id"],
        "pos": [LEFT, TOP],
        "size": [420, 60 + 26 * max(len(described.inputs), len(described.outputs))],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [_outside(name, where, graph, schemas) for name, where in described.inputs.items()],
        "outputs": [{"name": slot["name"], "type": slot["type"], "links": []} for slot in definition["outputs"]],
        "properties": {},
        "widgets_values": [],
        "title": graph.name,
    }
    return {
        "revision": 0,
        "last_node_id": number,
        "last_link_id": 0,
        "nodes": [outside],
        "links": [],
        "version": 0.4,
        "definitions": {"subgraphs": [definition]},
        "extra": {},
    }


def _definition(described: Blueprint, schemas: Schemas, links: list[Link]) -> dict[str, Any]:
    graph = described.graph
    nodes = _nodes(graph, schemas, links)
    right = max(node["pos"][0] + node["size"][0] for node in nodes)
    state = {"lastGroupId": 0, "lastNodeId": len(nodes), "lastLinkId": len(links), "lastRerouteId": 0}
    return {
        "id": _identity(graph.name),
        "version": 1,
        "state": state,
        "revision": 0,
        "config": {},
        "name": graph.name,
        "description": described.description,
        "category": "OWF",
        "inputNode": {"id": INPUTS, "bounding": _bounding(LEFT - BETWEEN - SIDE[0], len(described.inputs))},
        "outputNode": {"id": OUTPUTS, "bounding": _bounding(right + BETWEEN, len(described.outputs))},
        "inputs": _sides(graph.name, described.inputs, [link for link in links if link.origin[0] == INPUTS], 0),
        "outputs": _sides(graph.name, described.outputs, [link for link in links if link.target[0] == OUTPUTS], 1),
        "widgets": [],
        "nodes": nodes,
        "groups": [],
        "links": [link.record() for link in links],
        "extra": {},
    }


def _identity(*names: str) -> str:
    """Return an id that stays the same, so that what is saved with it is known again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("owf", *names))))


def _bounding(left: int, slots: int) -> list[int]:
    width, height, slot = SIDE
    return [left, TOP, width, height + slot * slots]


def _sides(name: str, named: Mapping[str, str], links: list[Link], side: int) -> list[dict[str, Any]]:
    """Return the slots of a subgraph on one of its sides; each has one link."""
    return [
        {"id": _identity(name, ("in", "out")[side], slot), "name": slot, "type": link.kind, "linkIds": [link.number]}
        for slot, link in zip(named, links, strict=True)
    ]


def _outside(name: str, where: str, graph: Graph, schemas: Schemas) -> dict[str, Any]:
    """Return an input of the node that a subgraph is: a widget where the input inside of it is one."""
    node, given = where.split(".")
    place, kind = schemas.input_slot(graph.nodes[node], given)
    widget = {"widget": {"name": name}} if is_widget(schemas.inputs(graph.nodes[node].type)[place]) else {}
    return {"name": name, "type": kind, **widget, "link": None}


def _numbers(graph: Graph) -> dict[str, int]:
    return {name: number for number, name in enumerate(graph.nodes, 1)}


def _links(graph: Graph, schemas: Schemas) -> Iterator[Link]:
    """Yield the links between nodes."""
    numbers, number = _numbers(graph), 0
    for name, node in graph.nodes.items():
        for given, source in node.links.items():
            number += 1
            origin, output = source.split(".")
            from_slot, kind = schemas.output_slot(graph.nodes[origin], output)
            to_slot, wanted = schemas.input_slot(node, given)
            if wanted != kind:
                raise KeyError(f"{source} is {kind}, and {node.type} wants {wanted} at {given}")
            yield Link(number, (numbers[origin], from_slot), (numbers[name], to_slot), kind)


def _outer_links(described: Blueprint, schemas: Schemas, before: int) -> Iterator[Link]:
    """Yield the links from a subgraph's inputs and to its outputs."""
    nodes, numbers = described.graph.nodes, _numbers(described.graph)
    for place, where in enumerate(described.inputs.values()):
        before += 1
        node, given = where.split(".")
        slot, kind = schemas.input_slot(nodes[node], given)
        yield Link(before, (INPUTS, place), (numbers[node], slot), kind)
    for place, where in enumerate(described.outputs.values()):
        before += 1
        node, given = where.split(".")
        slot, kind = schemas.output_slot(nodes[node], given)
        yield Link(before, (numbers[node], slot), (OUTPUTS, place), kind)


def _nodes(graph: Graph, schemas: Schemas, links: list[Link]) -> list[dict[str, Any]]:
    numbers, places = _numbers(graph), _places(graph)
    return [
        {
            "id": numbers[name],
            "type": node.type,
            "pos": list(places[name]),
            "size": list(node.size),
            "flags": {},
            "order": numbers[name] - 1,
            "mode": 0,
            "inputs": _inputs(node, schemas, {link.target: link.number for link in links}, numbers[name]),
            "outputs": _outputs(node, schemas, links, numbers[name]),
            "properties": {"Node name for S&R": node.type, **({"models": [*node.models]} if node.models else {})},
            "widgets_values": schemas.values(node),
        }
        for name, node in graph.nodes.items()
    ]


def _inputs(node: Node, schemas: Schemas, into: Mapping[tuple[int, int], int], number: int) -> list[dict[str, Any]]:
    found = []
    for place, socket in enumerate(schemas.inputs(node.type)):
        kind, name, settings = socket
        shape = {"shape": OPTIONAL} if settings.get("optional") else {}
        widget = {"widget": {"name": name}} if is_widget(socket) else {}
        found.append({"name": name, **shape, "type": kind, **widget, "link": into.get((number, place))})
    return found


def _outputs(node: Node, schemas: Schemas, links: list[Link], number: int) -> list[dict[str, Any]]:
    found = []
    for place, (kind, name) in enumerate(schemas.outputs(node.type)):
        used = [link.number for link in links if link.origin == (number, place)]
        found.append({"name": name, "type": kind, "links": used or None})
    return found


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    """Return where each node stands: columns from left to right, none over another."""
    found, left, first = {}, LEFT, TOP
    for number, column in enumerate(graph.columns):
        first += BELOW if _reaches_behind(graph, number) else 0
        top = first
        for name, node in column.items():
            found[name] = (left, top)
            top += node.size[1] + TITLE + BETWEEN
        left += max(node.size[0] for node in column.values()) + BETWEEN
    return found


def _reaches_behind(graph: Graph, number: int) -> bool:
    """Return whether a node of a column takes something from a column before the one before it."""
    further = {name for column in graph.columns[: max(0, number - 1)] for name in column}
    return any(
        where.partition(".")[0] in further for node in graph.columns[number].values() for where in node.links.values()
    )
