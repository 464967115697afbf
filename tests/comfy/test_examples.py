"""The example workflows run to the end on the demo base, through ComfyUI's own executor."""

import json
from pathlib import Path

import pytest
from graphs import from_interface

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(host, path):
    workflow = json.loads(path.read_text())
    types = host.run("node_types", names=sorted({node["type"] for node in workflow["nodes"]}))
    prompt = from_interface(workflow, types)
    # As the example says, only fewer labelled pictures: the quick preset takes minutes on one core.
    for node in prompt.values():
        if node["class_type"] == "OWF_DriftAudit":
            node["inputs"]["per_class"] = 3
    result = host.run("run_prompt", 1700, prompt=prompt, extras=["nodes_preview_any.py"])
    gated = path.stem == "gate_a_graph"
    # A blocked branch is told as an error, once, while the prompt counts as done.
    assert result["success"], result["errors"]
    assert [error[:50] for error in result["errors"]] == ["Execution Blocked: The drift audit said DRIFT: The"] * gated
    panels = {id: output["owf"][0] for id, output in result["outputs"].items() if "owf" in output}
    assert panels
    for panel in panels.values():
        assert panel["kind"] in ("report", "meter", "curves")
        assert panel["kind"] != "report" or panel["verdict"] in ("PASS", "DRIFT", "INCONCLUSIVE")
