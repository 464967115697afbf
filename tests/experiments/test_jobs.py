"""Which trainings each experiment asks for."""

import json
from collections import Counter
from pathlib import Path

import pytest
from owf.core.errors import UsageError
from owf.core.experiments.experiment import all_experiments, find_experiment
from owf.core.experiments.first3 import PICTURES
from owf.core.experiments.frontier import FACTORS, WEIGHTS
from owf.core.experiments.human import FETCHED
from owf.core.experiments.jobs.job import CONTINUED, INVERSION, LORA, REFERENCE, STACKED
from owf.core.experiments.jobs.learning_methods import CUSTOM_RATE
from owf.core.experiments.sequence import TRIGGERS
from owf.core.metrics.evidence import Confirmed, LongDrawings, Screened
from owf.core.metrics.metric import all_metrics
from studies import NOWHERE, result, study

CONFIGS = Path(__file__).resolve().parents[2] / "core" / "families" / "configs"
ROWS = {
    "DB": ("dreambooth_lora", {"prior"}),
    "DB-DC": ("dreambooth_lora", {"dc", "prior"}),
    "DB-DC\\pr": ("dreambooth_lora", {"dc"}),
    "CD": ("custom_diffusion", {"prior"}),
    "CD-DC": ("custom_diffusion", {"dc", "prior"}),
    "CD-DC\\pr": ("custom_diffusion", {"dc"}),
}


def jobs_of(name, **more):
    return find_experiment(name).jobs(study(**more))


def test_experiments_are_found_by_name_and_others_are_refused():
    assert {one.name for one in all_experiments()} >= {"table1", "first3", "frontier", "sequence", "human"}
    with pytest.raises(UsageError, match=r"'table9'.*table1"):
        find_experiment("table9")


TRAINING = [one for one in all_experiments() if one.needs_base]


@pytest.mark.parametrize("experiment", TRAINING, ids=lambda one: one.name)
def test_every_job_is_one_and_measures_what_there_is(experiment):
    jobs = experiment.jobs(study())
    assert len(set(jobs)) == len(jobs) > 0
    known = {metric.name for metric in all_metrics()}
    for job in jobs:
        assert set(job.metrics) <= known and job.lessons
        assert "," not in job.row  # --only lists rows
        for lesson in job.lessons:
            assert lesson.plan.class_word == lesson.concept  # so they are called in this study
            assert lesson.plan.batch == 2 and lesson.plan.steps in (10, 20)


def test_table1_has_the_papers_rows_on_every_concept_and_seed():
    jobs = jobs_of("table1", seeds=3)
    found = {job.row: (job.lessons[0].plan.method, set(job.lessons[0].plan.preserve)) for job in jobs}
    assert found == ROWS
    assert Counter((job.row, job.concept, job.seed) for job in jobs) == {
        (row, concept, seed): 1 for row in ROWS for concept in ("dog", "cup") for seed in range(3)
    }
    assert all(job.lessons[0].plan.seed == job.seed for job in jobs)
    rates = {job.lessons[0].plan.method: job.lessons[0].plan.rate for job in jobs}
    assert rates == {"dreambooth_lora": 1e-3, "custom_diffusion": CUSTOM_RATE * 1e-3}


def test_table2_draws_the_concepts_of_the_same_trainings():
    drawn, judged = jobs_of("table2"), jobs_of("table1")
    assert [job.lessons for job in drawn] == [job.lessons for job in judged]
    assert all(job.draws > 0 for job in drawn) and not any(job.draws for job in judged)


def test_first3_learns_from_five_pictures_as_the_tables_do_without_and_with_drift_correction():
    jobs = jobs_of("first3", seeds=1)
    assert [set(job.lessons[0].plan.preserve) for job in jobs] == 2 * [ROWS["DB"][1], ROWS["DB-DC"][1]]
    assert [job.lessons[0].plan.drift_every > 0 for job in jobs] == [False, True, False, True]
    assert {job.lessons[0].pictures for job in jobs} == {PICTURES} == {5}


def test_frontier_changes_one_thing_at_a_time_at_every_weight():
    jobs = jobs_of("frontier", seeds=1, words=("dog",))
    by_row = {}
    for job in jobs:
        by_row.setdefault(job.row, []).append(job)
    assert len(by_row) == 1 + sum(map(len, FACTORS.values()))
    for row, of_row in by_row.items():
        assert tuple(dict(job.at)["weight"] for job in of_row) == WEIGHTS
        lessons = [job.lessons[0] for job in of_row]
        plans = [lesson.plan for lesson in lessons]
        assert [plan.preserve for plan in plans] == [("dc",)] * (len(WEIGHTS) - 1) + [()]
        assert [plan.dc_weight for plan in plans[:-1]] == list(WEIGHTS[:-1])
        assert {plan.dc_control for plan in plans[:-1]} == {"fixed"} and not any(plan.drift_every for plan in plans)
        factor, _, value = row.partition(" ")
        assert {plan.rank for plan in plans} == ({int(value)} if factor == "rank" else {8})
        assert {plan.bank_prompts for plan in plans[:-1]} == ({int(value)} if factor == "bank" else {0})
        assert {lesson.pictures for lesson in lessons} == ({int(value)} if factor == "pictures" else {0})


def test_sequence_teaches_every_beginning_in_both_ways():
    jobs = jobs_of("sequence", words=("dog", "cup", "hat"), seeds=1)
    counts = Counter((job.way, bool(job.lessons[0].plan.preserve)) for job in jobs)
    assert counts == {(way, dc): 3 for way in (CONTINUED, STACKED) for dc in (False, True)}
    for job in jobs:
        assert [lesson.concept for lesson in job.lessons] == ["dog", "cup", "hat"][: len(job.lessons)]
        assert len({lesson.plan.trigger for lesson in job.lessons}) == len(job.lessons)
        assert dict(job.at) == {"concepts": len(job.lessons)}
    with pytest.raises(UsageError, match="at least 2 concepts"):
        jobs_of("sequence", words=("dog",))


def test_sequence_gives_each_of_ten_concepts_a_trigger_of_its_own_and_refuses_more():
    words = tuple(f"thing {number}" for number in range(11))
    longest = max(jobs_of("sequence", words=words[:10], seeds=1), key=lambda job: len(job.lessons))
    assert len({lesson.plan.trigger for lesson in longest.lessons}) == len(longest.lessons) == 10
    with pytest.raises(UsageError, match="at most 10 concepts"):
        jobs_of("sequence", words=words)


def test_the_triggers_of_a_sequence_are_single_tokens_of_clip():
    vocabulary = json.loads((CONFIGS / "sd15" / "tokenizer" / "vocab.json").read_text())
    assert {f"{trigger}</w>" for trigger in TRIGGERS} <= set(vocabulary) and len(set(TRIGGERS)) == len(TRIGGERS)


def test_predict_trains_sixty_loras_over_settings_and_methods():
    jobs = jobs_of("predict", seeds=1)
    assert len(jobs) == len({job.lessons for job in jobs}) == 60
    plans = [job.lessons[0].plan for job in jobs]
    assert {plan.rank for plan in plans} == {2, 8, 32} and {plan.steps for plan in plans} == {10, 20}
    assert Counter(job.row for job in jobs) == {"plain": 18, "prior": 18, "dc": 18, "cd": 6}
    assert {job.concept for job in jobs} == {"dog", "cup"} and all(job.probes for job in jobs)
    for job, plan in zip(jobs, plans, strict=True):
        told = dict(job.at)
        assert 10 ** told["log steps x rate"] == pytest.approx(plan.steps * plan.rate)
        assert told["custom diffusion"] == (plan.method == "custom_diffusion") == (job.row == "cd")


def test_weightless_teaches_each_concept_by_a_lora_by_its_word_and_by_a_picture():
    jobs = jobs_of("weightless", seeds=1, words=("dog",))
    assert [(job.row, job.lessons[0].how) for job in jobs] == [
        ("LoRA", LORA),
        ("LoRA with drift correction", LORA),
        ("textual inversion", INVERSION),
        ("reference attention", REFERENCE),
    ]
    plans = [job.lessons[0].plan for job in jobs]
    assert [plan.preserve for plan in plans] == [(), ("dc",), (), ()]
    assert plans[2].rate == 5e-3 and plans[2].weight_decay == 0 and plans[0].rate == plans[3].rate == 1e-3
    assert len({job.lessons for job in jobs}) == 4


@pytest.mark.parametrize("family", ["sdxl", "flux", "z_image", "flux2_klein"])
def test_rows_that_need_a_word_of_one_encoder_are_left_out_where_there_is_none_and_named(family):
    for name in ("table1", "table2", "human"):
        assert {job.row for job in jobs_of(name, family=family)} == {"DB", "DB-DC", "DB-DC\\pr"}
    assert {job.row for job in jobs_of("predict", family=family)} == {"plain", "prior", "dc"}
    asked = study(family=family)
    for name in ("table1", "table2"):
        text = "\n".join(find_experiment(name).findings(asked, [result("DB", drift=0.1)]).lines)
        assert "Not made: CD, CD-DC, CD-DC\\pr." in text and "| CD" not in text
        assert "Not made" not in "\n".join(find_experiment(name).findings(study(), [result("DB")]).lines)


def test_weightless_asks_of_a_base_what_has_a_meaning_there():
    rows = list(dict.fromkeys(job.row for job in jobs_of("weightless", family="sdxl")))
    assert rows == ["LoRA", "LoRA with drift correction", "reference attention"]
    told = find_experiment("weightless").findings(study(family="sdxl"), [result("LoRA", drift=0.1)])
    assert "Not made: textual inversion" in told.lines[-1]
    for family in ("flux", "z_image"):
        with pytest.raises(UsageError, match=r"textual inversion learns a word.*reference attention"):
            jobs_of("weightless", family=family)


def test_the_protocol_needs_nothing():
    assert jobs_of("protocol") == () and not find_experiment("protocol").needs_base


def test_people_are_shown_every_method_or_the_reports_that_are_named():
    assert {job.row for job in jobs_of("human")} == set(ROWS)
    by_pictures = {
        metric.name for metric in all_metrics() if not {Screened, Confirmed, LongDrawings} & set(metric.needs)
    }
    assert {name for job in jobs_of("human", family="sd15") for name in job.metrics} == by_pictures
    assert by_pictures - {name for job in jobs_of("human", family="demo") for name in job.metrics} == set(FETCHED)
    assert jobs_of("human", reports=(NOWHERE,)) == ()
