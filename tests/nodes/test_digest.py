"""What a base is known by, on models that only say what ComfyUI's say of themselves."""

import pytest


def test_what_comfyui_gives_every_clip_is_no_patch(stub):
    found = stub.run("born_digest")
    assert len(set(found["now"])) == 1 and len(set(found["before"])) == 1


@pytest.mark.parametrize(
    "change",
    [
        "another type of CLIP",
        "no type of CLIP",
        "one more object of CLIP",
        "one object less of CLIP",
        "CLIP cast otherwise",
        "weights of CLIP",
        "hooks of CLIP",
        "a MODEL as CLIPs are born",
        "another type of MODEL",
    ],
)
def test_what_somebody_else_set_counts(stub, change):
    found = stub.run("changed_digest", change)
    # Nothing tells two patches apart, so no two audits of such a base share a result.
    assert len({found["plain"], *found["changed"]}) == 3


def test_a_schedule_is_part_of_the_base_and_an_unused_projection_is_not(stub):
    found = stub.run("schedule_digest")
    assert found["plain"] != found["steeper"]
    for one, two, changed in (found["sd1"], found["sd3"]):
        assert one == two != changed


def test_what_is_said_of_images_that_are_not_finite_follows_what_was_seen(stub):
    half, whole, before = stub.run("overflow")["said"]
    assert "float16: start ComfyUI with --fp32-vae" in half
    assert whole.endswith("the VAE computes in float32.")
    assert before == "The drawn latents contain NaN or infinite values; MODEL computes in float16."
