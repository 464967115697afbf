"""The driver: what the ledger knows is not done again, whatever the workers do to it."""

import dataclasses

import pytest
import report_samples as samples
from owf.core.batch.driver import Asked, Driver, ask_digest
from owf.core.batch.here import Here
from owf.core.batch.task import DIED, STOPPED, Listener, Outcome, Task, measured
from owf.core.disk.digests import Digests
from owf.core.errors import UsageError
from owf.core.ledger.ledger import Ledger
from owf.core.verdict.verdict import Limit, Policy, default_policy


class Fake:
    """Gives each file the outcomes that are set for it, one a try, and else the sample report."""

    def __init__(self, **outcomes):
        self.outcomes, self.asked = {k: list(v) for k, v in outcomes.items()}, []

    def audit(self, task):
        self.asked.append((task.path.stem, task.strength))
        waiting = self.outcomes.get(task.path.stem)
        if waiting:
            return waiting.pop(0)
        return measured(samples.report(), task.path.parent / "out" / task.path.stem)


class Run:
    """One run folder; every call of it is a process of its own that opens the ledger anew."""

    def __init__(self, folder):
        self.folder, self.published = folder, []
        (folder / "out").mkdir(exist_ok=True)

    def files(self, *names, content=None):
        for name in names:
            (self.folder / name).write_text(content or name)
        return [Task(self.folder / name, name) for name in names]

    def __call__(self, tasks, fake, asked=None):
        with Ledger(self.folder / "out" / "ledger.sqlite") as ledger:
            publish = lambda report, place: self.published.append((report.verdict.decision, place.name))  # noqa: E731
            driver = Driver(ledger, asked or Asked("ask", default_policy()), Digests(self.folder / "cache"), publish)
            return list(driver.run(tasks, Here(fake), Listener()))

    def rows(self):
        with Ledger(self.folder / "out" / "ledger.sqlite") as ledger:
            return {row.name: row for row in ledger.rows()}


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_the_same_run_again_does_nothing_and_new_files_are_picked_up(run):
    first, again = Fake(), Fake()
    tasks = run.files("a", "b")
    assert [done.is_known for done in run(tasks, first)] == [False, False]
    done = run([*tasks, *run.files("c")], again)
    assert again.asked == [("c", 1.0)]
    assert {d.task.name: d.is_known for d in done} == {"a": True, "b": True, "c": False}
    assert all(d.report.verdict.decision == "DRIFT" for d in done)
    assert list(run.rows()) == ["a", "b", "c"]


def test_a_changed_file_another_strength_and_another_question_are_audited(run):
    run(run.files("a"), Fake())
    fake = Fake()
    (task,) = run.files("a", content="another content")
    run([task], fake)
    run([dataclasses.replace(task, strength=0.5)], fake)
    run([task], fake, Asked("another", default_policy()))
    assert fake.asked == [("a", 1.0), ("a", 0.5), ("a", 1.0)]


def test_a_copy_has_a_row_and_costs_nothing(run):
    fake = Fake()
    done = run(run.files("a", "copy", content="the same"), fake)
    assert fake.asked == [("a", 1.0)]
    assert {d.task.name: d.row.folder for d in done} == {"a": "a", "copy": "a"}
    assert list(run.rows()) == ["a", "copy"]


def test_a_copy_of_what_failed_has_its_turn(run):
    fake = Fake(a=[Outcome("failed", "no base")])
    run(run.files("a", "copy", content="the same"), fake)
    assert fake.asked == [("a", 1.0), ("copy", 1.0)]
    assert {name: row.status for name, row in run.rows().items()} == {"a": "failed", "copy": "complete"}


def test_a_worker_that_dies_once_costs_a_second_try_and_twice_the_file(run):
    died = Outcome(DIED, "killed")
    fake = Fake(once=[died], twice=[died, died, died])
    done = {d.task.name: d.row for d in run(run.files("once", "twice", "good"), fake)}
    assert {name: row.status for name, row in done.items()} == {
        "once": "complete", "twice": "crashed", "good": "complete",
    }  # fmt: skip
    assert (done["once"].attempts, done["twice"].attempts, done["twice"].reason) == (2, 2, "killed")
    assert len(fake.asked) == 5


@pytest.mark.parametrize("status", ["timeout", "memory", "crashed"])
def test_what_ended_badly_is_tried_again_only_when_asked_for(run, status):
    tasks = run.files("a")
    run(tasks, Fake(a=[Outcome(status, "said")]))
    idle, again = Fake(), Fake()
    (known,) = run(tasks, idle)
    assert (known.row.status, known.row.reason, known.is_known, idle.asked) == (status, "said", True, [])
    run(tasks, again, Asked("ask", default_policy(), again=True))
    assert again.asked == [("a", 1.0)]
    assert run.rows()["a"].status == "complete"


def test_refusals_stay_and_causes_beside_the_file_are_tried_again(run):
    tasks = run.files("bad", "base")
    run(tasks, Fake(bad=[Outcome("refused", "broken")], base=[Outcome("failed", "no base")]))
    fake = Fake()
    run(tasks, fake)
    assert fake.asked == [("base", 1.0)]


def test_a_stop_leaves_no_row_and_starts_nothing(run):
    fake = Fake(b=[Outcome(STOPPED)])
    tasks = run.files("a", "b", "c")
    assert [d.task.name for d in run(tasks, fake)] == ["a"]
    assert list(run.rows()) == ["a"]
    run(tasks, Fake())
    assert list(run.rows()) == ["a", "b", "c"]


def test_what_would_end_every_file_ends_the_run(run):
    with pytest.raises(UsageError, match="No space left"):
        run(run.files("a", "b"), Fake(a=[Outcome("failed", "No space left", fatal=True)]))
    assert run.rows() == {}


def test_a_file_that_cannot_be_read_has_a_row_and_is_tried_again(run):
    tasks = [Task(run.folder / "gone", "gone")]
    for _ in range(2):
        fake = Fake(gone=[Outcome("refused", "cannot be opened")])
        run(tasks, fake)
        assert fake.asked == [("gone", 1.0)]
    assert len(run.rows()) == 1


def test_another_policy_judges_what_was_measured(run):
    tasks = run.files("a", "b")
    run(tasks, Fake())
    for name in "ab":
        (run.folder / "out" / name).mkdir()
    mild = Policy((Limit("color", "cdi", 1000.0),), "mild")
    fake = Fake()
    done = run(tasks, fake, Asked("ask", mild))
    assert fake.asked == []
    assert {d.report.verdict.decision for d in done} == {"PASS"}
    assert run.published == [("PASS", "a"), ("PASS", "b")]
    rows = run.rows()
    assert {(r.verdict, r.policy) for r in rows.values()} == {("PASS", "mild")}
    assert [(n.limit, n.decision) for n in rows["a"].numbers if n.name == "cdi"] == [(1000.0, "PASS")]


def test_the_digest_of_a_question_does_not_depend_on_order():
    assert ask_digest({"a": 1, "b": 2}) == ask_digest({"b": 2, "a": 1}) != ask_digest({"a": 1, "b": 3})
