"""The pack as ComfyUI loads it: ids, schemas, what it imports, and what a missing package switches off."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from node import NODE
from owf.core.metrics.metric import all_metrics
from owf.core.plan.presets import GLANCE, METRICS, preset_metrics

ROOT = Path(__file__).resolve().parents[2]
IDS = {
    "OWF_DemoCheckpoint",
    "OWF_DriftAudit",
    "OWF_StrengthSweep",
    "OWF_FolderAudit",
    "OWF_LoadAuditedLoRA",
    "OWF_CDIKIDMeter",
    "OWF_TrainLoRADC",
    "OWF_InspectLoRA",
    "OWF_LoadReport",
    "OWF_ShowReport",
    "OWF_CompareAudits",
    "OWF_PromptBank",
}

SCRIPTS = sorted((ROOT / "web").glob("*.js"))
WIDGETS = {"INT", "FLOAT", "STRING", "COMBO", "BOOLEAN"}
"""Kinds of input that a node shows as a widget."""


@pytest.fixture(scope="module")
def loaded(shared_stub):
    return shared_stub.run("schemas")


def test_the_node_ids_that_saved_workflows_rely_on(loaded):
    assert set(loaded["nodes"]) == IDS and len(IDS) <= 20


def test_every_node_says_where_it_belongs_and_what_it_does(loaded):
    for node in loaded["nodes"].values():
        assert node["category"] in {f"OWF/{part}" for part in ("audit", "inspect", "load", "train")}
        assert "(OWF)" in node["name"] and len(node["about"]) > 20


def test_every_input_and_output_says_what_it_is(loaded):
    for name, node in loaded["nodes"].items():
        for _, socket, settings in (*node["inputs"], *node["outputs"]):
            assert settings.get("tooltip"), f"{name}.{socket}"


def test_nodes_are_found_by_other_words_than_their_names_where_the_host_searches_for_them(loaded):
    for node in loaded["nodes"].values():
        assert len(node["aliases"]) >= 3 and not any(word in node["name"] for word in node["aliases"])
    assert loaded["old"] == {}


def test_what_few_people_change_is_folded_away(loaded):
    # A socket that is folded away could not be connected, and a column of 20 widgets is not read.
    for name, node in loaded["nodes"].items():
        shown = [i for kind, i, s in node["inputs"] if kind in WIDGETS and not s.get("advanced")]
        assert len(shown) <= 7, f"{name} shows {shown}"
        assert all(kind in WIDGETS for kind, _, settings in node["inputs"] if settings.get("advanced")), name


def test_numbers_are_shown_as_they_are_sent(loaded):
    # Without step and round, the browser shows and sends 0.02 as 0.0.
    for node in loaded["nodes"].values():
        for kind, name, settings in node["inputs"]:
            assert kind != "FLOAT" or {"step", "round", "min", "max"} <= set(settings), name
            assert kind != "INT" or {"min", "max"} <= set(settings), name


def test_no_seed_changes_by_itself(loaded):
    # The browser draws a new value after each run for every INT of these names, which would run the audit again.
    names = {name for node in loaded["nodes"].values() for _, name, _ in node["inputs"]}
    assert not names & {"seed", "noise_seed"}


def test_loading_imports_little_and_nothing_heavy(loaded):
    assert loaded["heavy"] == []
    assert loaded["imported"] < 270  # ComfyUI starts with all packs: about 0.3 seconds


def test_a_missing_package_switches_off_one_node_with_a_message(stub):
    found = stub.run("missing_package")
    assert set(found["nodes"]) == IDS - {"OWF_TrainLoRADC"}
    assert "TrainLoraDC" in found["log"] and f'"{sys.executable}" -m pip install peft' in found["log"]


def test_another_reason_is_told_without_advice_that_does_not_follow(stub):
    old, new = stub.run("advice")["said"]
    assert "needs ComfyUI 0.3.64" in old and "0.3.50" in old
    assert new == "This is ComfyUI 0.33.0."


OLD_LOADER = ROOT / "tests" / "support" / "old_comfy_loader.py"


@pytest.mark.parametrize(("version", "found"), [("0.3.40", "; this is 0.3.40"), ("", "")])
def test_a_comfyui_that_is_too_old_is_told_which_one_is_needed(stub, version, found):
    command = [sys.executable, "-I", str(OLD_LOADER), str(stub.pack), version]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    said, heavy = json.loads(result.stdout)
    needed = "OWF needs ComfyUI 0.3.64 or newer"
    assert said == ["web", f"Cannot import: {needed}{found}: update ComfyUI and restart it."]
    assert heavy == []


def test_a_new_comfyui_sees_no_mappings_and_nobody_else_is_refused(stub):
    found = stub.run("other_hosts")
    assert found["new"] == found["elsewhere"] == [False, False, True]


def test_the_version_that_is_needed_is_said_once(stub):
    found = stub.run("needed")
    assert f'requires-comfyui = ">={found["needed"]}"' in (ROOT / "pyproject.toml").read_text()
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert set(found["packages"].values()) == {re.split(r"[<>=; ]", x)[0] for x in lines if x and x[0] != "#"}


def test_only_the_backend_imports_comfy():
    for path in (ROOT / "nodes").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            is_comfy = any(name.split(".")[0] == "comfy" for name in names)
            assert not is_comfy or "backend" in path.relative_to(ROOT / "nodes").parts, path


def test_the_panels_belong_to_nodes_and_make_no_html_of_texts():
    script = "".join(path.read_text() for path in SCRIPTS)
    assert set(re.findall(r"OWF_\w+", script)) <= IDS
    assert not re.search(r"innerHTML|insertAdjacentHTML|outerHTML|document\.write|eval\(", script)


@pytest.mark.skipif(not NODE, reason="needs node to parse JavaScript")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_parses(tmp_path, script):
    module = tmp_path / "owf.mjs"
    module.write_text(script.read_text())
    result = subprocess.run([NODE, "--check", str(module)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_node_has_a_help_page_that_names_its_inputs(loaded):
    for name, node in loaded["nodes"].items():
        text = (ROOT / "web" / "docs" / f"{name}.md").read_text()
        for _, given, _ in node["inputs"]:
            assert f"`{given}`" in text, f"{name}.md does not explain {given}"


def test_the_page_of_the_audit_names_every_metric_and_which_run_by_themselves():
    text = (ROOT / "web" / "docs" / "OWF_DriftAudit.md").read_text()
    others = [metric.name for metric in all_metrics() if metric.name not in METRICS]
    assert f"some of {', '.join((*METRICS, *others))}; empty runs the first six, and with glance the first two" in text
    assert (len(METRICS), preset_metrics(GLANCE)) == (6, METRICS[:2])


def test_the_registry_entry_and_the_requirements_do_not_fight_the_host():
    text = (ROOT / "requirements.txt").read_text()
    names = {re.split(r"[<>=; ]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert not names & {"torch", "torchvision", "numpy", "transformers", "diffusers", "pillow", "safetensors"}
    project = (ROOT / "pyproject.toml").read_text()
    assert "[tool.comfy]" in project
    # WEB_DIRECTORY is exported; both would load the script twice.
    assert not re.search(r"^web *=", project, re.MULTILINE)
