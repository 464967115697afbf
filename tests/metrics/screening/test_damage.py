"""What was lost is named whether or not everything else moved, and what only moved is not."""

import dataclasses

import numpy as np
import pytest
from owf.core.metrics.map_ import summarise_map
from owf.core.metrics.screening.found import find
from owf.core.metrics.screening.towards import towards
from owf.core.metrics.screening.ways import LIMIT
from owf.core.metrics.statistics import student_quantile
from owf.core.plan.presets import preset_plan
from owf.core.plan.screening.contrasts import Texts
from owf.core.plan.screening.screening import plan_concepts, plan_contrasts, with_vocabulary
from owf.core.verdict.judge import judge
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE, PASS
from planted_predictions import screened, texts_of

DEMO = with_vocabulary(preset_plan("quick", "demo"), "demo")
REAL = with_vocabulary(preset_plan("quick"), "sd15", whole=False)

PLANTS = {
    "sandal (275 concepts)": ({"class": "sandal"}, {"class": "bag"}),
    "green (250 concepts)": ({"colour": "green"}, {"colour": "pink"}),
    "background black (550 concepts)": ({"background": "black"}, {"background": "teal"}),
}


def exchange(where, instead):
    return lambda levels: instead if where.items() <= levels.items() else None


def same(levels):
    return None


@pytest.mark.parametrize("name", PLANTS)
@pytest.mark.parametrize("moved", [0.0, 0.5, 1.2])
def test_what_is_lost_is_named_first_however_far_everything_moved(name, moved):
    """1.2 is nearly as far as another attribute would move the prediction, in directions that mean nothing."""
    found = summarise_map(screened(DEMO, exchange(*PLANTS[name]), moved))
    assert [part.label for part in found.breakdowns["thing"]][:1] == [name]
    assert judge({"map": found}).decision == DRIFT
    assert judge({"map": found}).reasons[0].startswith(name)


@pytest.mark.parametrize(("plan", "moved"), [(DEMO, 0.0), (DEMO, 0.5), (DEMO, 1.0), (REAL, 0.0), (REAL, 0.1)])
def test_what_only_moved_passes(plan, moved):
    decisions = [judge({"map": summarise_map(screened(plan, same, moved, seed=seed))}).decision for seed in range(3)]
    assert decisions == [PASS] * 3


def test_few_rows_do_not_show_that_nothing_is_lost_where_everything_moved():
    """A quarter of a real base's vocabulary has few rows of each level: not enough for a PASS, and no alarm either."""
    found = summarise_map(screened(REAL, same, 0.7))
    assert found.breakdowns["thing"] == ()
    assert judge({"map": found}).decision == INCONCLUSIVE


def test_a_pair_is_named_by_itself():
    red_sandals = exchange({"class": "sandal", "colour": "red"}, {"class": "coat"})
    found = summarise_map(screened(DEMO, red_sandals))
    assert found.facts["damaged"] == "sandal & red (25 concepts)"
    assert judge({"map": found}).decision == DRIFT


def test_the_way_to_neighbours_is_whole_to_them_and_half_to_others():
    """Classes are equally far apart here, so all that counts is how many rows asked for what the class became."""
    concepts = plan_concepts(DEMO)
    classes = {concept.prompt: dict(concept.attributes)["class"] for concept in concepts}
    asked = plan_contrasts(DEMO, concepts, Texts(texts_of(DEMO)))
    near = [
        classes[prompt]
        for concept, *rows in zip(concepts, asked.prompts, asked.exchanged, asked.near, strict=True)
        for prompt, name, flag in zip(*rows, strict=True)
        if flag and name == "class" and classes[concept.prompt] == "sandal"
    ]
    for other in {*classes.values()} - {"sandal"}:
        seen = screened(DEMO, exchange({"class": "sandal"}, {"class": other}))
        [part] = [p for p in towards(seen, np.arange(len(seen.concepts)), seen.concepts) if p.attribute == "class"]
        inside = [classes[seen.concepts[i].prompt] == "sandal" for i in part.places]
        share = near.count(other) / len(near)
        assert part.means.mean[np.array(inside)].mean() == pytest.approx((1 + share) / 2, abs=0.07)


def test_a_change_that_is_the_same_under_every_prompt_goes_to_no_neighbour():
    seen = screened(DEMO, same, moved=1.0)
    for part in towards(seen, np.arange(len(seen.concepts)), seen.concepts):
        assert abs(part.means.mean.mean()) < 0.02


def test_neighbours_that_the_base_hardly_tells_apart_are_not_lost_to_each_other():
    seen = screened(DEMO, same)
    tiny = np.where(seen.near, 1e-3, 1.0)
    gone = type(seen)(**{**vars(seen), "toward": tiny * seen.contrast, "contrast": tiny * seen.contrast})
    for part in towards(gone, np.arange(len(gone.concepts)), gone.concepts):
        assert part.means.mean.max() < 0.05


def test_nothing_is_named_where_everything_only_moved():
    """At 5 % at most, for all that could be named together."""
    found = [find(screened(REAL, same, 0.5, noise=0.3, seed=seed), (), ()).named for seed in range(40)]
    assert sum(bool(named.things) or any(g.way.low > LIMIT for g in named.groups[1:]) for named in found) <= 2


def test_levels_have_students_intervals_of_the_way_to_neighbours():
    """At 95 % each; the truth is that nothing went anywhere."""
    covered = []
    for seed in range(20):
        seen = screened(DEMO, same, 0.6, noise=0.3, seed=seed)
        for part in towards(seen, np.arange(len(seen.concepts)), seen.concepts):
            levels = np.array([dict(seen.concepts[i].attributes)[part.attribute] for i in part.places])
            for level in np.unique(levels):
                mean, spread = part.means.of(levels == level)
                covered.append(abs(mean) <= student_quantile(0.95, part.means.freedom) * spread)
    assert 0.93 <= np.mean(covered) <= 0.97


def sometimes(seen, way, timesteps, rng):
    """Return a screening in which sandals went this way to their neighbours in all, at some timesteps only."""
    at = np.isin(seen.cells.timestep, timesteps)
    sandals = np.array([dict(concept.attributes)["class"] == "sandal" for concept in seen.concepts])[:, None]
    share = np.where(sandals & at, way * seen.contrast.sum() / seen.contrast[at].sum(), 0.0)
    noise = 1e-2 * np.exp(rng.normal(0, 0.25, share.shape))
    toward = share * seen.contrast + rng.normal(0, 1 / 16, share.shape) * noise * np.sqrt(seen.contrast)
    change = np.square(noise) + 2 * share * toward - np.square(share) * seen.contrast
    return dataclasses.replace(seen, toward=toward, change=change)


def test_what_goes_to_its_neighbours_at_few_timesteps_is_not_whole_because_most_rows_stay():
    """The way is just beyond the limit, and five rows of eight did not move at all."""
    whole = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        seen = sometimes(screened(DEMO, same, seed=seed), 1.03 * LIMIT, rng.permutation(8)[:3], rng)
        [sandals] = [g for g in find(seen, (), ()).named.groups if g.levels == (("class", "sandal"),)]
        whole += sandals.most <= LIMIT
    assert whole <= 3  # of 20 runs at 2.5 %: more has a chance of 0.2 %


def test_a_class_within_its_limit_does_not_damage_those_of_its_colours_that_were_asked_for_far_neighbours():
    """How far apart the neighbours of a few concepts are is chance of the rows, and not how far these went."""
    drift = 0
    for seed in range(20):
        seen = screened(DEMO, same, noise=1e-3, seed=seed)
        sandals = np.array([dict(concept.attributes)["class"] == "sandal" for concept in seen.concepts])[:, None]
        gone = np.where(sandals & (seen.exchanged == "class"), 0.75 * LIMIT, 0.0) * seen.contrast
        seen = dataclasses.replace(seen, toward=seen.toward + gone, change=seen.change + 0.75 * LIMIT * gone)
        drift += summarise_map(seen).estimates["worst_damage"].low > LIMIT
    assert drift <= 3  # of 20 runs at 5 %: more has a chance of 2 %
