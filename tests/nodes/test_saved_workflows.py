"""Workflows that are saved still load: values belong to inputs by position, links to outputs, panels are plain data."""

import json
import subprocess
from pathlib import Path

import pytest
from node import NODE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))
WIDGETS = {"INT": (int,), "FLOAT": (int, float), "STRING": (str,), "COMBO": (str,), "BOOLEAN": (bool,)}
"""Kinds of input that a node shows as a widget -> what a workflow saves of it; JSON writes 1.0 as 1."""
AFTER = "control_after_generate"
"""What an INT with this setting is to do after a run; a workflow saves it as a value of its own behind the number."""


@pytest.fixture(scope="module")
def nodes(shared_stub):
    """Return id -> inputs and outputs of each node."""
    found = shared_stub.run("schemas")["nodes"]
    return {name: (node["inputs"], node["outputs"]) for name, node in found.items()}


def saved_nodes(path):
    """Return the nodes of this pack in a workflow."""
    return [node for node in json.loads(path.read_text())["nodes"] if node["type"].startswith("OWF_")]


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


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
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


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_values_of_a_saved_workflow_fit_the_inputs_that_take_them(nodes, path):
    for node in saved_nodes(path):
        taken = widgets(nodes[node["type"]][0])
        for (name, kind, settings), value in zip(taken, node.get("widgets_values") or [], strict=True):
            place = f"{node['type']}.{name} = {value!r}"
            assert isinstance(value, WIDGETS[kind]) and (kind == "BOOLEAN" or not isinstance(value, bool)), place
            assert kind != "COMBO" or value in settings["options"], place
            assert kind not in ("INT", "FLOAT") or settings["min"] <= value <= settings["max"], place


def shown(tmp_path, *panels):
    """Return what the browser shows of saved panels: texts, classes, addresses of pictures, warnings."""
    script = tmp_path / "owf.mjs"
    head, marker, body = (ROOT / "web" / "owf.js").read_text().partition("const NODES")
    assert head.count("import {") == 2  # of ComfyUI's page, which is not there
    script.write_text(
        f"const {{ app, api }} = owfTest;\n{marker}{body}".replace("import.meta.url", '"http://x/owf.js"')
    )
    command = [NODE, str(HERE / "show_panel.mjs"), str(script), *map(str, panels)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_a_panel_that_an_older_version_saved_is_shown(tmp_path):
    # As the version before layout 2 of reports saved it: bars have no note, and a silent alarm is PASS.
    panel = HERE / "saved" / "report_panel.json"
    (found,) = shown(tmp_path, panel)
    saved = json.loads(panel.read_text())
    assert found["warnings"] == []
    for text in ("Saved with the workflow; queue the graph to measure here.", saved["title"], saved["reasons"][0]):
        assert text in found["texts"]
    assert {bar["title"] for bar in saved["bars"]} < set(found["texts"])
    assert {"owf-head", "owf-PASS"} <= set(found["classes"])
    assert len(found["pictures"]) == 2 and all("zigzag_bag" in picture for picture in found["pictures"])


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
@pytest.mark.parametrize("panel", [{"kind": "report"}, {"kind": "of a later version"}, {}, [], None])
def test_a_panel_that_cannot_be_shown_does_not_keep_a_workflow_from_loading(tmp_path, panel):
    (tmp_path / "panel.json").write_text(json.dumps(panel))
    (found,) = shown(tmp_path, tmp_path / "panel.json")
    assert "Queue the graph to see results here." in found["texts"]
