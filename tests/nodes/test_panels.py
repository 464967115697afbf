"""Panels as the browser shows them: plain data of this version, of an older one, or of a stranger."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import report_samples as samples
from node import NODE
from owf.nodes.ui.panel import report_panel

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def shown(tmp_path, *panels):
    """Return what the browser shows of saved panels: texts, classes, addresses of pictures, warnings."""
    for script in (ROOT / "web").glob("*.js"):  # ComfyUI's page, of which they take these, is not there
        text = re.sub(r'import { \w+ } from "../../scripts/\w+.js";\n', "", script.read_text())
        text = re.sub(r'"\./(\w+)\.js"', r'"./\1.mjs"', text).replace("import.meta.url", '"http://x/owf.js"')
        (tmp_path / f"{script.stem}.mjs").write_text(f"const {{ app, api }} = owfTest;\n{text}")
    script = tmp_path / "owf.mjs"
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


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_a_training_shows_what_it_learned_before_its_curves_and_a_report_before_its_verdict(tmp_path):
    bar = {"title": "Concept fidelity", "value": "4.0 %", "interval": "-3.0 to 11.0", "floor": "", "limit": "",
           "note": "", "state": "", "at": {"zero": 10, "low": 5, "value": 14, "high": 20}}  # fmt: skip
    curves = {"kind": "curves", "title": "sks_bag", "steps": 2, "curves": {"loss": [[1, 0.5], [2, 0.4]]}, "notes": []}
    learned = {**curves, "badge": "NOT LEARNED", "state": "DRIFT", "bars": [bar]}
    report = {**json.loads((HERE / "saved" / "report_panel.json").read_text()), "outcome": "NOT LEARNED, PASS"}
    panels = []
    for name, panel in (("without", curves), ("with", learned), ("report", report)):
        panels.append(tmp_path / f"{name}.json")
        panels[-1].write_text(json.dumps(panel))
    without, with_it, judged = shown(tmp_path, *panels)
    assert not any(found["warnings"] for found in (without, with_it, judged))
    assert "NOT LEARNED" not in without["texts"] and "NOT LEARNED" in with_it["texts"]
    assert "Concept fidelity" in with_it["texts"]
    assert "owf-DRIFT" in with_it["classes"]
    assert "NOT LEARNED, PASS" in judged["texts"]


def progress(**values):
    """Return what a node that is 11.4 % through tells the browser."""
    told = {
        "node": "7",
        "stage": "LoRA: drawing",
        "done": 57,
        "total": 500,
        "share": 0.114,
        "left": None,
        "ahead": "Rows.",
    }
    return ["owf.progress", {**told, **values}]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
@pytest.mark.parametrize(
    ("events", "texts", "gone"),
    [
        ([progress()], ["LoRA: drawing", "11 %", "Rows."], []),
        (
            [progress(resumes=True), ["execution_interrupted", {}]],
            ["Cancelled at 11 %; queue again to go on."],
            ["LoRA: drawing"],
        ),
        (
            [progress(resumes=False), ["execution_interrupted", {}]],
            ["Cancelled at 11 %; queue again to start over."],
            [],
        ),
        (
            [progress(), ["execution_error", {"node_id": "7", "exception_message": "It broke.\n"}]],
            ["It broke."],
            ["11 %"],
        ),
        ([progress(), ["execution_error", {"node_id": "9", "exception_message": "Other."}]], [], ["11 %", "Other."]),
        (
            [["execution_error", {"node_id": "7", "exception_message": "It broke."}], progress()],
            ["11 %"],
            ["It broke."],
        ),
    ],
)
def test_the_panel_says_how_a_run_ended(tmp_path, events, texts, gone):
    (tmp_path / "events.json").write_text(json.dumps({"events": events}))
    (found,) = shown(tmp_path, tmp_path / "events.json")
    assert set(texts) <= set(found["texts"]) and not set(gone) & set(found["texts"])


def refusal(node="7", said="Choose a LoRA.", **others):
    """Return what ComfyUI answers to a graph without one node, whose check speaks once for each input."""
    errors = [
        {"type": "custom_validation_failed", "details": f"{name} - {said}", "extra_info": {"input_name": name}}
        for name in ("lora", "policy")
    ]
    return ["queue", {"node_errors": {node: {"errors": errors}}, **others}]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
@pytest.mark.parametrize(
    ("events", "texts", "gone"),
    [
        ([refusal(refused=True)], ["Choose a LoRA."], ["Queue the graph to see results here."]),
        ([refusal()], ["Choose a LoRA."], []),  # what else the graph has is run
        ([refusal(refused=True), ["queue", {"node_errors": {}}]], [], ["Choose a LoRA."]),
        ([refusal(refused=True), ["queue", {"node_errors": [], "prompt_id": "1"}]], [], ["Choose a LoRA."]),
        ([["queue", {"refused": True, "error": "no outputs"}]], ["Queue the graph to see results here."], []),
        ([refusal("9", refused=True)], [], ["Choose a LoRA."]),
        (
            [
                [
                    "queue",
                    {"refused": True, "node_errors": {"7": {"errors": [{"message": "Missing", "details": "vae"}]}}},
                ]
            ],
            ["Missing: vae."],
            [],
        ),
        ([refusal(refused=True), progress()], ["11 %"], ["Choose a LoRA."]),
        (
            [["execution_error", {"node_id": "7", "exception_message": "It broke."}], refusal(refused=True)],
            ["Choose a LoRA."],
            ["It broke."],
        ),
    ],
)
def test_a_node_that_is_not_queued_says_why_once_and_no_longer_than_it_is_so(tmp_path, events, texts, gone):
    (tmp_path / "events.json").write_text(json.dumps({"events": events}))
    (found,) = shown(tmp_path, tmp_path / "events.json")
    assert set(texts) <= set(found["texts"]) and not set(gone) & set(found["texts"]) and not found["warnings"]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_a_subgraph_shows_what_the_node_in_it_does(tmp_path):
    panel = json.loads((HERE / "saved" / "report_panel.json").read_text())
    done = ["executed", {"node": "3:7", "output": {"owf": [panel]}}]
    runs = {
        "running": [progress(node="3:7")],
        "failed": [progress(node="3:7"), ["execution_error", {"node_id": "3:7", "exception_message": "It broke."}]],
        "cancelled": [progress(node="3:7", resumes=True), ["execution_interrupted", {}]],
        "done": [progress(node="3:7"), done],
        "alone": [progress(), ["executed", {"node": "7", "output": {"owf": [panel]}}]],
        "elsewhere": [["executed", {"node": "3:8", "output": {"owf": [panel]}}], progress(node="9:7")],
    }
    for name, events in runs.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"events": events}))
    found = dict(zip(runs, shown(tmp_path, *(tmp_path / f"{name}.json" for name in runs)), strict=True))
    assert "11 %" in found["running"]["outer"] and "11 %" in found["running"]["texts"]
    assert "It broke." in found["failed"]["outer"] and "11 %" not in found["failed"]["outer"]
    assert "Cancelled at 11 %; queue again to go on." in found["cancelled"]["outer"]
    assert panel["title"] in found["done"]["outer"] and "11 %" not in found["done"]["outer"]
    assert found["alone"]["outer"] is None and found["elsewhere"]["outer"] is None
    assert not any(each["warnings"] for each in found.values())


PICTURE = "data:image/jpeg;base64,/9j/4AAQ"


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
@pytest.mark.parametrize(
    ("events", "pictures"),
    [
        ([progress(picture=PICTURE)], [PICTURE]),
        ([progress(picture=PICTURE), progress()], [PICTURE]),  # it stays until there is another
        ([progress(picture=PICTURE), ["execution_interrupted", {}]], []),  # and goes away with the run
        ([progress(picture="https://example.org/a.jpg")], []),
        ([progress(picture="data:image/svg+xml;base64,PHN2Zz4=")], []),
    ],
)
def test_what_was_drawn_last_is_shown_while_it_runs(tmp_path, events, pictures):
    (tmp_path / "events.json").write_text(json.dumps({"events": events}))
    (found,) = shown(tmp_path, tmp_path / "events.json")
    assert found["pictures"] == pictures


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_a_node_is_as_high_as_its_panel_and_never_lower_than_somebody_made_it(tmp_path):
    (found,) = shown(tmp_path, HERE / "saved" / "report_panel.json")
    edges = 20  # which ComfyUI leaves above and below
    assert [height - edges for height in found["heights"]] == [123, 2000, 2000, 50]
    assert found["chosen"] == [700, 900 + edges, 900 + edges, 700, 700]
    assert [height - edges for height in found["wider"]] == [600, 580, 560, 560]
    assert found["loaded"] == [600 + edges, 400 + edges, 840, 840]
    assert found["vue"] == [80, 80, 280]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_an_alarm_is_called_alarm(tmp_path):
    saved = json.loads((HERE / "saved" / "report_panel.json").read_text())
    bar = {**saved["bars"][0], "limit": "25.0 points", "limit_word": "alarm", "state": "NO ALARM"}
    (tmp_path / "panel.json").write_text(json.dumps({**saved, "bars": [bar]}))
    (found,) = shown(tmp_path, tmp_path / "panel.json")
    assert any("alarm 25.0 points" in text for text in found["texts"]) and "owf-NO-ALARM" in found["classes"]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_a_silent_alarm_is_folded_away_and_what_is_judged_is_not(tmp_path):
    saved = json.loads((HERE / "saved" / "report_panel.json").read_text())
    silent = {**saved["bars"][0], "title": "Hues", "limit_word": "alarm", "state": "NO ALARM"}
    for number, said in ((0, None), (1, "One alarm is silent"), (3, "3 alarms are silent")):
        (tmp_path / "panel.json").write_text(json.dumps({**saved, "bars": [silent] * number + saved["bars"]}))
        (found,) = shown(tmp_path, tmp_path / "panel.json")
        assert [folded[0] for folded in found["folded"]] == ([said] if said else [])
        assert all(folded.count("Hues") == number for folded in found["folded"])
        assert not any(saved["bars"][0]["title"] in folded for folded in found["folded"])
        assert saved["bars"][0]["title"] in found["texts"]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_the_panel_ranks_what_is_damaged_and_names_the_untouched(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "folder_paths", SimpleNamespace(get_output_directory=lambda: str(tmp_path)))
    panel = report_panel(samples.mapped_report(), tmp_path)
    (tmp_path / "panel.json").write_text(json.dumps(panel))
    (found,) = shown(tmp_path, tmp_path / "panel.json")
    texts = found["texts"]
    assert found["warnings"] == [] and "owf-ranked" in found["classes"]
    at = texts.index("Damaged, 95 % interval")
    assert texts[at + 1 : at + 4] == ["green (14 concepts)", "110 %", "100 to 120"]
    assert texts.index("Moved least, 95 % interval") > at and "black dress" in texts


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_a_concept_of_a_stranger_is_text_and_a_list_of_any_length_stays_short(tmp_path):
    # The words that are asked may come from a file, and a panel from a workflow that was sent.
    hostile = "<img src=x onerror=alert(1)>"
    line = [hostile, "<b>1 %</b>", "0 to 2"]
    lists = [{"title": hostile, "lines": [line] * 500}] * 61
    saved = json.loads((HERE / "saved" / "report_panel.json").read_text())
    (tmp_path / "panel.json").write_text(json.dumps({**saved, "lists": lists, "pairs": []}))
    (found,) = shown(tmp_path, tmp_path / "panel.json")
    assert found["pictures"] == [] and found["warnings"] == []
    assert found["texts"].count(hostile) == 60 * 60
    assert found["texts"].count(f"{hostile}, 95 % interval") == 60


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_an_audit_of_several_says_what_each_is_called(tmp_path):
    row = {
        "name": "a.safetensors",
        "verdict": "PASS",
        "symbol": "v",
        "text": "Worst class drop 16.7 points",
        "reason": "",
    }
    (tmp_path / "panel.json").write_text(
        json.dumps({"kind": "table", "title": "1 on base", "notes": [], "rows": [row]})
    )
    (found,) = shown(tmp_path, tmp_path / "panel.json")
    assert "owf-named" in found["classes"]
    assert {"a.safetensors", "v PASS", row["text"]} <= set(found["texts"])


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_the_line_of_a_silent_alarm_is_grey_and_that_of_a_limit_is_not(tmp_path):
    curve = {"title": "Hues", "points": [[0.5, 1.0], [1.0, 2.0]], "limit": 6.0, "last": "2"}
    for name, silent in (("alarm", True), ("limit", False)):
        curves = [{**curve, "silent": silent}]
        data = {"kind": "table", "title": "a", "notes": [], "rows": [], "curves": curves, "most": 1}
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    alarm, limit = shown(tmp_path, tmp_path / "alarm.json", tmp_path / "limit.json")
    assert "owf-alarm" in alarm["classes"] and "owf-alarm" not in limit["classes"]
    assert ".owf-curve line.owf-alarm { stroke: var(--owf-invalid); }" in (ROOT / "web" / "owf.css").read_text()


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_an_audit_says_what_it_costs_before_it_is_queued_and_asks_once_for_several_changes(tmp_path):
    widgets = {"lora": "a b.safetensors", "strength": 1, "preset": "quick", "stop_graph": "never"}
    asked = {"widgets": widgets, "set": {"preset": "standard", "strength": 0.5}}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    (tmp_path / "run.json").write_text(json.dumps({**asked, "events": [progress()]}))
    inputs = [{"name": "model", "link": 1}, {"name": "strength", "link": 0}, {"name": "probe_images", "link": None}]
    (tmp_path / "linked.json").write_text(json.dumps({**asked, "inputs": inputs}))
    loader = {"comfyClass": "CheckpointLoaderSimple", "widgets": [{"name": "ckpt_name", "value": "a/x.safetensors"}]}
    demo = {"comfyClass": "OWF_DemoCheckpoint"}
    for name, above in (("loaded", loader), ("demo", demo)):
        inputs = [{"name": "model", "link": 1, "from": above}]
        (tmp_path / f"{name}.json").write_text(json.dumps({**asked, "inputs": inputs}))
    names = ("asked", "run", "linked", "loaded", "demo")
    before, running, linked, loaded, shipped = shown(tmp_path, *(tmp_path / f"{name}.json" for name in names))
    assert loaded["asked"] == [f"{before['asked'][0]}&base=a%2Fx.safetensors"]
    assert shipped["asked"] == [f"{before['asked'][0]}&base=%5Bdemo%5D"]
    assert linked["asked"] == [f"{before['asked'][0]}&linked=strength"]
    assert before["asked"] == ["/owf/forecast?lora=a+b.safetensors&strength=0.5&preset=standard"]
    assert "Cost 1." in before["texts"] and "Queue the graph to see results here." in before["texts"]
    assert "Cost 1." not in running["texts"]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_what_an_audit_costs_is_not_said_of_one_that_ended_before_the_answer(tmp_path):
    panel = json.loads((HERE / "saved" / "report_panel.json").read_text())
    (tmp_path / "late.json").write_text(json.dumps({"widgets": {"preset": "quick"}, "meanwhile": panel}))
    (found,) = shown(tmp_path, tmp_path / "late.json")
    assert len(found["asked"]) == 1 and panel["title"] in found["texts"] and "Cost 1." not in found["texts"]


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
def test_two_audits_are_shown_on_one_scale_with_the_same_pictures(tmp_path):
    bar = {"value": "6 %", "interval": "5 to 7", "floor": "", "limit": "1 %", "limit_word": "limit", "note": "",
           "state": "DRIFT", "at": {"zero": 0, "low": 50, "value": 60, "high": 70, "limit": 10}}  # fmt: skip
    sides = [
        {"name": name, "verdict": "DRIFT", "outcome": "DRIFT", "symbol": "x", "report": ""}
        for name in ("one", "<b>two</b>")
    ]
    address = "/view?type=output&subfolder=owf%2Fx&filename="
    pair = {"prompt": "a bag", "change": "5.0 ΔE", "base": f"{address}b.png", "tuned": f"{address}t.png"}
    panel = {
        "kind": "compared",
        "title": "one and two on base",
        "notes": ["one is the milder, in denoiser drift."],
        "sides": sides,
        "numbers": [
            {"title": "Denoiser drift", "difference": "+1 %", "milder": 0, "bars": [bar, {**bar, "value": "7 %"}]},
            {"title": "KID", "difference": "", "milder": None, "bars": [bar, None]},
        ],
        "pairs": [[pair, {**pair, "tuned": "https://example.org/a.png", "change": "9.0 ΔE"}]],
        "report": f"{address}overview-12345678.html",
    }
    (tmp_path / "panel.json").write_text(json.dumps(panel))
    (tmp_path / "broken.json").write_text(json.dumps({**panel, "pairs": [[]], "sides": None}))
    found, broken = shown(tmp_path, tmp_path / "panel.json", tmp_path / "broken.json")
    texts = found["texts"]
    assert found["warnings"] == [] and texts.count("milder") == 1
    assert {"A  one", "B  <b>two</b>", *panel["notes"], "Denoiser drift", "A − B +1 %", "7 %"} <= set(texts)
    assert {"not measured", "A  5.0 ΔE", "B  9.0 ΔE", "a bag", "1 / 1", "Open both side by side"} <= set(texts)
    # The base once, and of the LoRAs' pictures the one that lies on this ComfyUI.
    assert [picture and picture.split("filename=")[1][:5] for picture in found["pictures"]] == ["b.png", "t.png", None]
    assert broken["warnings"] and "Queue the graph to see results here." in broken["texts"]
