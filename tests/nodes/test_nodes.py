"""Nodes that need no model, walked as a graph on the stub host."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_inspecting_a_lora_tells_what_is_in_it(stub):
    code = """
node = NODES["OWF_InspectLoRA"]
out = node.execute("[demo] owf_demo_plain.safetensors")
text, picture, trigger = out.args
answer(text=text, shape=list(picture.shape), low=float(picture.min()), high=float(picture.max()), trigger=trigger,
       kind=out.ui["owf"][0]["kind"], mark=node.fingerprint_inputs("[demo] owf_demo_plain.safetensors"))
"""
    found = stub.run(code)
    assert "family: demo" in found["text"] and "rank / alpha" in found["text"]
    assert found["shape"][0] == 1 and found["shape"][3] == 3
    assert 0 <= found["low"] < 0.6 and found["high"] == 1
    assert "sks" in found["trigger"] and found["kind"] == "facts" and found["mark"]


def test_a_changed_file_is_noticed(stub):
    lora = stub.home / "loras" / "mine.safetensors"
    lora.write_bytes((ROOT / "demo" / "lora" / "owf_demo_plain.safetensors").read_bytes())
    code = 'answer(mark=NODES["OWF_InspectLoRA"].fingerprint_inputs("mine.safetensors"))'
    before = stub.run(code)["mark"]
    lora.write_bytes(lora.read_bytes() + b"\0")
    assert stub.run(code)["mark"] != before


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "unknown.safetensors"])
def test_a_lora_outside_the_list_is_refused(stub, name):
    (stub.home / "secret.safetensors").write_bytes(b"x")
    code = f"""
try:
    pack("nodes.backend.places").lora_path({name!r})
except pack("core.errors").UsageError as error:
    answer(said=str(error))
"""
    assert "not among" in stub.run(code)["said"]


@pytest.mark.parametrize("name", ["..", "../output", "/etc", "missing"])
def test_folders_outside_the_input_folder_are_refused(stub, name):
    code = f"""
try:
    pack("nodes.backend.places").input_folder({name!r})
except pack("core.errors").UsageError as error:
    answer(said=str(error))
"""
    assert "below ComfyUI's input folder" in stub.run(code)["said"]


def test_pictures_that_are_not_trained_on_are_said(stub):
    folder = stub.home / "input" / "bag"
    (folder / "10_sks bag" / "deeper").mkdir(parents=True)
    (folder / "a.png").touch()
    (folder / "b.heic").touch()
    code = """
session, plan = pack("core.train.session"), pack("core.train.plan").TrainPlan(class_word="bag")
mark = pack("nodes.backend.places").folder_mark(pack("nodes.backend.places").input_folder("bag"))
folder = pack("nodes.backend.places").input_folder("bag")
left_out = lambda pictures: session.TrainSession(session.TrainRequest(plan, pictures)).left_out()
answer(folder=left_out(folder), batch=left_out(()), mark=mark)
"""
    found = stub.run(code)
    assert "b.heic" in found["folder"][0] and "10_sks bag/deeper" in found["folder"][0]
    assert found["batch"] == []
    (folder / "10_sks bag" / "a.txt").touch()
    assert stub.run(code)["mark"] != found["mark"]


def test_the_meter_names_what_changed_and_what_is_too_few(stub):
    code = """
import torch
generator = torch.Generator().manual_seed(0)
dark = torch.rand(6, 8, 8, 3, generator=generator) * 0.2
light = dark + 0.7
out = NODES["OWF_CDIKIDMeter"].execute(dark, light, "none", 0)
cdi, kid, text, chart = out.args
answer(cdi=cdi, text=text, shape=list(chart.shape), panel=out.ui["owf"][0], isnan=kid != kid)
"""
    found = stub.run(code)
    assert found["cdi"] > 40 and found["isnan"]
    assert "black" in found["text"].lower() and "6 images are few" in found["text"]
    assert found["panel"]["kind"] == "meter" and len(found["panel"]["terms"]) == 5
    assert found["shape"][0] == 1


def test_a_cancelled_meter_does_nothing(stub):
    code = """
import comfy.model_management as management
management.interrupted = True
try:
    NODES["OWF_CDIKIDMeter"].execute(None, None, "none", 0)
except management.InterruptProcessingException:
    answer(stopped=True)
"""
    assert stub.run(code)["stopped"]


def test_the_prompt_bank_joins_shipped_and_own_prompts_once(stub):
    code = """
node = NODES["OWF_PromptBank"]
bank, text = node.execute("demo base", " a  lamp \\n# no prompt\\n\\na lamp").args
own, _ = node.execute("only my own", "a lamp").args
try:
    node.execute("only my own", "# nothing")
except pack("core.errors").UsageError as error:
    said = str(error)
answer(count=len(bank), last=bank[-1], lines=len(text.splitlines()), own=list(own), said=said)
"""
    found = stub.run(code)
    assert found["count"] == found["lines"] > 50
    assert found["last"] == "a lamp" and found["own"] == ["a lamp"]
    assert "empty" in found["said"]


REPORT = """
import dataclasses
report = pack("core.verdict.report")
verdict = pack("core.verdict.verdict")
measurement = pack("core.metrics.measurement")
estimate = measurement.Estimate(0.03, 0.02, 0.04, 8, "relative", 1e-9)
drift = measurement.Measurement("denoiser_drift", 1, "drift", {"drift": estimate})
made = report.Report(
    verdict=verdict.judge({"denoiser_drift": drift}),
    base=report.BaseRecord("base", "demo", "ab"),
    adapter=report.AdapterRecord("<b>evil</b>", "cd", "kohya", "lora", "demo", 1.0, 2, 0, 0.1),
    plan={}, plan_digest="ef", measurements={"denoiser_drift": drift}, pairs=PAIRS, environment={}, timing={}, cost={})
text = report.to_json(made)
"""


def test_a_report_is_shown_and_found_again(stub):
    code = (
        "PAIRS = ()\n"
        + REPORT
        + """
out = NODES["OWF_ShowReport"].execute(text)
panel = out.ui["owf"][0]
name = pack("nodes.backend.places").report_choices()[0]
again, decision, sheet = NODES["OWF_LoadReport"].execute(name).args
answer(verdict=out.args[0].splitlines()[0], panel=panel, same=again == text, decision=decision, shape=list(sheet.shape))
"""
    )
    found = stub.run(code)
    assert found["verdict"] == found["decision"] == found["panel"]["verdict"] == "DRIFT"
    assert found["same"]
    (bar,) = found["panel"]["bars"]
    assert 0 <= bar["at"]["limit"] < bar["at"]["low"] < bar["at"]["value"] < bar["at"]["high"] <= 100
    assert found["panel"]["report"].startswith("/view?filename=report.html&subfolder=owf%2F")
    page = next((stub.home / "output" / "owf").glob("*/report.html")).read_text()
    assert "<b>evil</b>" not in page


def test_an_invalid_report_names_the_inputs_that_would_help(stub):
    code = (
        "PAIRS = ()\n"
        + REPORT
        + """
from types import SimpleNamespace
setting = pack("core.errors").Setting
bad = verdict.invalid("Use more.", setting("per_class"), setting("images"), setting("base"))
made = dataclasses.replace(made, verdict=bad, measurements={}, status="invalid")
folder = Path(pack("nodes.backend.places").reports_folder(), "x")
result = pack("nodes.run").AuditResult(made, folder, SimpleNamespace(model="MODEL", clip="CLIP"))
out = pack("nodes.audit").answer(result, "unless PASS")
answer(panel=out.ui["owf"][0]["reasons"], gate=out.args[5].message, report=out.args[1])
"""
    )
    found = stub.run(code)
    assert found["panel"] == ["Use more (per_class, probe_folder, model)."]
    assert found["panel"][0] in found["gate"]
    assert '"Use more."' in found["report"]


def test_a_silent_alarm_is_no_green_bar(stub):
    code = """
verdict, measurement, panel = pack("core.verdict.verdict"), pack("core.metrics.measurement"), pack("core.render.bars")
worst = measurement.Estimate(0.733, 0.1, 1.0, 6, "share", 0.4)
drop = measurement.Estimate(0.01, 0.0, 0.02, 60, "share", 0.0)
seen = measurement.Measurement("semantic", 1, "accuracy_drop", {"accuracy_drop": drop, "worst_class_drop": worst})
judged = verdict.judge({"semantic": seen})
bars = [panel.bar(j.estimate, seen.estimates[j.estimate], j) for j in judged.judgements]
sheet = pack("core.render.pictures.sheet").chart_sheet("title", judged.decision, [], bars)
colors = {color for _, color in sheet.getcolors(1 << 20)}
answer(decision=judged.decision, states=[b["state"] for b in bars], notes=[b["note"] for b in bars],
       grey=(0x6A, 0x71, 0x7C) in colors)
"""
    found = stub.run(code)
    assert found["decision"] == "PASS" and found["states"] == ["PASS", "NO ALARM"] and found["grey"]
    assert found["notes"][0] == "" and "no alarm" in found["notes"][1] and "not beyond chance" in found["notes"][1]
    style, script = ((ROOT / "web" / name).read_text() for name in ("owf.css", "owf.js"))
    assert 'replaceAll(" ", "-")' in script and ".owf-NO-ALARM" in style


def test_pictures_outside_the_report_are_not_offered(stub):
    pairs = 'PAIRS = (pack("core.verdict.report").ImagePair("p", 0, 1.0, "../../../secret.png", "images/a.png"),)\n'
    code = pairs + REPORT + 'answer(panel=NODES["OWF_ShowReport"].execute(text).ui["owf"][0])'
    assert stub.run(code)["panel"]["pairs"] == []


@pytest.mark.parametrize(("stop", "blocked"), [("never", False), ("on DRIFT or INVALID", True), ("unless PASS", True)])
def test_the_gate(stub, stop, blocked):
    code = (
        "PAIRS = ()\n"
        + REPORT
        + f"""
from types import SimpleNamespace
folder = Path(pack("nodes.backend.places").reports_folder(), "x"); folder.mkdir(parents=True)
result = pack("nodes.run").AuditResult(made, folder, SimpleNamespace(model="MODEL", clip="CLIP"))
out = pack("nodes.audit").answer(result, {stop!r})
model, base_images = out.args[5], out.args[3]
answer(message=getattr(model, "message", None), model=str(model), silent=base_images.message)
"""
    )
    found = stub.run(code)
    assert (found["model"] != "MODEL") == blocked
    assert not blocked or "DRIFT" in found["message"]
    assert found["silent"] is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [("metrics='colour'", "metrics"), ("preset='huge'", "preset"), ("per_class=-1", "fewer than 0")],
)
def test_wrong_settings_say_what_to_change(stub, settings, said):
    code = f"""
request = pack("nodes.request")
asked = dict(preset="quick", seed=0, metrics="", per_class=0, guidance_scale=0, features="auto", probe_folder="")
try:
    pack("core.audit.session").plan_for(request.audit_request(**asked | dict({settings})), "sd15", 512)
except pack("core.errors").UsageError as error:
    answer(said=str(error))
"""
    assert said in stub.run(code)["said"]


def test_probe_images_need_a_label_each(stub):
    code = """
import torch
request, error = pack("nodes.request"), pack("core.errors").UsageError
said = []
for labels in ("cat", "cat, cat"):
    try:
        request.label_images(torch.rand(2, 8, 12, 3), labels, 16)
    except error as wrong:
        said.append(str(wrong))
made = request.label_images(torch.rand(2, 8, 12, 3), "dog\\ncat", 16)
answer(said=said, classes=made.classes, labels=made.labels.tolist(), shape=list(made.images.shape))
"""
    found = stub.run(code)
    assert "names 1 classes for 2" in found["said"][0] and "two different" in found["said"][1]
    assert found["classes"] == ["cat", "dog"] and found["labels"] == [1, 0]
    assert found["shape"] == [2, 3, 16, 16]


def test_a_finished_lora_never_replaces_another(stub):
    code = """
training = pack("nodes.training")
paths = []
for content in ("one", "two", "one"):
    made = Path(pack("nodes.backend.places").output_folder(), "made.safetensors")
    made.write_text(content)
    paths.append(training.publish(made, "mine").name)
answer(paths=paths)
"""
    assert stub.run(code)["paths"] == ["mine.safetensors", "mine_2.safetensors", "mine.safetensors"]


def test_captions_are_one_for_all_or_one_for_each(stub):
    code = """
training, TrainPlan = pack("nodes.training"), pack("core.train.plan").TrainPlan
plan = TrainPlan(trigger="sks", class_word="bag")
captions = [training.captions_for(text, 2, plan) for text in ("", "one", "one\\n\\ntwo")]
try:
    training.captions_for("1\\n2\\n3", 2, plan)
except pack("core.errors").UsageError as error:
    answer(captions=captions, said=str(error))
"""
    found = stub.run(code)
    assert found["captions"] == [["a photo of a sks bag"] * 2, ["one", "one"], ["one", "two"]]
    assert "3 lines for 2 images" in found["said"]


def test_a_change_anywhere_in_a_folder_is_noticed_and_links_end(stub):
    deep = stub.home / "input" / "photos" / "a" / "b"
    deep.mkdir(parents=True)
    elsewhere = stub.home / "elsewhere"
    elsewhere.mkdir()
    (stub.home / "input" / "photos" / "linked").symlink_to(elsewhere, target_is_directory=True)
    (deep / "back").symlink_to(stub.home / "input" / "photos", target_is_directory=True)
    code = 'places = pack("nodes.backend.places")\nanswer(mark=places.folder_mark(places.input_folder("photos")))'
    marks = [stub.run(code)["mark"]]
    for file in (deep / "1.png", elsewhere / "2.png", elsewhere / "2.txt"):
        file.write_bytes(b"x")
        marks.append(stub.run(code)["mark"])
    assert len(set(marks)) == 4


def test_a_picture_that_cannot_be_read_is_named(stub):
    (stub.home / "broken.png").write_bytes(b"no picture")
    code = f"""
try:
    pack("nodes.backend.images").read_pictures([Path({str(stub.home / "broken.png")!r})])
except pack("core.errors").UsageError as error:
    answer(said=str(error))
"""
    assert "broken.png" in stub.run(code)["said"]
