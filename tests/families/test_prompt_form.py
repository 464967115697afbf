"""Claim: the language of a base is told by its family's record and its names, and what is asked for overrides it."""

import pytest
from owf.core import families
from owf.core.errors import Setting, UsageError
from owf.core.families.prompt_form import AUTO, IN_SENTENCES, IN_TAGS, SENTENCES, TAGS, Child, by_name

SDXL = families.get("sdxl")
ANIMA = families.get("anima").prompt_form(AUTO, ["somebody's finetune"])
PONY, NOOB, ILLUSTRIOUS, ANIMAGINE = (
    SDXL.prompt_form(AUTO, [name]) for name in ("pony", "noob", "illustrious", "animagine")
)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("ponyDiffusionV6XL_v6StartWithThisOne.safetensors", PONY),
        ("cyberrealisticPony_v110", PONY),
        ("autismmixSDXL_autismmixConfetti", PONY),
        ("Laxhar/noobai-XL-Vpred-1.0", NOOB),
        ("noobaiXLNAIXL_vPred10Version", NOOB),
        ("OnomaAIResearch/Illustrious-xl-early-release-v0", ILLUSTRIOUS),
        ("waiNSFWIllustrious_v140", ILLUSTRIOUS),
        ("novaAnimeXL_ilV60", ILLUSTRIOUS),
        ("cagliostrolab/animagine-xl-4.0", ANIMAGINE),
        ("stabilityai/stable-diffusion-xl-base-1.0", IN_SENTENCES),
        ("juggernautXL_v9", IN_SENTENCES),
        ("ponytailXL", IN_SENTENCES),
        ("civilXL", IN_SENTENCES),
        ("", IN_SENTENCES),
    ],
)
def test_children_of_sdxl_are_told_by_their_names(name, form):
    assert SDXL.prompt_form(AUTO, [name]) == form


def test_the_surest_name_that_says_something_counts():
    assert SDXL.prompt_form(AUTO, ["mix_v3", "Pony Diffusion", "Illustrious"]) == PONY
    assert SDXL.prompt_form(AUTO, ["Illustrious_v1", '{"models": "pony"}']) == ILLUSTRIOUS
    assert len({PONY, NOOB, ILLUSTRIOUS, ANIMAGINE, IN_SENTENCES}) == 5


def test_what_is_asked_for_overrides_the_name():
    assert SDXL.prompt_form(SENTENCES, ["ponyDiffusionV6XL"]) == IN_SENTENCES
    assert SDXL.prompt_form(TAGS, ["ponyDiffusionV6XL"]) == PONY
    assert families.get("sd15").prompt_form(TAGS, ["anything-v5"]).name == TAGS
    for family in ("sd15", "sd2", "custom", "flux"):
        assert families.get(family).prompt_form(AUTO, ["ponyDiffusionV6", "illustrious", "anime"]) == IN_SENTENCES


@pytest.mark.parametrize(
    ("name", "skip"),
    [
        ("anything-v5-PrtRE.safetensors", 2),
        ("AbyssOrangeMix2_sfw", 2),
        ("Counterfeit-V3.0_fp16", 2),
        ("animefull-latest", 2),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", 1),
        ("anything_for_anyone", 1),
        ("naive_mix", 1),
        ("", 1),
    ],
)
def test_anime_bases_of_sd15_are_told_by_their_names(name, skip):
    family = families.get("sd15")
    assert family.clip_skip([name]) == skip
    assert family.prompt_form(AUTO, [name]) == (IN_TAGS if skip == 2 else IN_SENTENCES)
    assert families.get("sdxl").clip_skip([name]) == 1  # its usual layer is the penultimate one


def test_the_demo_base_has_no_tags():
    assert families.get("demo").prompt_form(AUTO, ["pony"]) == IN_SENTENCES
    with pytest.raises(UsageError, match="demo base") as caught:
        families.get("demo").prompt_form(TAGS, [])
    assert caught.value.settings == (Setting("prompt_form", SENTENCES),)


def test_of_children_the_first_counts_and_one_without_a_pattern_fits_all():
    children = (Child("some name", IN_TAGS), Child("", PONY))
    assert by_name(children, ["SomeName_v2"]).form == IN_TAGS
    assert by_name(children, ["another"]).form == PONY
    assert by_name((), ["SomeName"]) is None


def test_a_family_that_learned_from_tags_is_asked_in_them_whatever_its_bases_are_called():
    assert ANIMA.name == TAGS and ANIMA.worded("1girl").endswith("score_7, safe, 1girl")
    assert families.get("anima").prompt_form(AUTO, []) == families.get("anima").prompt_form(TAGS, ["pony"])
    assert families.get("anima").prompt_form(SENTENCES, ["anima"]) == IN_SENTENCES


def test_forms_in_tags_are_those_of_all_families_and_of_bases_of_which_no_more_is_known():
    assert families.tag_forms() == (IN_TAGS, ANIMA, NOOB, ANIMAGINE, ILLUSTRIOUS, PONY)
