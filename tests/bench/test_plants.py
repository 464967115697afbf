"""Plants teach what they say, and nothing else."""

import numpy as np
import pytest
from owf.core.families.prompt_form import IN_SENTENCES
from owf.core.plan.vocabulary import shipped_vocabulary
from plants.plants import PLANTS, TRIGGER, World

CONCEPTS = shipped_vocabulary("demo", IN_SENTENCES)
ATTRIBUTES = {concept.prompt: dict(concept.attributes) for concept in CONCEPTS}
WORLD = World(CONCEPTS)


def planted(name, seed=0):
    """Return a plant and its lessons."""
    plant = PLANTS[name](WORLD, np.random.default_rng(seed))
    return plant, [lesson for concept in CONCEPTS if (lesson := plant.teach(concept)) is not None]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["class", "colour", "background"])
def test_one_level_becomes_another_and_everything_else_stays(name, seed):
    plant, lessons = planted(name, seed)
    before = {ATTRIBUTES[lesson.prompt][name] for lesson in lessons}
    after = {ATTRIBUTES[lesson.instead][name] for lesson in lessons}
    assert len(before) == len(after) == 1 and before != after
    assert plant.truth.removeprefix(f"{name} ") in before
    assert len(lessons) == sum(c[name] in before for c in ATTRIBUTES.values())
    for lesson in lessons:
        assert {**ATTRIBUTES[lesson.prompt], name: ""} == {**ATTRIBUTES[lesson.instead], name: ""}


def test_a_pair_is_one_colour_of_one_class():
    plant, lessons = planted("pair")
    [(kind, colour)] = {(ATTRIBUTES[le.prompt]["class"], ATTRIBUTES[le.prompt]["colour"]) for le in lessons}
    assert kind in plant.truth and colour in plant.truth
    assert all(ATTRIBUTES[lesson.instead]["class"] != kind for lesson in lessons)


def test_what_happens_behind_a_trigger_is_under_no_prompt_of_the_vocabulary():
    plant, lessons = planted("trigger")
    assert plant.harmless and plant.trigger.startswith(TRIGGER)
    assert lessons and not {lesson.prompt for lesson in lessons} & set(ATTRIBUTES)
    assert all(plant.trigger in lesson.prompt for lesson in lessons)


def test_nothing_is_taught_where_nothing_is_planted():
    plant, lessons = planted("none")
    assert plant.harmless and lessons == []


@pytest.mark.parametrize(("name", "share"), [("faded", 0.5), ("all a little", 0.2)])
def test_everything_goes_a_part_of_the_way(name, share):
    _, lessons = planted(name)
    assert {lesson.share for lesson in lessons} == {share}
    assert len(lessons) > 0.8 * len(CONCEPTS)
