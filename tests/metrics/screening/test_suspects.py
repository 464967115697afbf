"""Who is asked further: what is named, what moved most, and a random control, each against what is nearest."""

import dataclasses

import numpy as np
import pytest
from owf.core.metrics.evidence import Screened
from owf.core.metrics.screening.suspects import CONTROL, MOVED_MOST, suspects
from owf.core.plan.presets import preset_plan
from owf.core.plan.screening.confirmation import CANDIDATES, PICTURES
from owf.core.plan.screening.contrasts import Texts
from owf.core.plan.screening.screening import asked_instead, plan_cells, plan_concepts, plan_contrasts, with_vocabulary
from planted_predictions import texts_of

DEMO = with_vocabulary(preset_plan("quick", "demo"), "demo")


def screened(damaged, plan=DEMO, damage=0.1) -> Screened:
    """Return rows of which those of the damaged concepts moved, if nothing else is said, as far as another prompt."""
    rng, concepts = np.random.default_rng(0), plan_concepts(plan)
    cells = plan_cells(plan, len(concepts), 8)
    size = np.log([damage if damaged(c) else 1e-3 for c in concepts])[:, None]
    change = np.exp(size + rng.normal(0, 0.5, cells.timestep.shape))
    read, ones = texts_of(plan), np.ones_like(change)
    instead = plan_contrasts(plan, concepts, Texts(read))
    exchanged, near = np.array(instead.exchanged), np.array(instead.near)
    texts = np.stack([read[concept.prompt] for concept in concepts])
    return Screened(concepts, cells, change, ones, 0 * ones, 0.1 * ones, exchanged, near, tuple(range(8)), texts)


BY_PROMPT = {c.prompt: dict(c.attributes) for c in plan_concepts(DEMO)}


def test_a_class_is_compared_with_the_other_classes():
    found = suspects(screened(lambda c: dict(c.attributes)["class"] == "sandal"), (), (), (), seed=0)
    assert [group.name for group in found] == [CONTROL, "sandal (275 concepts)", MOVED_MOST]
    assert all(len(group.prompts) == len(group.labels) == PICTURES for group in found)
    for prompts, labels in zip(found[1].prompts, found[1].labels, strict=True):
        assert labels[0] == "sandal" and len(set(labels)) == 10
        assert [BY_PROMPT[prompt]["class"] for prompt in prompts] == list(labels)
        others = [{**BY_PROMPT[prompt], "class": ""} for prompt in prompts]
        assert all(other == others[0] for other in others)
    assert all("sandal" not in prompts[0] for prompts in found[2].prompts)


def test_concepts_are_compared_with_the_nearest_texts():
    seen = screened(lambda c: False)
    [control, _] = suspects(seen, (), (), (), seed=0)
    texts = seen.embedding - seen.embedding.mean(axis=0)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    place = {c.prompt: i for i, c in enumerate(seen.concepts)}
    for prompts in control.prompts[:5]:
        assert len(prompts) == CANDIDATES
        own = BY_PROMPT[prompts[0]]
        near = [p for p, other in BY_PROMPT.items() if sum(other[name] != own[name] for name in own) == 1]
        likeness = {p: float(texts[place[p]] @ texts[place[prompts[0]]]) for p in near}
        assert set(prompts[1:]) == set(sorted(near, key=lambda p: -likeness[p])[: CANDIDATES - 1])


def test_the_loras_own_concept_is_never_asked():
    found = suspects(screened(lambda c: dict(c.attributes)["class"] == "sandal"), (), ("sandal",), (), seed=0)
    assert [group.name for group in found] == [CONTROL, MOVED_MOST]
    assert all("sandal" not in prompts[0] for group in found for prompts in group.prompts)


def test_another_seed_draws_others():
    seen = screened(lambda c: False)
    first, again, other = (suspects(seen, (), (), (), seed=seed)[0] for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("words", [("my dog",), ("my dog", "castle")])
def test_words_are_compared_with_one_another_and_with_what_ships(words):
    plan = with_vocabulary(preset_plan("quick"), "sd15", words)
    seen = screened(lambda c: c.label == "my dog", plan)
    found = suspects(seen, asked_instead(plan), (), (), seed=0)
    assert "my dog" in {label for group in found for labels in group.labels for label in labels[:1]}
    assert all(len(set(prompts)) == CANDIDATES for group in found for prompts in group.prompts)


def test_texts_that_are_all_alike_still_choose():
    seen = screened(lambda c: False)
    alike = dataclasses.replace(seen, embedding=np.ones_like(seen.embedding))
    assert len(suspects(alike, (), (), (), seed=0)[0].prompts[0]) == CANDIDATES


def test_what_stands_out_within_its_limit_is_asked_as_well():
    """Five times what the others moved, a tenth of the squared distance: it may be lost to a near neighbour."""
    seen = screened(lambda c: dict(c.attributes)["colour"] == "red", damage=5e-3)
    assert [group.name for group in suspects(seen, (), (), (), seed=0)] == [CONTROL, "red (250 concepts)", MOVED_MOST]


def test_nothing_is_compared_with_itself():
    """Between two prompts that the base reads alike, chance would say which of them a picture shows."""
    shipped = asked_instead(DEMO)[:40]
    words = tuple(dict.fromkeys(word for c in shipped[:6] for word in (c.label, c.label.upper())))
    plan = with_vocabulary(preset_plan("quick", "demo"), "demo", words)
    found = suspects(screened(lambda c: False, plan), shipped, (), (), seed=0)
    for prompts in (prompts for group in found for prompts in group.prompts):
        small = [prompt.casefold() for prompt in prompts]
        assert len(prompts) > 1
        assert small[0] not in small[1:]
