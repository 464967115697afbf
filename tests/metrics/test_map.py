"""The damage map names what was planted, counts it, and leaves out what the LoRA is for."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from owf.core.audit.request import AuditRequest, plan_for
from owf.core.errors import InvalidError, UsageError
from owf.core.families.prompt_form import IN_SENTENCES
from owf.core.metrics.evidence import Screened
from owf.core.metrics.map_ import SHARE, summarise_map
from owf.core.metrics.screening.own import own_concepts
from owf.core.metrics.screening.ways import LIMIT, WHOLE
from owf.core.plan.audit_plan import plan_data, plan_digest
from owf.core.plan.presets import preset_plan
from owf.core.plan.screening.contrasts import Texts
from owf.core.plan.screening.screening import plan_cells, plan_concepts, plan_contrasts, with_vocabulary
from owf.core.plan.vocabulary import words_vocabulary
from owf.core.verdict.judge import damaged, judge
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE, PASS
from planted_predictions import texts_of

HARMLESS, DAMAGE, ANOTHER = 1e-3, 1e-1, 1e-1
"""Changes of predictions, relative to their size; the last is what another prompt does to them."""
PLAN = with_vocabulary(preset_plan("quick", "demo"), "demo")
CONCEPTS = plan_concepts(PLAN)


def screened(damaged, seed=0, plan=PLAN, damage=DAMAGE) -> Screened:
    """Return rows of concepts of which those for which `damaged` is true moved a hundred times as much."""
    rng, concepts = np.random.default_rng(seed), plan_concepts(plan)
    cells = plan_cells(plan, len(concepts), 8)
    size = np.log([damage if damaged(dict(c.attributes)) else HARMLESS for c in concepts])[:, None]
    of_timestep = np.linspace(-1.5, 1.5, 8)[cells.timestep]
    noise = rng.normal(0, 0.7, cells.timestep.shape) + rng.normal(0, 0.2, (len(concepts), 1))
    norm = rng.gamma(5, 1, cells.timestep.shape)
    contrast = np.exp(np.log(ANOTHER) + rng.normal(0, 0.7, cells.timestep.shape)) * norm
    read = texts_of(plan)
    instead = plan_contrasts(plan, concepts, Texts(read))
    exchanged, near = np.array(instead.exchanged), np.array(instead.near)
    change = np.exp(size + of_timestep + noise) * norm
    texts = np.stack([read[concept.prompt] for concept in concepts])
    return Screened(concepts, cells, change, norm, 0 * norm, contrast, exchanged, near, tuple(range(8)), texts)


PLANTS = {
    "sandal": lambda c: c["class"] == "sandal",
    "green": lambda c: c["colour"] == "green",
    "teal": lambda c: c["background"] == "teal",
    "dotted": lambda c: c["pattern"] == "dotted",
    "background black": lambda c: c["background"] == "black",
    "sneaker & red": lambda c: c["class"] == "sneaker" and c["colour"] == "red",
}


@pytest.mark.parametrize("name", PLANTS)
def test_what_was_planted_is_the_one_thing_that_is_named(name):
    seen = screened(PLANTS[name])
    found = summarise_map(seen)
    truth = np.array([PLANTS[name](dict(c.attributes)) for c in CONCEPTS])
    assert found.breakdowns["thing"][0].label == f"{name} ({truth.sum()} concepts)"
    share = found.estimates["damaged_share"]
    assert share.low <= truth.mean() <= share.high
    wrong = {c.label for c, is_damaged in zip(CONCEPTS, truth, strict=True) if not is_damaged}
    listed = [part.label for part in found.breakdowns["damaged"]]
    assert len(listed) == min(100, found.facts["found"])
    assert sum(label in wrong for label in listed) <= 0.15 * len(listed)  # a rate of 5 % on average


@pytest.mark.parametrize("name", PLANTS)
def test_a_loss_is_drift_and_the_first_sentence_names_it(name):
    found = summarise_map(screened(PLANTS[name]))
    verdict = judge({"map": found})
    assert verdict.decision == DRIFT
    assert verdict.reasons[0].startswith(f"{name} (")
    assert damaged(verdict, {"map": found}) == (found.facts["worst"],)
    # It went all the way: as far as another prompt does, give or take what its rows and those of the unit show.
    assert found.estimates["worst_damage"].value == pytest.approx(1, rel=0.2)


def test_the_way_is_of_the_square_root_and_monotone():
    """A quarter of the squared distance is half the way; what goes with all others is no damage of one thing."""
    ways = []
    for damage in (0.01, 0.025, 0.05, 0.1):
        found = summarise_map(screened(PLANTS["sandal"], damage=damage))
        part = {p.label: p.estimate for p in found.breakdowns["thing"]}.get("sandal (275 concepts)")
        ways.append(part.value if part else 0.0)
        assert str(found.facts["stands_out"]).startswith("sandal (275 concepts)")
    assert ways == sorted(ways)
    assert ways[-1] == pytest.approx(np.sqrt((0.1 - 2 * HARMLESS) / ANOTHER), rel=0.2)
    assert ways[0] == 0  # ten times what the others moved, and less than a third of the way: no harm


def test_harmless_models_pass_and_never_drift():
    decisions = [judge({"map": summarise_map(screened(lambda c: False, seed))}).decision for seed in range(20)]
    assert DRIFT not in decisions
    assert decisions.count(PASS) >= 19


def test_nothing_is_decided_where_groups_are_near_the_limit():
    found = summarise_map(screened(PLANTS["sandal"], damage=LIMIT**2 * ANOTHER + 2 * HARMLESS))
    assert found.estimates["worst_damage"].low < LIMIT < found.estimates["worst_damage"].high
    assert judge({"map": found}).decision == INCONCLUSIVE


def test_a_model_that_moved_as_a_whole_is_judged_by_what_all_moved():
    """Nothing stands out; the limit of all together is the way to another prompt."""
    for damage, decision in ((0.1 * WHOLE**2 * ANOTHER, PASS), (4 * WHOLE**2 * ANOTHER, DRIFT)):
        found = summarise_map(screened(lambda c: True, damage=damage))
        assert judge({"map": found}).decision == decision
        assert found.estimates["typical_way"].value == pytest.approx(np.sqrt(damage / ANOTHER), rel=0.1)
        assert {part.label for part in found.breakdowns["thing"]} <= {"everything"}


def test_half_of_what_tells_concepts_apart_is_the_most_that_may_go():
    """However far all predictions moved: what lies nearer to other concepts than before is what is lost."""
    for gone, decision in ((0.3, PASS), (0.7, DRIFT)):
        seen = screened(lambda c: True, damage=0.5 * ANOTHER)
        found = summarise_map(dataclasses.replace(seen, toward=gone / 2 * seen.contrast))
        assert found.estimates["confusion"].value == pytest.approx(gone)
        assert judge({"map": found}).decision == decision


def test_a_base_that_does_not_listen_is_invalid():
    seen = screened(lambda c: False)
    with pytest.raises(InvalidError, match="whatever it is asked"):
        summarise_map(dataclasses.replace(seen, contrast=np.zeros_like(seen.contrast)))


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["change", "norm", "toward", "contrast", "embedding"])
def test_what_is_no_number_is_invalid_and_no_pass(name, number):
    """A base prediction of infinite size would make of any change nothing."""
    seen = screened(PLANTS["sandal"])
    broken = getattr(seen, name).copy()
    broken[7, 1] = number
    with pytest.raises(InvalidError, match="NaN or infinite"):
        summarise_map(dataclasses.replace(seen, **{name: broken}))


def test_a_base_that_predicts_nothing_for_a_prompt_is_invalid():
    seen = screened(lambda c: False)
    norm = seen.norm.copy()
    norm[7, 1] = 0
    with pytest.raises(InvalidError, match="predicts nothing at all"):
        summarise_map(dataclasses.replace(seen, norm=norm))


def test_an_attribute_that_the_base_does_not_hear_says_nothing_of_confusion():
    """And the others go on: everything went 70 % of the way to what differs in another attribute."""
    seen = screened(lambda c: True, damage=0.5 * ANOTHER)
    deaf = np.where(seen.exchanged == "background", 0.0, seen.contrast)
    found = summarise_map(dataclasses.replace(seen, contrast=deaf, toward=0.35 * deaf))
    assert found.estimates["confusion"].value == pytest.approx(0.7)
    assert judge({"map": found}).decision == DRIFT


def test_a_few_scattered_concepts_are_found_as_a_share():
    """A tenth of the concepts, at random, is no thing that has a name."""
    hit = set(np.random.default_rng(5).permutation(len(CONCEPTS))[: len(CONCEPTS) // 10])
    places = {c.attributes: i for i, c in enumerate(CONCEPTS)}
    seen = screened(lambda c: places[tuple(c.items())] in hit, damage=2.0)
    found = summarise_map(seen)
    assert found.estimates["damaged_share"].low > SHARE
    assert judge({"map": found}).decision == DRIFT


def test_a_single_concept_is_named_by_itself():
    one = {"class": "coat", "colour": "blue", "pattern": "plain", "background": "beige"}
    found = summarise_map(screened(lambda c: one.items() <= c.items(), damage=1.0))
    assert [part.label for part in found.breakdowns["thing"]] == ["blue coat on a beige background"]
    assert found.facts["worst_concept"] == "blue coat on a beige background"
    assert found.facts["worst"] == "blue coat on a beige background"
    assert found.estimates["worst_damage"].low > LIMIT


def test_harmless_and_untouched_models_have_nothing_damaged():
    found = summarise_map(screened(lambda c: False))
    assert (found.facts["found"], found.breakdowns["thing"], found.breakdowns["damaged"]) == (0, (), ())
    assert found.estimates["typical_drift"].value == pytest.approx(HARMLESS, rel=0.05)
    untouched = screened(lambda c: False)
    found = summarise_map(dataclasses.replace(untouched, change=np.zeros_like(untouched.change)))
    assert found.estimates["typical_drift"].value == pytest.approx(0, abs=1e-12)
    assert found.estimates["damaged_share"].high == 0
    assert found.estimates["worst_damage"].high == pytest.approx(0, abs=1e-6)
    assert judge({"map": found}).decision == PASS


def test_damage_everywhere_is_everything():
    found = summarise_map(screened(lambda c: True, damage=4 * ANOTHER))
    assert [part.label for part in found.breakdowns["thing"]] == ["everything"]
    assert found.estimates["damaged_share"].value > 0.5  # of all; with two rows each, some are not shown to be


def test_its_own_concept_counts_for_nothing():
    seen = screened(PLANTS["sandal"])
    for told, claimed in ((("sandal",), ()), ((), ("sks sandal",))):
        found = summarise_map(seen, told, claimed)
        assert found.facts["own_concepts"] == 275
        assert found.facts["found"] == 0
        assert all("sandal" in part.label for part in found.breakdowns["own"])
        assert found.breakdowns["own"][0].estimate.value > LIMIT
        assert judge({"map": found}).decision == PASS


def test_a_file_cannot_call_everything_its_own():
    seen = screened(PLANTS["sandal"])
    found = summarise_map(seen, claimed=("background", "sandal"))
    assert found.facts["own_concepts"] == 0
    assert found.facts["damaged"] == "sandal (275 concepts)"
    with pytest.raises(InvalidError, match="own concept"):
        summarise_map(seen, told=("background",))


@pytest.mark.parametrize(
    ("word", "own"),
    [
        ("car", ["red car", "two cars"]),
        ("sks car", ["red car", "two cars"]),
        ("red", ["red car"]),
        ("CAR.*", []),
        ("", []),
    ],
)
def test_whole_words_name_a_concept(word, own):
    concepts = words_vocabulary(("red car", "two cars", "carpet", "scar"), IN_SENTENCES)
    assert [c.label for c, is_own in zip(concepts, own_concepts(concepts, [word]), strict=True) if is_own] == own


@pytest.mark.parametrize("count", [1, 2, 9, 200])
def test_few_words_get_more_rows(count):
    plan = with_vocabulary(preset_plan("quick"), "sd15", tuple(f"thing {i}" for i in range(count)))
    assert plan.concept_rows == {1: 32, 2: 32, 9: 8, 200: 2}[count]
    found = summarise_map(screened(lambda c: True, plan=plan, damage=4 * ANOTHER))
    low, high = found.estimates["worst_damage"].low, found.estimates["worst_damage"].high
    assert LIMIT < low < high < 20
    assert found.facts["damaged"] == ("thing 0" if count == 1 else "everything")


@pytest.mark.parametrize("count", [2, 9, 130])
def test_one_word_that_is_left_of_many_is_measured(count):
    """Whatever rows of it were asked for: of two rows, both may be of neighbours."""
    plan = with_vocabulary(preset_plan("quick"), "sd15", tuple(f"thing {chr(97 + i % 26)}{i}" for i in range(count)))
    seen = screened(lambda c: False, plan=plan)
    for left in range(min(count, 9)):
        own = [c.label for i, c in enumerate(seen.concepts) if i != left]
        of_neighbours = seen.near.copy()
        of_neighbours[left] = True
        for near in (seen.near, of_neighbours):
            estimates = summarise_map(dataclasses.replace(seen, near=near), own).estimates.values()
            assert all(np.isfinite([e.value, e.low, e.high]).all() for e in estimates)


def test_plans_without_a_vocabulary_are_what_they_were():
    plan = preset_plan("quick")
    assert not {"concept_rows", "concept_run", "vocabulary", "words", "vocabulary_digest"} & set(plan_data(plan))
    one, other = (with_vocabulary(plan, "sd15", words) for words in (("a",), ("b",)))
    assert len({plan_digest(p) for p in (plan, one, other, with_vocabulary(plan, "sd15"))}) == 4


def test_beside_other_metrics_a_quick_audit_asks_a_quarter_of_every_level():
    """A map alone, or one that is confirmed, asks all; and so do larger presets, and whoever asks words."""
    every = plan_concepts(plan_for(AuditRequest(metrics=("map",)), "sd15", 512)[0])
    assert len(every) == 2587
    for request in (AuditRequest(metrics=("map", "confirmed")), AuditRequest(preset="standard")):
        assert plan_concepts(plan_for(request, "sd15", 512)[0]) == every
    assert plan_concepts(plan_for(AuditRequest(), "demo", 96)[0]) == CONCEPTS  # rows of a small model cost nothing
    part = plan_for(AuditRequest(), "sd15", 512)[0]
    asked = plan_concepts(part)
    assert asked == plan_concepts(part) and set(asked) < set(every) and len(asked) == 647
    counts, whole = (Counter(level for c in concepts for level in c.attributes) for concepts in (asked, every))
    assert all(abs(counts[level] - whole[level] / 4) <= 2 * whole[level] ** 0.5 for level in whole)
    assert asked != plan_concepts(plan_for(AuditRequest(seed=1), "sd15", 512)[0])
    words = plan_for(AuditRequest(words=("red car", "my dog")), "sd15", 512)[0]
    assert [concept.label for concept in plan_concepts(words)] == ["red car", "my dog"]


def test_words_are_asked_of_the_map_alone():
    with pytest.raises(UsageError, match="damage map"):
        AuditRequest(words=("car",), metrics=("kid",))
    assert AuditRequest(words=("car",), metrics=("map",)).words == ("car",)
