"""Nodes that need no model, walked as a graph on the stub host."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_inspecting_a_lora_tells_what_is_in_it(stub):
    found = stub.run("inspect_lora", "[demo] owf_demo_plain.safetensors")
    assert "family: demo" in found["text"] and "rank / alpha" in found["text"]
    assert found["shape"][0] == 1 and found["shape"][3] == 3
    assert 0 <= found["low"] < 0.6 and found["high"] == 1
    assert "sks" in found["trigger"] and found["kind"] == "facts" and found["mark"]


def test_a_changed_file_is_noticed(stub):
    lora = stub.home / "loras" / "mine.safetensors"
    lora.write_bytes((ROOT / "demo" / "lora" / "owf_demo_plain.safetensors").read_bytes())
    before = stub.run("lora_mark", "mine.safetensors")["mark"]
    lora.write_bytes(lora.read_bytes() + b"\0")
    assert stub.run("lora_mark", "mine.safetensors")["mark"] != before


@pytest.mark.parametrize("content", [b"", b"no LoRA", b"\x08" + bytes(7) + b"{       ", b"\x02" + bytes(7) + b"{}"])
def test_whatever_is_wrong_with_a_lora_names_its_file_once(stub, content):
    (stub.home / "loras" / "half.safetensors").write_bytes(content)
    said = stub.run("broken_lora", "half.safetensors")["said"]
    read, *hosts, inspected, gone, named = said
    assert read == inspected and read[0] == "AdapterError"
    wrong = read[1].removeprefix("half.safetensors: ").rstrip(".")
    assert all(host == ["UsageError", f"half.safetensors: ComfyUI cannot read it: {wrong}.", 0] for host in hosts)
    assert gone[1] == "half.safetensors: No such file or directory. Check the path."
    assert named == ["AdapterError", "half.safetensors: it is broken", 1]
    assert all(text.startswith("half.safetensors: ") and text.count("half.safetensors") == 1 for _, text, _ in said)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "unknown.safetensors"])
def test_a_lora_outside_the_list_is_refused(stub, name):
    (stub.home / "secret.safetensors").write_bytes(b"x")
    assert "not among" in stub.run("refused_place", "lora_path", name)["said"]


@pytest.mark.parametrize("name", ["..", "../output", "/etc", "missing"])
def test_folders_outside_the_input_folder_are_refused(stub, name):
    assert "below ComfyUI's input folder" in stub.run("refused_place", "input_folder", name)["said"]


def test_pictures_that_are_not_trained_on_are_said(stub):
    folder = stub.home / "input" / "bag"
    (folder / "10_sks bag" / "deeper").mkdir(parents=True)
    (folder / "a.png").touch()
    (folder / "b.heic").touch()
    found = stub.run("left_out_pictures", "bag")
    assert "b.heic" in found["folder"][0] and "10_sks bag/deeper" in found["folder"][0]
    assert found["batch"] == []
    (folder / "10_sks bag" / "a.txt").touch()
    assert stub.run("left_out_pictures", "bag")["mark"] != found["mark"]


def test_the_meter_names_what_changed_and_what_is_too_few(stub):
    found = stub.run("meter")
    assert found["cdi"] > 40 and found["isnan"]
    assert "black" in found["text"].lower() and "6 images are few" in found["text"]
    assert found["panel"]["kind"] == "meter" and len(found["panel"]["terms"]) == 5
    assert found["shape"][0] == 1


def test_a_cancelled_meter_does_nothing(stub):
    assert stub.run("cancelled_meter")["stopped"]


def test_the_prompt_bank_joins_shipped_and_own_prompts_once(stub):
    found = stub.run("prompt_bank")
    assert found["count"] == found["lines"] > 50
    assert found["last"] == "a lamp" and found["own"] == ["a lamp"]
    assert "empty" in found["said"]


def test_a_report_is_shown_and_found_again(stub):
    found = stub.run("show_report")
    assert found["verdict"] == found["decision"] == found["panel"]["verdict"] == "DRIFT"
    assert found["same"]
    (bar,) = found["panel"]["bars"]
    assert 0 <= bar["at"]["limit"] < bar["at"]["low"] < bar["at"]["value"] < bar["at"]["high"] <= 100
    assert found["panel"]["report"].startswith("/view?filename=report.html&subfolder=owf%2F")
    page = next((stub.home / "output" / "owf").glob("*/report.html")).read_text()
    assert "<b>evil</b>" not in page


def test_an_audit_that_is_remembered_says_so_and_from_when(stub):
    new, old = stub.run("remembered_report")["notes"]
    assert new == []
    assert old == [
        "Remembered from 2026-11-26 09:30: the file, the base and the plan are the same, so nothing was measured."
    ]


def test_an_audit_says_what_it_would_cost_before_it_is_queued(stub):
    found = stub.run("forecast")
    assert found["new"].startswith("On a new base: ") and "for the base (once, then cached)." in found["new"]
    assert "About" not in found["new"]  # nothing was measured yet
    assert found["cached"].startswith("On My <base>: ") and "the base's are cached. About" in found["cached"]
    assert found["half"].startswith("On My <base>: ") and "832 of 1,664 for the base" in found["half"]
    assert "About" not in found["half"]  # nothing was measured since
    assert "for the base" in found["other"] and "for the base" in found["bigger"]  # other questions
    same, *others = found["remembered"]
    assert same.startswith("On My <base>: 0 rows. Its report is remembered and comes at once.")
    assert not any("remembered" in said for said in others)
    assert ["the base's are cached" in said for said in others] == [True, False, True, True, False]
    assert found["times"] == ["a minute or less", "13 min", "2.5 h"]
    assert found["known"][0].endswith("The ledger has it: DRIFT at strength 1 on My base.")
    assert found["known"][1] == found["cached"]  # what drifts at 1 says nothing of a weaker strength
    unknown, no_number, gone = found["wrong"]
    assert unknown.startswith("Unknown preset 'no'") and "not among ComfyUI's LoRA files" in gone
    assert no_number == found["pace"] == ""
    assert all(said == "There is no folder 'missing' below ComfyUI's input folder." for said in found["folders"])
    same, other, demo = found["bases"]
    assert same == found["cached"] and other.startswith(
        "On other.safetensors: 384 rows of the denoiser for the LoRA, 1,664 for"
    )
    assert demo.startswith("On OWF demo base: 360 rows of the denoiser") and "About" not in demo
    strengths, loras, none = found["many"]
    for said in (strengths, loras):
        assert (
            "384 rows of the denoiser for each of 2 audits, the base's are cached. What is remembered costs nothing."
            in said
        )
    assert none.startswith("strengths has 'x'")
    assert found["served"] == [{"text": found["cached"]}, {"text": unknown}]


def test_what_a_run_is_about_to_do_stands_beside_its_progress(stub):
    found = stub.run("told_progress")
    assert set(found["told"]) == {"5 rows, and nothing is cached."} and found["done"] == 4
    assert found["pictures"] == [True] and found["moves"] == [None]
    assert found["share"] == 0.8 and found["resumes"] == [False, True]
    assert found["before"] is None and found["pace"]


def test_an_invalid_report_names_the_inputs_that_would_help(stub):
    found = stub.run("invalid_report")
    assert found["panel"] == ["Use more (per_class, probe_folder, model)."]
    assert found["gate"] is None and "unless PASS" in found["notes"][0]
    assert '"Use more."' in found["report"]


def test_a_silent_alarm_is_no_green_bar(stub):
    found = stub.run("silent_alarm")
    assert found["decision"] == "PASS" and found["states"] == ["PASS", "NO ALARM"] and found["grey"]
    assert found["notes"][0] == "" and "no alarm" in found["notes"][1] and "interval reaches below" in found["notes"][1]
    assert found["limits"] == ["limit", "alarm"]
    assert found["floors"] == ["<0.0001 %", "2 %"]  # the digits of what arithmetic alone leaves say nothing
    style, script = ((ROOT / "web" / name).read_text() for name in ("owf.css", "panels.js"))
    assert 'replaceAll(" ", "-")' in script and ".owf-NO-ALARM" in style


def test_pictures_outside_the_report_are_not_offered(stub):
    assert stub.run("pairs_outside")["panel"]["pairs"] == []


@pytest.mark.parametrize(("stop", "blocked"), [("never", False), ("on DRIFT or INVALID", True), ("unless PASS", True)])
def test_the_gate(stub, stop, blocked):
    found = stub.run("gate", stop, 0.1, True)
    assert (found["model"] != "MODEL") == blocked
    assert found["message"] is None and found["silent"] is None  # an error of what is connected would say nothing more
    assert found["notes"] == (
        [f"The gate is closed ({stop}): nothing runs that is connected to model or clip."] * blocked
    )
    assert ("said DRIFT. The gate is closed" in found["log"]) == blocked


@pytest.mark.parametrize(
    ("stop", "whole", "blocked"),
    [
        ("never", False, False),
        ("on DRIFT or INVALID", False, False),
        ("unless PASS", False, True),
        ("unless PASS", True, False),
    ],
)
def test_a_pass_of_one_metric_opens_no_gate_that_asks_for_pass_and_is_not_green(stub, stop, whole, blocked):
    found = stub.run("gate", stop, 0.0001, whole)
    shown = ("PASS", "PASS") if whole else ("PASS, in part", "UNKNOWN")
    assert found["verdict"] == shown[0] and (found["model"] != "MODEL") == blocked
    assert (found["outcome"], found["state"]) == shown
    said = "Not judged: Damage map, Knowledge, Colour shift, Texture and content. A whole audit judges them too"
    assert [note.startswith(said) for note in found["notes"]] == [False] * blocked + [True] * (not whole)


NO_SOURCE = "Choose a LoRA by name, or connect tuned_model (and tuned_clip): one of the two."
LORA = "[demo] owf_demo_plain.safetensors"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lora": LORA}, True),
        ({"lora": "none", "tuned_model": None}, True),
        ({"lora": None, "metrics": None, "policy": None}, True),  # linked: their values are not known yet
        ({}, NO_SOURCE),
        ({"lora": "none"}, NO_SOURCE),
        ({"lora": LORA, "tuned_clip": None}, NO_SOURCE),
        ({"lora": "gone.safetensors"}, "not among ComfyUI's LoRA files"),
        ({"lora": LORA, "metrics": "kid, colour"}, "'colour'"),
        ({"lora": LORA, "policy": "[[limit]"}, "policy of the node"),
        ({"lora": LORA, "policy": '[[limit]]\nmetric = "kid"'}, "policy of the node"),
    ],
)
def test_a_wrong_audit_is_said_before_anything_is_loaded(stub, given, said):
    found = stub.run("validated", "OWF_DriftAudit", given)
    assert found["said"] == said or (isinstance(said, str) and said in found["said"])
    assert found["heavy"] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"folder": "[demo] concept", "preset": "plain", "preserve": "junk"}, True),  # not asked for
        ({"images": None, "folder": "", "preset": "as in preserve", "preserve": "dc, prior"}, True),
        ({"images": None, "folder": None}, True),
        ({"folder": ""}, "Connect images or name a folder, one of the two."),
        ({"images": None, "folder": "bag"}, "Connect images or name a folder, one of the two."),
        ({"folder": "missing"}, "no folder 'missing'"),
        ({"images": None, "preset": "as in preserve", "preserve": "dc, junk"}, "Unknown term 'junk'"),
        ({"images": None, "preset": "everything"}, "Unknown preset 'everything'"),
    ],
)
def test_a_wrong_training_is_said_before_anything_is_loaded(stub, given, said):
    found = stub.run("validated", "OWF_TrainLoRADC", given)
    assert found["said"] == said or (isinstance(said, str) and said in found["said"])
    assert found["heavy"] == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"metrics": "colour"}, "metrics"), ({"preset": "huge"}, "preset"), ({"per_class": -1}, "Between 0 and 100000")],
)
def test_wrong_settings_say_what_to_change(stub, settings, said):
    assert said in stub.run("wrong_settings", settings)["said"]


def test_references_are_a_folder_of_pictures_below_the_input_folder(stub):
    folder = stub.home / "input" / "mine"
    folder.mkdir(parents=True)
    assert "mine" in stub.run("references", "", "mine", "")["said"]  # no picture in it
    (folder / "a.png").touch()
    (folder / "b.heic").touch()
    found = stub.run("references", " sks dog, dog ", "mine", "ViT-B-32/openai ")
    assert (found["concept"], found["references"]) == (["sks dog", "dog"], "mine") and "b.heic" in found["log"]
    assert found["open_clip"] == "ViT-B-32/openai"
    none = stub.run("references", "", "", "")
    assert (none["concept"], none["references"], none["open_clip"]) == ([], "", "")
    assert "below ComfyUI's input folder" in stub.run("references", "", "../..", "")["said"]


def test_probe_images_need_a_label_each(stub):
    found = stub.run("probe_labels")
    assert "names 1 classes for 2" in found["said"][0] and "two different" in found["said"][1]
    assert found["classes"] == ["cat", "dog"] and found["labels"] == [1, 0]
    assert found["shape"] == [2, 3, 16, 16]


def test_a_finished_lora_never_replaces_another(stub):
    assert stub.run("published_loras")["paths"] == ["mine.safetensors", "mine_2.safetensors", "mine.safetensors"]


def test_captions_are_one_for_all_or_one_for_each(stub):
    found = stub.run("captions")
    assert found["captions"] == [["a photo of a sks bag"] * 2, ["one", "one"], ["one", "two"]]
    assert "3 lines for 2 images" in found["said"]


def test_a_change_anywhere_in_a_folder_is_noticed_and_links_end(stub):
    deep = stub.home / "input" / "photos" / "a" / "b"
    deep.mkdir(parents=True)
    elsewhere = stub.home / "elsewhere"
    elsewhere.mkdir()
    (stub.home / "input" / "photos" / "linked").symlink_to(elsewhere, target_is_directory=True)
    (deep / "back").symlink_to(stub.home / "input" / "photos", target_is_directory=True)
    marks = [stub.run("folder_mark", "photos")["mark"]]
    for file in (deep / "1.png", elsewhere / "2.png", elsewhere / "2.txt"):
        file.write_bytes(b"x")
        marks.append(stub.run("folder_mark", "photos")["mark"])
    assert len(set(marks)) == 4


def test_a_picture_that_cannot_be_read_is_named(stub):
    (stub.home / "broken.png").write_bytes(b"no picture")
    assert "broken.png" in stub.run("unreadable_picture", str(stub.home / "broken.png"))["said"]


@pytest.mark.parametrize("blocked", ["loras", "owf"])
def test_a_folder_that_cannot_be_written_is_said_before_the_training(stub, blocked):
    (stub.home / "output" / blocked).touch()
    said = stub.run("unwritable_training")["said"]
    assert f"{Path('output', blocked)} is no folder" in said and "(ComfyUI's option --output-directory)" in said


def test_what_is_no_number_is_refused_before_anything_is_measured(stub):
    """A link may bring one, such as the meter's KID without features, and ComfyUI checks no link."""
    nan = "strength is nan: give it a number."
    guidance = "guidance_scale is nan: give it a number."
    assert stub.run("no_number")["said"] == [nan, "strength is inf: give it a number.", nan, guidance]
