"""The nodes that read files and reports, on the real executor."""

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
