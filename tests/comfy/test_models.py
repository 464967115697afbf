"""ComfyUI's models as a Denoiser: the demo base as diffusers answers, SDXL, v and flow by their definitions."""


def test_the_demo_base_answers_as_it_does_in_diffusers(host):
    found = host.run("demo_answers")
    # Float32 sums in another order: a few units in the seventh digit, growing with depth.
    assert found["text"] < 2e-6 and found["encoded"] < 2e-6
    assert found["predicted"] < 1e-5 and found["plain"] < 1e-5
    assert found["decoded"] <= 1
    assert found["schedule"] < 1e-6
    assert found["digest"] and found["order"] and found["shape"]


def check(host, kind: str, name: str):
    found = host.run("sdxl_answers", kind=kind)
    assert (found["kind"], found["family"]) == (name, "sdxl")
    assert found["context"] == [2, 77, 64] and found["pooled"] == [2, 32]
    assert found["sizes"] == ["time_embedding.linear_1", "add_embedding.linear_1"], "as LoRAs of LCM and DMD2 name it"
    # ComfyUI gives denoised latents; getting the prediction back divides by sigma, at least 0.1 here.
    assert found["direct"] < 2e-5 and found["one"] < 2e-5
    assert found["bucket"] < 2e-5, "latents of another shape are told their own size"
    assert found["split"] < 1e-4
    assert found["changed"] > 1e-4, "an attention patch must count"
    assert found["back"] == 0, "and must be gone afterwards"


def test_a_skipped_layer_of_clip_is_another_base(host):
    found = host.run("digests")
    assert found["plain"] == found["again"] == found["fresh"] != found["skipping"]
    # Patches are code: nothing tells two of them apart, so no result of such a base is met again.
    assert len({found["plain"], found["injected"], *found["patched"]}) == 4


def test_sdxl_epsilon(host):
    check(host, "EPS", "epsilon")


def test_sdxl_v_prediction(host):
    check(host, "V_PREDICTION", "v_prediction")


def test_flow(host):
    check(host, "FLOW", "flow")


def test_comfyui_is_told_what_memory_a_batch_needs(host):
    found = host.run("asked_memory")
    predicting, training = found["predicting"], found["training"]
    assert [predicting["memory_required"], predicting["minimum_memory_required"]] == found["needs"]
    assert found["needs"][0] > found["needs"][1] and not predicting["force_full_load"]
    # Six images in two parts, so that cancel is heard between them.
    assert [len(load["models"]) for load in found["looking"]] == [1, 1] and found["shape"][0] == 6
    assert training["force_full_load"] and training["memory_required"] > 1e15 and training["models"] == ["BaseModel"]


def test_a_lora_of_any_format_is_applied_as_the_command_line_applies_it(host):
    """ComfyUI's own loader skips some of these files with a line in its log: they would have read as harmless."""
    for name, (apart, changed, left) in host.run("lora_formats").items():
        assert changed > 1e-3, name
        assert apart < 2e-5 and left < 2e-5, (name, apart, left)
