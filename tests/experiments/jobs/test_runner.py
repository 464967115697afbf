"""Jobs are done once, kept whole, and gone on with where they were."""

import math

import pytest
from owf.core.disk.lock import only_one
from owf.core.errors import UsageError
from owf.core.experiments.jobs.job import Job, Learned, Lesson, distinct, read_learned, read_result, write_result
from owf.core.experiments.jobs.runner import RESULTS, run_jobs
from owf.core.metrics.measurement import Estimate
from owf.core.train.plan import TrainPlan
from studies import result

PLANS = [TrainPlan(class_word="dog", seed=seed) for seed in range(3)]
JOBS = [Job("DB", seed, (Lesson("dog", plan),), ("semantic",)) for seed, plan in enumerate(PLANS)]


class Counting:
    """Does a job by counting it; stops at one of them as a kill would."""

    def __init__(self, stops_at=None):
        self.done, self._stops_at = [], stops_at

    def key(self, job):
        return f"job{job.seed}"

    def run(self, job):
        if job.seed == self._stops_at:
            raise KeyboardInterrupt
        self.done.append(job.seed)
        return result(job.row, seed=job.seed, drift=0.1 * job.seed)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    first = Counting(stops_at=2)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(JOBS, first, tmp_path, lambda *told: None)
    second, told = Counting(), []
    found = run_jobs(JOBS, second, tmp_path, lambda done, total, one: told.append((done, total, one.seed)))
    assert (first.done, second.done) == ([0, 1], [2])
    assert [one.seed for one in found] == [0, 1, 2]
    assert told == [(1, 3, 0), (2, 3, 1), (3, 3, 2)]
    assert run_jobs(JOBS, Counting(), tmp_path, lambda *told: None) == found


def test_two_runs_are_never_at_the_same(tmp_path):
    (tmp_path / RESULTS).mkdir()
    with only_one(tmp_path / RESULTS), pytest.raises(UsageError, match="Another run"):
        run_jobs(JOBS, Counting(), tmp_path, lambda *told: None)


def test_results_are_read_as_they_were_written(tmp_path):
    written = result("DB-DC\\pr", at={"weight": 0.3}, floors={"worst_class_drop": 0.2}, worst_class_drop=0.4)
    written.numbers["open"] = Estimate(1.0, -math.inf, math.inf, 1)
    write_result(written, tmp_path / "a" / "one.json")
    assert read_result(tmp_path / "a" / "one.json") == written
    assert written.value("worst_class_drop") == 0.4 and written.value("none") is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"numbers": {"a": 1}}', '{"numbers": {}, "row": 1}', "[" * 9999]
)
def test_what_is_no_result_is_refused_by_name(tmp_path, content):
    (tmp_path / RESULTS).mkdir()
    (tmp_path / RESULTS / "job0.json").write_text(content)
    with pytest.raises(UsageError, match=r"job0\.json is no result"):
        run_jobs(JOBS, Counting(), tmp_path, lambda *told: None)


def test_notes_of_a_training_are_read_or_refused(tmp_path):
    (tmp_path / "n.json").write_text('{"decision": "LEARNED", "numbers": {}}')
    assert read_learned(tmp_path / "n.json") == Learned("LEARNED", {})
    (tmp_path / "n.json").write_text('{"decision": 1, "numbers": {}}')
    with pytest.raises(UsageError, match=r"n\.json"):
        read_learned(tmp_path / "n.json")


def test_lessons_are_counted_once_each():
    one, two, three = (Lesson("dog", plan) for plan in PLANS)
    jobs = [Job("a", 0, lessons, ()) for lessons in ((one,), (one, two), (one, two, three), (two,))]
    assert len(list(distinct(jobs))) == 4  # the second on top of the first, and by itself
    stacked = [Job("a", 0, job.lessons, (), way="stacked") for job in jobs]
    assert list(distinct(stacked)) == [one, two, three]
    assert len(list(distinct(jobs + stacked))) == 5
