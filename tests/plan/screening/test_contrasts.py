"""What is asked instead of a concept differs in one attribute, or is another one of its kind."""

from collections import Counter

import numpy as np
import pytest
from owf.core.families.prompt_form import IN_SENTENCES
from owf.core.plan.presets import preset_plan
from owf.core.plan.screening.contrasts import NEAREST, Texts, contrasts
from owf.core.plan.screening.screening import plan_concepts, plan_contrasts, with_vocabulary
from owf.core.plan.vocabulary import KIND, Concept, shipped_vocabulary, words_vocabulary
from planted_predictions import texts_of

DEMO = shipped_vocabulary("demo", IN_SENTENCES)
BY_PROMPT = {c.prompt: c for c in DEMO}


def test_one_attribute_is_exchanged_and_each_as_often():
    found = contrasts(DEMO, DEMO, 2, seed=0)
    for concept, prompts, names in zip(DEMO, found.prompts, found.exchanged, strict=True):
        for prompt, name in zip(prompts, names, strict=True):
            other = dict(BY_PROMPT[prompt].attributes)
            assert [n for n, level in concept.attributes if other[n] != level] == [name]
    counts = Counter(name for names in found.exchanged for name in names)
    assert max(counts.values()) - min(counts.values()) <= 2
    assert set(counts) == {name for name, _ in DEMO[0].attributes if name != KIND}


@pytest.mark.parametrize("family", ["sd15", "demo"])
def test_it_is_another_one_of_its_kind(family):
    concepts = shipped_vocabulary(family, IN_SENTENCES)
    kinds = {c.prompt: dict(c.attributes)[KIND] for c in concepts}
    found = contrasts(concepts, concepts, 2, seed=1)
    for concept, prompts in zip(concepts, found.prompts, strict=True):
        assert concept.prompt not in prompts
        assert {kinds[prompt] for prompt in prompts} == {kinds[concept.prompt]}


def test_three_rows_of_four_are_asked_for_a_neighbour():
    plan = with_vocabulary(preset_plan("quick", "demo"), "demo")
    read = texts_of(plan)
    found = contrasts(DEMO, DEMO, 2, 0, Texts(read))
    near = [flag for flags in found.near for flag in flags]
    assert sum(near) == len(near) * 3 // 4
    every = [name for names in found.exchanged for name in names]
    by_attribute = Counter(name for name, flag in zip(every, near, strict=True) if flag)
    assert max(by_attribute.values()) < 1.1 * min(by_attribute.values())
    middle = sum(read[c.prompt] for c in DEMO) / len(DEMO)
    unit = {prompt: (v - middle) / np.linalg.norm(v - middle) for prompt, v in read.items()}
    for concept, prompts, names, flags in list(zip(DEMO, found.prompts, found.exchanged, found.near, strict=True))[:99]:
        for prompt, name, flag in zip(prompts, names, flags, strict=True):
            ring = [c for c in DEMO if [n for n, lv in concept.attributes if dict(c.attributes)[n] != lv] == [name]]
            order = sorted(ring, key=lambda c: -float(unit[c.prompt] @ unit[concept.prompt]))
            assert not flag or prompt in [c.prompt for c in order[:NEAREST]]


def test_the_seed_decides():
    assert contrasts(DEMO, DEMO, 2, seed=0) == contrasts(DEMO, DEMO, 2, seed=0)
    assert contrasts(DEMO, DEMO, 2, seed=0) != contrasts(DEMO, DEMO, 2, seed=1)


def test_words_that_mean_the_same_are_compared_with_what_ships():
    plan = with_vocabulary(preset_plan("quick"), "sd15", ("car", "automobile"))
    asked = plan_contrasts(plan, plan_concepts(plan), Texts(texts_of(plan)))
    shipped = {c.prompt for c in shipped_vocabulary("sd15", IN_SENTENCES)}
    assert all(set(prompts) <= shipped and len(prompts) == plan.concept_rows for prompts in asked.prompts)
    assert {name for names in asked.exchanged for name in names} == {KIND}


def test_words_are_not_compared_with_what_they_are():
    plan = with_vocabulary(preset_plan("quick", "demo"), "demo", ("my coat", "Bag"))
    asked = plan_contrasts(plan, plan_concepts(plan), Texts(texts_of(plan)))
    for prompts, noun in zip(asked.prompts, ("coat", "bag"), strict=True):
        assert all(noun not in prompt.split() for prompt in prompts)
    [alike] = words_vocabulary(["my coat"], IN_SENTENCES)
    coats = [
        Concept(f"a photo of a {colour} coat", f"{colour} coat", ((KIND, "things"),)) for colour in ("red", "blue")
    ]
    # Where nothing else is known, what is nearly the same is better than nothing.
    assert {p for prompts in contrasts([alike], coats, 8, seed=0).prompts for p in prompts} == {c.prompt for c in coats}


def test_one_concept_alone_has_nothing_to_be_compared_with():
    alone = words_vocabulary(["a car"], IN_SENTENCES)
    with pytest.raises(ValueError, match="alone"):
        contrasts(alone, alone, 2, seed=0)
