"""Claim: a base is asked in its own language, with all that metrics need, and old plans stay what they were."""

import dataclasses

import pytest
from owf.core import families
from owf.core.audit.cost import audit_cost
from owf.core.audit.session import AuditRequest, plan_for
from owf.core.families import tag_forms
from owf.core.families.prompt_form import AUTO, IN_SENTENCES, TAGS
from owf.core.plan.audit_plan import plan_data, plan_digest
from owf.core.plan.presets import PRESETS, in_form, preset_plan
from owf.core.plan.prompts import COLOR_TERMS, COLORED_THINGS, SUBJECTS
from owf.core.plan.tag_prompts import COLORED_TAGS
from owf.core.plan.tag_prompts import TAGS as BY_GROUP

PONY = families.get("sdxl").prompt_form(AUTO, ["pony"])

DIGESTS = {
    "quick": "962f236d4bef34d4061c33b1df553890433c53226b951bedc7e1c62e901fd32c",
    "standard": "c2afbe03b6d45f60ec3c42c9f581fb1b6684902ce4f66d0e121b133ead3fa573",
    "paper": "263b6ace4511ba99d97f26165ddeac87ce482ba21a4277a6bb98f2ced884f85c",
}
DEMO_DIGESTS = {
    "quick": "f74cf15121bdc193874667fcf8789ec9d0248571a6d449bb263bdca88ef36767",
    "standard": "469b5bb6b68f130349753cd2287eeceeed86587f596f6f8ad9918a2e7929a052",
    "paper": "498ce480cf028a8ebea25ca519a0507040ed63b2b81ffa846bd6da289c0b23b8",
}
"""Digests of plans before there were prompt forms: caches and reports are found by them."""


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
    assert plan_digest(plan_for(AuditRequest(), "sd15", 512, names=("ponyDiffusion",))[0]) == DIGESTS["quick"]
