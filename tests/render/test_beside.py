"""What is left beside a LoRA says what its audits came to, and replaces nothing that is somebody's."""

import dataclasses
import json
import math

import pytest
import report_samples as samples
from owf.core.render.beside import Said, write_note, write_preview
from owf.core.verdict.report import ImagePair
from PIL import Image


def said(strength=1.0, verdict="DRIFT", report=None, folder=None):
    return Said(strength, verdict, ("because",), report, folder)


def drawn(folder):
    """Draw the first pair of the sample report: black and white."""
    report = samples.report((ImagePair("a dog", 0, 9.0, "images/base.png", "images/tuned.png"),))
    for name, color in ((report.pairs[0].base, "black"), (report.pairs[0].tuned, "white")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), color).save(folder / name)
    return said(report=report, folder=folder)


def test_the_note_speaks_with_the_strength_nearest_to_1_and_has_all(tmp_path):
    audits = [said(0.9, "PASS", samples.report(), tmp_path), said(0.5, "INVALID"), said(2.0)]
    path = write_note(tmp_path / "a.b.safetensors", "9f", audits)
    assert path == tmp_path / "a.b.owf.json"
    data = json.loads(path.read_text())
    assert (data["verdict"], data["strength"], data["sha256"]) == ("PASS", 0.9, "9f")
    assert [audit["strength"] for audit in data["audits"]] == [0.5, 0.9, 2.0]
    assert "numbers" not in data["audits"][0] and data["audits"][0]["reasons"] == ["because"]
    seen = data["audits"][1]["numbers"]["color.cdi"]
    estimate = samples.report().measurements["color"].estimates["cdi"]
    assert (seen["value"], seen["low"], seen["high"]) == (estimate.value, estimate.low, estimate.high)
    assert (seen["limit"] is None) == (seen["decision"] == "")


@pytest.mark.parametrize("report", [samples.open_report(), samples.hostile_report()])
def test_any_report_makes_a_note_that_is_json(tmp_path, report):
    text = write_note(tmp_path / "a.safetensors", "", [said(report=report)]).read_text()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    for audit in data["audits"]:
        assert all(n["value"] is None or math.isfinite(n["value"]) for n in audit["numbers"].values())
    assert "\\u001b" not in text and "\\u202e" not in text


def test_a_folder_is_named_whole(tmp_path):
    (tmp_path / "v1.5").mkdir()
    assert write_note(tmp_path / "v1.5", "", [said()]).name == "v1.5.owf.json"


def test_the_preview_is_the_most_changed_pair(tmp_path):
    path = write_preview(tmp_path / "a.safetensors", [drawn(tmp_path / "report")])
    with Image.open(path) as picture:
        assert picture.getpixel((10, 10)) == (0, 0, 0)
        assert picture.getpixel((picture.width - 10, 10)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["a.png", "a.preview.jpeg", "a.webp"])
def test_a_picture_that_is_there_stays_the_only_one(tmp_path, name):
    (tmp_path / name).write_text("mine")
    assert write_preview(tmp_path / "a.safetensors", [drawn(tmp_path / "report")]) is None
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == [name]


def test_without_pictures_there_is_no_preview(tmp_path):
    assert write_preview(tmp_path / "a.safetensors", [said()]) is None
    gone = dataclasses.replace(drawn(tmp_path / "report"), folder=tmp_path)
    assert write_preview(tmp_path / "a.safetensors", [gone]) is None
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
