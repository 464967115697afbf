"""Claim: a base is asked in its own language, with all that metrics need, and old plans stay what they were."""

import dataclasses

import pytest
from owf.core import families
from owf.core.audit.evidence.cost import audit_cost
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.families import tag_forms
from owf.core.families.prompt_form import AUTO, IN_SENTENCES, TAGS
from owf.core.plan.audit_plan import plan_data, plan_digest
from owf.core.plan.presets import METRICS, PRESETS, in_form, preset_plan
from owf.core.plan.prompts import COLOR_TERMS, COLORED_THINGS, SUBJECTS
from owf.core.plan.tag_prompts import COLORED_TAGS
from owf.core.plan.tag_prompts import TAGS as BY_GROUP

PONY = families.get("sdxl").prompt_form(AUTO, ["pony"])

DIGESTS = {
    "glance": "e18bde45409aa25ebebb9c2f5f6060406d5985ad3da0c01d93d3eb85a1976e6a",
    "quick": "e4afa8f4956c005ad7f772cbcd61e4363275981fe434cdf11bad7e9ff2f38b96",
    "standard": "e9b1566544b0e19ba60399f526042f59a36e01335ab563a3b2716a30bc8b6c6e",
    "paper": "bede12ddf3fba7317bdb6f4dd5fad23b58683a3640f034495a8fcb9d1e541492",
}
DEMO_DIGESTS = {
    "glance": "8674473fbec253f8fd455a1e8512f8fd0cd038f86c6e5192867d939ab3b0c484",
    "quick": "edd56c9c4253c9108a62f0813bcb44ecd958ee77240686024b2bbc6cb7f6ac35",
    "standard": "9ccbe6c893b8ed63a9bb407ee90a207cc9501233546fce53a3032db7121e4c8a",
    "paper": "f3e302604a723a6ceeaac80b5e644b139ae339349f5b24b5887a818dbcfa417e",
}
"""Digests of plans: caches and reports are found by them, so they change only with what a plan asks."""


@pytest.mark.parametrize("preset", PRESETS)
def test_plans_in_sentences_are_what_they_were(preset):
    assert plan_digest(preset_plan(preset)) == DIGESTS[preset]
    assert plan_digest(preset_plan(preset, "demo")) == DEMO_DIGESTS[preset]
    assert not {"prompt_form", "prefix", "negative"} & set(plan_data(preset_plan(preset)))
    assert in_form(preset_plan(preset), IN_SENTENCES) == preset_plan(preset)


@pytest.mark.parametrize("change", [{"prompt_form": TAGS}, {"prefix": "x"}, {"negative": "x"}])
def test_every_part_of_a_form_is_in_digest_and_report(change):
    plan = dataclasses.replace(preset_plan("quick"), **change)
    assert plan_digest(plan) != DIGESTS["quick"]
    assert plan_data(plan).items() >= change.items()


def test_the_groups_are_those_of_the_sentences():
    assert list(BY_GROUP) == list(SUBJECTS)
    assert {group: len(texts) for group, texts in BY_GROUP.items()} == {g: len(t) for g, t in SUBJECTS.items()}
    assert len(COLORED_TAGS) == len(COLORED_THINGS)
    assert all(f" {thing}," in tags for thing, tags in zip(COLORED_THINGS, COLORED_TAGS, strict=True))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", tag_forms())
def test_a_plan_in_tags_asks_as_much_of_every_kind(form, preset):
    plan, tags = preset_plan(preset), in_form(preset_plan(preset), form)
    assert [(p.group, p.term) for p in tags.prompts] == [(p.group, p.term) for p in plan.prompts]
    assert audit_cost(tags, 10) == audit_cost(plan, 10)
    assert len({p.text for p in tags.prompts}) == len(tags.prompts)
    assert all(p.text.startswith(f"{form.prefix}, ") for p in tags.prompts)
    assert (tags.prompt_form, tags.prefix, tags.negative) == (TAGS, form.prefix, form.negative)
    assert form.negative


def test_a_color_prompt_names_its_color_and_no_other():
    spelled = {"grey" if term == "gray" else term for term in COLOR_TERMS}
    for prompt in in_form(preset_plan("paper"), PONY).prompts:
        words = [word for word in prompt.text.replace(",", " ").split() if word in spelled | {"gray"}]
        assert words == ([prompt.term.replace("gray", "grey")] if prompt.term else [])


def test_a_class_is_asked_as_a_tag():
    plan = in_form(preset_plan("quick"), PONY)
    assert plan.class_prompts[0] == f"{PONY.prefix}, airplane, no humans"
    assert preset_plan("quick").class_prompts[0] == "a photo of an airplane"


def test_prompts_hold_nothing_that_programs_read_as_weights():
    texts = [p.text for form in tag_forms() for p in in_form(preset_plan("paper"), form).prompts]
    assert not [text for text in texts if set(text) & set("()[]{}:<>|\\")]


def test_a_request_decides_by_the_base_and_keeps_a_class_prompt_of_its_own():
    plan = plan_for(AuditRequest(), "sdxl", 1024, names=("ponyDiffusionV6XL",))[0]
    assert (plan.prefix, plan.negative, plan.guidance_scale) == (PONY.prefix, PONY.negative, 5.0)
    own = plan_for(AuditRequest(class_prompt="photo, {}", prompt_form=TAGS), "sd15", 512)[0]
    assert own.class_prompts[0] == "photo, airplane"
    asked = AuditRequest(metrics=tuple(name for name in METRICS if name != "map"))
    plan = plan_for(asked, "sd15", 512, names=("ponyDiffusion",))[0]
    assert plan_digest(dataclasses.replace(plan, metrics=METRICS)) == DIGESTS["quick"]
