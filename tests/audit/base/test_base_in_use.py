"""Claim: a base is called another one than that of training only where hashes or telling names say so."""

import re
from dataclasses import replace

import pytest
from owf.core import families
from owf.core.adapter.naming.stated.metadata import training
from owf.core.adapter.naming.stated.stated_base import StatedBase, base_digits, stated_base
from owf.core.audit.base.base_in_use import UsedBase, difference, other_clip_skip, other_family, says_something

A, B = "a" * 64, "b" * 64
OLD_A, OLD_B = "1" * 8, "2" * 8


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, StatedBase()),
        (
            {"ss_sd_model_name": "x.safetensors", "ss_sd_model_hash": OLD_A, "ss_new_sd_model_hash": A},
            StatedBase("x.safetensors", A, OLD_A),
        ),
        ({"ss_sd_model_hash": OLD_A}, StatedBase("", "", OLD_A)),
        ({"ss_sd_model_hash": "0x" + A[:10].upper()}, StatedBase("", A[:10], "")),
        ({"ss_sd_model_hash": "IsADirectory", "ss_new_sd_model_hash": "NOFILE"}, StatedBase()),
        ({"ss_sd_model_hash": "e3b0c442", "ss_new_sd_model_hash": "0" * 64}, StatedBase()),  # of nothing, and none
        ({"ss_sd_model_hash": "12345", "ss_new_sd_model_hash": "x" * 64}, StatedBase()),
        ({"ss_sd_model_name": "None", "base_model": "y"}, StatedBase("y")),
        ({"modelspec.base_model": "z", "base_model": "y"}, StatedBase("z")),
    ],
)
def test_what_metadata_say(metadata, expected):
    assert stated_base(training(metadata)) == expected


SAME = [
    (StatedBase(), UsedBase("x")),
    (StatedBase("a.safetensors", A), UsedBase("b.safetensors", A)),
    (StatedBase("a.safetensors", A[:10]), UsedBase("b.safetensors", A)),
    (StatedBase("a.safetensors", "", OLD_A), UsedBase("b.safetensors", "", OLD_A)),
    (StatedBase("a.safetensors", A, OLD_A), UsedBase("b.safetensors", A, OLD_A)),
    (StatedBase("modelX.safetensors"), UsedBase("model_x")),
    (StatedBase("D:\\models\\dreamshaper_8.safetensors"), UsedBase("Lykon/dreamshaper-8")),
    (StatedBase("dreamshaper_8-fp16-pruned.ckpt"), UsedBase("dreamshaper_8.safetensors")),
    (StatedBase("sd_xl_base_1.0_0.9vae.safetensors"), UsedBase("stabilityai/stable-diffusion-xl-base-1.0")),
    (StatedBase("v1-5-pruned-emaonly.safetensors"), UsedBase("stable-diffusion-v1-5/stable-diffusion-v1-5")),
    (StatedBase("runwayml/stable-diffusion-v1-5"), UsedBase("v1-5-pruned.safetensors")),
    (StatedBase("ponyDiffusionV6XL"), UsedBase("ponyDiffusionV6XL_v6StartWithThisOne.safetensors")),
    (StatedBase("麦橘_v1.safetensors"), UsedBase("麦橘 V1")),
    (StatedBase("model.safetensors"), UsedBase("dreamshaper_8")),
    (StatedBase("dreamshaper_8"), UsedBase("model.safetensors")),
    (StatedBase("12345.safetensors"), UsedBase("dreamshaper_8")),
    (StatedBase("Pony"), UsedBase("autismmix")),
    (StatedBase("", A), UsedBase("a folder")),
]


@pytest.mark.parametrize(("stated", "used"), SAME)
def test_nothing_is_said_where_nothing_speaks_against_the_base(stated, used):
    assert difference(stated, used) == ""


OTHER = [
    (StatedBase("a.safetensors", A), UsedBase("a.safetensors", B), "is another file"),
    (StatedBase("a.safetensors", A[:10]), UsedBase("a.safetensors", B), "is another file"),
    (StatedBase("a.safetensors", A, OLD_A), UsedBase("a.safetensors", "", OLD_B), "is another file"),
    (StatedBase("a.safetensors", A, OLD_A), UsedBase("a.safetensors", B, OLD_A), "is another file"),
    (StatedBase("v1-5-pruned.safetensors"), UsedBase("dreamshaper_8.safetensors"), "is called"),
    (StatedBase("illustriousXL_v01"), UsedBase("somebodys_mix_v3"), "is called"),
    (StatedBase("麦橘"), UsedBase("墨幽"), "is called"),
    (StatedBase("dreamshaper_7"), UsedBase("dreamshaper_8"), "is called"),
]


@pytest.mark.parametrize(("stated", "used", "words"), OTHER)
def test_another_base_is_named_with_what_the_file_says(stated, used, words):
    sentence = difference(stated, used)
    assert words in sentence
    assert stated.name in sentence
    assert used.name in sentence


TURBO = {"family": "z_image", "title": "Z-Image-Turbo"}
RAW = {"family": "krea2", "title": "Krea 2 Raw"}
VARIANTS = [
    ("Tongyi-MAI/Z-Image", UsedBase("Tongyi-MAI/Z-Image-Turbo", **TURBO), "Z-Image,", True),
    ("ostris/Z-Image-De-Turbo", UsedBase("z_image_turbo_bf16.safetensors", **TURBO), "Z-Image-De-Turbo,", True),
    ("krea/Krea-2-Raw", UsedBase("x", family="krea2", title="Krea 2 Turbo"), "Krea 2 Raw,", True),
    ("krea/Krea-2-Turbo", UsedBase("krea/Krea-2-Raw", **RAW), "Krea 2 Turbo,", False),
    ("Tongyi-MAI/Z-Image-Turbo", UsedBase("x", family="z_image", title="Z-Image"), "Z-Image-Turbo,", False),
    ("black-forest-labs/FLUX.1-dev", UsedBase("x", family="flux", title="FLUX.1-schnell"), "FLUX.1-dev,", False),
    ("FLUX.1-dev-dedistilled", UsedBase("x", family="flux", title="FLUX.1-dev"), "a de-distilled FLUX.1,", True),
    (
        "black-forest-labs/FLUX.2-klein-base-4B",
        UsedBase("x", family="flux2_klein", title="FLUX.2 klein"),
        "the base of FLUX.2 klein,",
        True,
    ),
    (
        r"D:\models\qwen_image_edit_2509_bf16.safetensors",
        UsedBase("Qwen/Qwen-Image", family="qwen_image", title="Qwen-Image"),
        "Qwen-Image-Edit-2509,",
        False,
    ),
    ("Qwen/Qwen-Image-Edit", UsedBase("x", family="qwen_image", title="Qwen-Image"), "Qwen-Image-Edit,", False),
    ("flux1-kontext-dev.safetensors", UsedBase("x", family="flux", title="FLUX.1-dev"), "FLUX.1-Kontext-dev,", False),
]


@pytest.mark.parametrize(("stated", "used", "title", "is_usual"), VARIANTS)
def test_bases_of_one_family_are_told_apart_from_other_bases(stated, used, title, is_usual):
    sentence = difference(StatedBase(stated), used)
    assert f"which is {title} and the base in use is {used.title}" in sentence
    assert ("usually trained so" in sentence) is is_usual
    assert ("another of the same family" in sentence) is not is_usual
    assert difference(StatedBase(stated, A), replace(used, sha256=B)) == sentence.replace(
        f"{stated},", f"{stated} (hash {A[:10]}),"
    )


@pytest.mark.parametrize("name", ["", "sdxl-turbo", "my model", "Z-Image-Turbo", "/krea-2-raw/model.safetensors"])
def test_names_of_no_other_base_of_the_family_say_nothing_of_one(name):
    assert "same family" not in difference(StatedBase(name), UsedBase("x", **TURBO))


def test_names_of_strangers_are_inert():
    assert "\x1b" not in difference(
        stated_base(training({"ss_sd_model_name": "a\x1b[31m model"})), UsedBase("b\x1b z9")
    )


@pytest.mark.parametrize("name", ["", "model", "model.safetensors", "/x/last.ckpt", "42", "SDXL", "\uff01"])
def test_names_of_anything_say_nothing(name):
    assert not says_something(name)


def test_hashes_are_shown_as_people_look_them_up():
    assert base_digits(StatedBase("", A, OLD_A)) == f"AutoV2 {A[:10]}, AutoV1 {OLD_A}"
    assert base_digits(StatedBase("x")) == ""


@pytest.mark.parametrize(
    ("made_for", "used"),
    [("sdxl", "sdxl"), ("unknown", "sdxl"), ("sd15", "custom"), ("sd15", "demo"), ("sdxl", "tests"), ("tests", "sdxl")],
)
def test_nothing_is_said_of_families_that_agree_or_are_not_known(made_for, used):
    assert other_family(made_for, used) == ""


@pytest.mark.parametrize(("made_for", "used"), [("sdxl", "sd15"), ("sd15", "sdxl"), ("flux", "sdxl")])
def test_families_are_named_where_they_differ(made_for, used):
    titles = [families.get(name).title for name in (made_for, used)]
    assert re.fullmatch(f".* is for {titles[0]}, and this base is {titles[1]}\\.", other_family(made_for, used))


@pytest.mark.parametrize(
    ("stated", "used", "family"),
    [("2", 2, "sd15"), ("1", None, "sd15"), ("None", None, "sd15"), ("None", 1, "sd15"), ("2", None, "sdxl")]
    + [(odd, None, "sd15") for odd in ("", "0", "-2", "2.5", "two", "999", "٢")],
)
def test_nothing_is_said_of_layers_that_agree_or_mean_nothing(stated, used, family):
    assert other_clip_skip(stated, used, family) == ""


@pytest.mark.parametrize(("stated", "used", "layers"), [("2", None, "21"), ("None", 2, "12"), ("1", 2, "12")])
def test_another_layer_than_that_of_training_is_named(stated, used, layers):
    said = other_clip_skip(stated, used, "sd15")
    assert re.findall(r"\d+", said) == [layers[0], layers[1], layers[0]]
