"""The nodes that read files and reports, on the real executor."""

import json

import numpy as np
import pytest
from graphs import DEMO, DEMO_LORA, audit, show


def test_files_and_reports_are_shown_as_they_are(host):
    prompt = {
        "1": DEMO,
        "2": audit(metrics="denoiser_drift"),
        "3": {"class_type": "OWF_ShowReport", "inputs": {"report": ["2", 1]}},
        "4": {"class_type": "OWF_InspectLoRA", "inputs": {"lora": DEMO_LORA}},
        "5": show("4", 2),
        "6": {"class_type": "OWF_PromptBank", "inputs": {"bank": "only my own", "more": "a lamp\na boat"}},
        "7": show("6", 1),
    }
    found = host.run("shown_again", prompt=prompt)
    first, second = found["first"], found["second"]
    panel = first["2"]["owf"][0]
    assert panel["verdict"] == "DRIFT" and panel["report"].startswith("/view?")
    # Shown from the graph or read from disk again, it is the same report, and no second copy of it.
    assert first["3"]["owf"][0] == second["2"]["owf"][0] == panel
    assert found["folders"] == 1 and second["3"]["text"] == ["DRIFT"]
    facts = dict(first["4"]["owf"][0]["lines"])
    assert facts["family"] == "demo" and "sks" in first["5"]["text"][0]
    assert first["7"]["text"] == ["a lamp\na boat"]


def two_audits(**second):
    """Return the demo's two LoRAs audited and held against each other, the second with other inputs."""
    return {
        "1": DEMO,
        "2": audit(metrics="denoiser_drift, color"),
        "3": audit(**{"lora": DEMO_LORA.replace("plain", "dc"), "metrics": "denoiser_drift, color", **second}),
        "4": {"class_type": "OWF_CompareAudits", "inputs": {"report_a": ["2", 1], "report_b": ["3", 1]}},
        **{number: show(node, output) for number, node, output in (("5", "2", 1), ("6", "3", 1), ("7", "4", 0))},
    }


def test_two_loras_are_compared_prompt_by_prompt_and_by_the_same_pictures(host):
    result = host.run("run_prompt", prompt=two_audits(), extras=["nodes_preview_any.py"])
    assert result["success"], result["errors"]
    outputs = result["outputs"]
    assert outputs["7"]["text"] == ["owf_demo_dc"]
    panel = outputs["4"]["owf"][0]
    first, second = (json.loads(outputs[node]["text"][0])["measurements"]["denoiser_drift"] for node in "56")
    apart = first["estimates"]["drift"]["value"] - second["estimates"]["drift"]["value"]
    number = next(each for each in panel["numbers"] if each["title"] == "Denoiser drift")
    assert number["milder"] == 1
    told = number["difference"].removeprefix("+").split(" %")[0]
    assert float(told) == pytest.approx(100 * apart, rel=0.01)
    # Prompt by prompt the two are far nearer than the spread of the prompts.
    each = np.subtract(first["prompts"]["drift"], second["prompts"]["drift"])
    low, high = number["difference"].split("(")[1].rstrip(")").replace("+", "").split(" to ")
    assert 0 < float(low) < 100 * each.mean() < float(high)
    row = panel["pairs"][0]
    assert row[0]["prompt"] == row[1]["prompt"] and row[0]["tuned"] != row[1]["tuned"]
    assert list((host.home / "output" / "owf" / "side_by_side").glob("overview-*.html"))


def test_two_loras_that_were_asked_differently_are_refused(host):
    result = host.run("run_prompt", prompt=two_audits(audit_seed=1), extras=["nodes_preview_any.py"])
    assert not result["success"]
    assert "report_a and report_b were asked differently (seed)" in str(result["errors"])
