"""The transformers as ComfyUI runs them: tiny random ones, against the same weights in `owf-audit`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from brief_audit import METRICS
from comfy_flows import lora, require_small, saved
from reports import apart, numbers

FAMILIES = ("flux", "z_image", "flux2_klein", "krea2", "qwen_image", "anima")


@pytest.fixture(scope="module", params=FAMILIES)
def base(request, tmp_path_factory):
    """What tells a walk of one of the models: its family, its folder, and its transformer's file."""
    return made(request.param, tmp_path_factory.mktemp(request.param))


def made(family: str, place: Path) -> dict[str, str]:
    """Return the same of a model that is written to a folder; skip the test where ComfyUI knows none so small."""
    comfy = Path(os.environ["COMFYUI_DIR"])
    require_small(comfy, family)
    folder, file = saved(family, comfy, place)
    return {"family": family, "folder": str(folder), "file": str(file)}


CLASSES = {
    ("Flux", 3072): "flux",
    ("FluxSchnell", 3072): "flux",
    ("FluxInpaint", 3072): "custom",
    ("Flux2", 3072): "flux2_klein",
    ("Flux2", 4096): "flux2_klein_9b",
    ("Flux2", 6144): "flux2",
    ("Chroma", 3072): "chroma",
    ("ChromaRadiance", 3072): "custom",
    ("Lumina2", 2304): "lumina2",
    ("ZImage", 3840): "z_image",
    ("ZImagePixelSpace", 3840): "custom",
    ("Krea2", 6144): "krea2",
    ("QwenImage", 3072): "qwen_image",
    ("QwenImage", 3072, "default_ref_method"): "custom",
    ("MageFlow", 3072): "custom",
    ("Anima", 2048): "anima",
}
"""ComfyUI's name of a configuration, the width of the transformer and a setting -> family; some are subclasses."""


def test_a_family_is_told_by_its_own_class(host):
    found = host.run("own_classes", asked=list(CLASSES))["found"]
    assert found == {name: family for asked, family in CLASSES.items() if (name := " ".join(map(str, asked))) in found}
    assert {"Flux 3072", "FluxSchnell 3072", "Lumina2 2304"} <= found.keys()


def test_a_model_answers_as_it_does_in_diffusers(host, base):
    require_same(host.run("flow_answers", **base), base["family"], t5=base["family"] == "flux")


def test_schnell_answers_as_it_does_in_diffusers(host, tmp_path):
    """It is told no guidance, and ComfyUI counts its times by thousands."""
    require_same(host.run("flow_answers", **made("schnell", tmp_path)), "flux", t5=True)


def require_same(found: dict, family: str, t5: bool) -> None:
    """Fail unless the two models of a walk answered the same; `t5`: ComfyUI fills its prompts up less, unless told."""
    assert found["lengths"] == found["asked"]
    assert found["shipped"] == ([256] * 3 if t5 else found["asked"])
    assert found["shape"] and found["family"] == [family] * 2
    assert found["schedule"] < 1e-6 and found["growth"][0] == found["growth"][1]
    assert found["text"] < 1e-5
    assert found["pooled"] is None or found["pooled"] < 1e-5
    # ComfyUI gives denoised latents; getting the prediction back divides by sigma, 0.03 and more here.
    assert max(found["predicted"], found["plain"], found["one"]) < 1e-4
    assert found["encoded"] < 1e-4 and found["decoded"] <= 1
    assert found["drawn"] < 1e-4
    assert found["digest"]


def test_a_lora_of_any_kind_is_applied_as_the_command_line_applies_it(host, base):
    result = host.run("flow_loras", **base)
    for name, made in result["found"].items():
        assert made["changed"] > 1e-3, name
        assert made["apart"] < 1e-4 and made["left"] < 1e-4, (name, made)
        assert made["matched"][0] == made["matched"][1] > 0, (name, made)
        assert made["norm"][0] == pytest.approx(made["norm"][1], rel=1e-5), name
    require_same_by_loader(result["by_loader"], base["family"])
    for name, (here, there) in result["refused"].items():
        assert here is not None and here == there, (name, here, there)


LOADED = {"kohya", "ComfyUI", "LoKr", "LoHa", "DoRA by input", "whole"}
"""Kinds of files that ComfyUI's own loader applies whole to every family; to some of them more."""
BY_OUTPUT = {"DoRA", "DoRA of PEFT"}
"""Those whose magnitudes it divides by the norm of the base's weights, and those who train them by that of the sum."""


def require_same_by_loader(found: dict, family: str) -> None:
    """Fail unless what ComfyUI's own loader, which another hand wrote, applies whole is what a file means here."""
    assert found.keys() >= LOADED | ({"text conditioner"} if family == "anima" else set())
    whole = {name for name, loader in found.items() if loader["matched"] >= loader["layers"] > 0}
    assert whole >= LOADED
    for name in whole - BY_OUTPUT:
        assert found[name]["apart"] < 1e-4 and found[name]["family"] == family, (name, found[name])


def test_the_node_reads_what_the_command_line_reads_by_name_and_as_tuned_model(host, base, tmp_path):
    folder = host.home / "output" / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    file = lora(Path(base["file"]), folder / "tiny.safetensors")
    expected = command_line(file, base["folder"], tmp_path)
    # Guided predictions of Qwen-Image are others in diffusers' pipeline; with a Lightning no program guides.
    # ComfyUI has every Z-Image at the times of a Turbo, which are only those of what comes from one.
    name = Path(base["folder"]).name
    loader = {} if name == base["family"] else {"unet_name": name}
    report, of_graph = host.run("audit_flow", lora=file.name, loader=loader, **base)["reports"]
    # ComfyUI knows for which size a family is made, the command line for which the tiny base was.
    assert report["plan"] == {**expected["plan"], "resolution": 64}
    assert report["verdict"]["decision"] == expected["verdict"]["decision"] != "INVALID"
    assert {**report["adapter"], "delta_norm": 0} == {**expected["adapter"], "delta_norm": 0}
    assert report["adapter"]["delta_norm"] == pytest.approx(expected["adapter"]["delta_norm"], rel=1e-5)
    # Six grey pictures of noise: a byte that rounds the other way moves an interval of their colours a little more.
    assert len(numbers(expected)) > 20 and not apart(report, expected, shift=5e-3)
    assert (of_graph["adapter"]["name"], of_graph["adapter"]["format"]) == ("tiny", "ComfyUI patches")
    assert of_graph["plan"] == report["plan"] and not apart(of_graph, expected, shift=5e-3)


def command_line(file: Path, base: str, folder: Path) -> dict:
    """Return the report of `owf-audit` on a LoRA file and a base."""
    script = Path(__file__).resolve().parents[1] / "support" / "brief_audit.py"
    places = [
        "--base",
        base,
        "--out",
        str(folder / "cli"),
        "--cache",
        str(folder / "cache"),
        "--device",
        "cpu",
        "--offline",
    ]
    command = [sys.executable, str(script), str(file), *places, "--metrics", METRICS, "--progress", "none"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert result.returncode in (0, 1, 3), result.stderr
    (report,) = (folder / "cli").glob("*/report.json")
    return json.loads(report.read_text())
