"""The example workflows and the blueprints run to the end on the demo base, through ComfyUI's own executor."""

import json
from pathlib import Path

import pytest
from graphs import from_interface, inside, on_demo

IN_PART = "PASS, in part"
ROOT = Path(__file__).resolve().parents[2]
GRAPHS = [*sorted((ROOT / "example_workflows").glob("*.json")), *sorted((ROOT / "subgraphs").glob("*.json"))]


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_an_example_runs(host, path):
    workflow = json.loads(path.read_text())
    if "definitions" in workflow:
        workflow = inside(workflow)
    types = host.run("node_types", names=sorted({node["type"] for node in workflow["nodes"]}))
    prompt = on_demo(from_interface(workflow, types))
    # As the example says, only fewer labelled pictures: the quick preset takes minutes on one core.
    for node in prompt.values():
        if "per_class" in node["inputs"]:
            node["inputs"]["per_class"] = 3
    result = host.run("run_prompt", 1700, prompt=prompt, extras=["nodes_preview_any.py"])
    # A branch behind a closed gate does not run, which is no error.
    assert result["success"] and not result["errors"], result["errors"]
    panels = {id: output["owf"][0] for id, output in result["outputs"].items() if "owf" in output}
    assert panels
    for panel in panels.values():
        assert panel["kind"] in ("report", "meter", "curves", "table", "facts", "compared")
        # A PASS of few metrics has the colour and mark of none.
        is_in_part = panel.get("outcome") == IN_PART
        assert panel["kind"] != "report" or is_in_part or panel["verdict"] in ("PASS", "DRIFT", "INCONCLUSIVE")
        gated = path.stem == "gate_a_graph"
        assert panel["kind"] != "report" or any("gate is closed" in note for note in panel["notes"]) == gated
