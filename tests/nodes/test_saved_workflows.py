"""Workflows that are saved still load: values belong to inputs by position, links to outputs."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
BLUEPRINTS = sorted((ROOT / "subgraphs").glob("*.json"))
GRAPHS = [*EXAMPLES, *BLUEPRINTS]
WIDGETS = {"INT": (int,), "FLOAT": (int, float), "STRING": (str,), "COMBO": (str,), "BOOLEAN": (bool,)}
"""Kinds of input that a node shows as a widget -> what a workflow saves of it; JSON writes 1.0 as 1."""
TITLE = 30
"""Height of a node's title, which stands above its place, in the browser's pixels."""
AFTER = "control_after_generate"
"""What an INT with this setting is to do after a run; a workflow saves it as a value of its own behind the number."""


@pytest.fixture(scope="module")
def nodes(shared_stub):
    """Return id -> inputs and outputs of each node."""
    found = shared_stub.run("schemas")["nodes"]
    return {name: (node["inputs"], node["outputs"]) for name, node in found.items()}


def saved_nodes(path):
    """Return the nodes of this pack in a workflow and in its subgraphs."""
    saved = json.loads(path.read_text())
    every = [saved, *saved.get("definitions", {}).get("subgraphs", ())]
    return [node for graph in every for node in graph["nodes"] if node["type"].startswith("OWF_")]


def widgets(inputs):
    """Return name, kind and settings of what a workflow saves a value of, in its order: required inputs come first."""
    found = []
    for kind, name, settings in sorted(inputs, key=lambda socket: bool(socket[2].get("optional"))):
        if kind in WIDGETS and not settings.get("force_input"):
            found.append((name, kind, settings))
            if settings.get(AFTER):
                found.append((AFTER, "COMBO", {"options": ["fixed", "increment", "decrement", "randomize"]}))
    return found


def test_there_are_examples_of_the_nodes_with_several_inputs(nodes):
    assert {path.stem for path in EXAMPLES} >= {
        "audit_a_lora",
        "train_then_audit",
        "meter_two_batches",
        "gate_a_graph",
    }
    # A node with one widget cannot mix them up.
    several = {name for name, (inputs, _) in nodes.items() if len(widgets(inputs)) > 1}
    assert several <= {node["type"] for path in EXAMPLES for node in saved_nodes(path)}


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_the_inputs_and_outputs_of_a_saved_workflow_are_where_they_were(nodes, path):
    for node in saved_nodes(path):
        inputs, outputs = nodes[node["type"]]
        kinds = {name: kind for kind, name, _ in inputs}
        assert all(kinds.get(socket["name"]) == socket["type"] for socket in node["inputs"]), node["type"]
        # The names of the widgets are saved beside their values, so that a swap shows where both would take both.
        named = [socket["name"] for socket in node["inputs"] if "widget" in socket]
        assert named == [name for name, _, _ in widgets(inputs) if name != AFTER]
        now = [(kind, settings.get("display_name", kind)) for kind, _, settings in outputs]
        assert [(socket["type"], socket["name"]) for socket in node["outputs"]] == now


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_the_values_of_a_saved_workflow_fit_the_inputs_that_take_them(nodes, path):
    for node in saved_nodes(path):
        taken = widgets(nodes[node["type"]][0])
        for (name, kind, settings), value in zip(taken, node.get("widgets_values") or [], strict=True):
            place = f"{node['type']}.{name} = {value!r}"
            assert isinstance(value, WIDGETS[kind]) and (kind == "BOOLEAN" or not isinstance(value, bool)), place
            assert kind != "COMBO" or value in settings["options"], place
            assert kind not in ("INT", "FLOAT") or settings["min"] <= value <= settings["max"], place


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_for_and_no_node_lies_on_another(path):
    every = json.loads(path.read_text())["nodes"]
    assert [node for node in every if node["type"] == "MarkdownNote"]
    for number, one in enumerate(every):
        for other in every[:number]:
            (left, top), (width, height) = one["pos"], one["size"]
            (x, y), (w, h) = other["pos"], other["size"]
            over = left < x + w and x < left + width and top - TITLE < y + h and y - TITLE < top + height
            assert not over, f"{one['type']} and {other['type']}"
