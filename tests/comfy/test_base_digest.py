"""What a base is known by on today's ComfyUI: measured once for every LoRA, and anew for what somebody changed."""

from graphs import DEMO, audit


def test_two_loads_of_one_base_are_one_base_and_a_type_that_somebody_set_is_another(host):
    found = host.run("digests_of_loads")
    assert not found["patched"], found["born"]
    assert found["parts"] == [False, False]
    assert found["plain"] == found["again"]
    assert len({found["plain"], found["levelled"], *found["others"]}) == 6


def test_a_second_lora_asks_nothing_of_the_base_and_a_cancelled_audit_goes_on(host):
    prompt = {"1": DEMO, "2": audit(metrics="denoiser_drift", per_class=1)}
    found = host.run("counted_rows", prompt=prompt, stage="LoRA: predicting")
    assert found["stopped"]
    base, made = found["cancelled"]
    whole = found["second"][1]
    assert base > 0 and 0 < made < whole
    # What was cancelled is kept but for the batch that ran, and the base is not asked again.
    assert found["resumed"][0] == 0 and whole - made <= found["resumed"][1] < whole
    assert found["second"][0] == 0
    assert (found["caches"], found["reports"]) == (1, 2)
    # A ComfyUI that was started anew loads the base anew: it is still the same one.
    assert host.run("counted_rows", prompt=prompt, stage="none")["cancelled"][0] == 0


def test_a_lora_on_another_base_has_a_report_of_its_own(host):
    plain = {"1": DEMO, "2": audit(metrics="denoiser_drift")}
    skipping = {"class_type": "CLIPSetLastLayer", "inputs": {"clip": ["1", 1], "stop_at_clip_layer": -2}}
    other = {"1": DEMO, "3": skipping, "2": audit(metrics="denoiser_drift", clip=["3", 0])}
    found = host.run("bases_of_reports", prompts=[plain, other, plain])
    assert len(found["bases"]) == len(set(found["bases"])) == 2
    assert found["environment"]["ComfyUI"] and found["environment"]["attention"]
