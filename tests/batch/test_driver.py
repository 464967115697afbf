"""The driver: what the ledger knows is not done again, whatever the workers do to it."""

import contextlib
import dataclasses
import hashlib
import sqlite3

import pytest
import report_samples as samples
from owf.core.batch.driver import Driver
from owf.core.batch.here import Here
from owf.core.batch.rows import Asked, ask_digest
from owf.core.batch.task import DIED, LOOK, LOOKED, STOPPED, Listener, Outcome, Task, measured
from owf.core.disk.digests import Digests
from owf.core.errors import UsageError
from owf.core.ledger.ledger import Ledger
from owf.core.ledger.row import Row
from owf.core.verdict.judge import judge
from owf.core.verdict.policy import Limit, Policy, default_policy


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


class Looking(Fake):
    """Says of each file its base, which is the end of its name, or how a look at it ends."""

    def __init__(self, looks=(), **outcomes):
        super().__init__(**outcomes)
        self.looks = {k: list(v) for k, v in dict(looks).items()}

    def look(self, task):
        self.asked.append((task.path.stem, LOOK))
        waiting = self.looks.get(task.path.stem)
        return waiting.pop(0) if waiting else Outcome(LOOKED, group=task.name[-1])


class Run:
    """One run folder; every call of it is a process of its own that opens the ledger anew."""

    def __init__(self, folder):
        self.folder, self.published = folder, []
        (folder / "out").mkdir(exist_ok=True)

    def files(self, *names, content=None):
        for name in names:
            (self.folder / name).write_text(content or name)
        return [Task(self.folder / name, name) for name in names]

    def looks(self, tasks):
        return [Task(path, path.name, step=LOOK) for path in dict.fromkeys(task.path for task in tasks)]

    def __call__(self, tasks, fake, asked=None, ahead=()):
        with Ledger(self.folder / "out" / "ledger.sqlite") as ledger:
            publish = lambda report, place: self.published.append((report.verdict.decision, place.name))  # noqa: E731
            driver = Driver(ledger, asked or Asked("ask", default_policy()), Digests(self.folder / "cache"), publish)
            return list(driver.run(tasks, Here(fake), Listener(), ahead))

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


def test_files_are_looked_at_first_and_audited_base_by_base(run):
    fake = Looking()
    tasks = run.files("a-x", "b-y", "c-x", "d-y")
    done = run(tasks, fake, ahead=run.looks(tasks))
    assert [name for name, step in fake.asked if step == LOOK] == ["a-x", "b-y", "c-x", "d-y"]
    assert [name for name, step in fake.asked if step != LOOK] == ["a-x", "c-x", "b-y", "d-y"]
    assert len(done) == 4


def test_what_a_look_decides_is_done_first_at_every_strength_and_known_afterwards(run):
    (a, bad) = run.files("a-x", "bad")
    tasks = [dataclasses.replace(task, strength=s) for task in (a, bad) for s in (0.5, 1.0)]
    refusal = {"bad": [Outcome("refused", "broken")]}
    done = run(tasks, Looking(refusal), ahead=run.looks(tasks))
    assert [(d.task.name, d.task.strength, d.row.status) for d in done] == [
        ("bad", 0.5, "refused"), ("bad", 1.0, "refused"), ("a-x", 0.5, "complete"), ("a-x", 1.0, "complete"),
    ]  # fmt: skip
    again = Looking(refusal)
    assert [d.is_known for d in run(tasks, again, ahead=run.looks(tasks))] == [True] * 4
    assert {step for _, step in again.asked} == {LOOK}


def test_a_look_whose_worker_dies_is_tried_twice(run):
    died = Outcome(DIED, "killed")
    tasks = run.files("once-x", "twice-x")
    fake = Looking({"once-x": [died], "twice-x": [died, died]})
    rows = {d.task.name: d.row for d in run(tasks, fake, ahead=run.looks(tasks))}
    assert {name: (row.status, row.attempts) for name, row in rows.items()} == {
        "once-x": ("complete", 1), "twice-x": ("crashed", 2),
    }  # fmt: skip


def test_a_stop_during_the_looks_audits_nothing(run):
    tasks = run.files("a-x", "b-x")
    fake = Looking({"b-x": [Outcome(STOPPED)]})
    assert run(tasks, fake, ahead=run.looks(tasks)) == []
    assert {step for _, step in fake.asked} == {LOOK}


def test_what_was_decided_early_is_judged_anew_only_where_it_stays_decided(run):
    whole = samples.report()
    color = {"color": whole.measurements["color"]}
    part = dataclasses.replace(whole, measurements=color, verdict=judge(color))
    tasks = run.files("a")
    folder = run.folder / "out" / "a"
    cdi = whole.measurements["color"].estimates["cdi"]
    strict, mild = (Policy((Limit("color", "cdi", limit),), name) for limit, name in ((cdi.low / 2, "s"), (999.0, "m")))
    run(tasks, Fake(a=[measured(part, folder)]), Asked("ask", default_policy()))
    idle, again = Fake(), Fake()
    (known,) = run(tasks, idle, Asked("ask", strict))
    assert (idle.asked, known.row.verdict) == ([], "DRIFT")
    run(tasks, again, Asked("ask", mild))
    assert again.asked == [("a", 1.0)]


def test_the_digest_of_a_question_does_not_depend_on_order():
    assert ask_digest({"a": 1, "b": 2}) == ask_digest({"b": 2, "a": 1}) != ask_digest({"a": 1, "b": 3})


class Meddling(Fake):
    """Does something to a file while it is audited, or looked at."""

    def __init__(self, meddle, outcome=None):
        super().__init__()
        self.meddle, self.outcome = meddle, outcome

    def audit(self, task):
        self.meddle(task.path)
        return super().audit(task)

    def look(self, task):
        self.meddle(task.path)
        return self.outcome


def test_numbers_of_a_file_that_changed_meanwhile_are_nobodys(run):
    tasks = run.files("a")
    (done,) = run(tasks, Meddling(lambda path: path.write_text("another content")))
    assert (done.row.status, done.report) == ("failed", None) and "changed" in done.row.reason
    fake = Fake()
    run(tasks, fake)
    assert fake.asked == [("a", 1.0)]
    with Ledger(run.folder / "out" / "ledger.sqlite") as ledger:
        assert [row.status for row in ledger.rows()] == ["complete"]


def test_a_file_that_went_away_meanwhile_is_one_row(run):
    rows = {d.task.name: d.row.status for d in run(run.files("a"), Meddling(lambda path: path.unlink()))}
    assert rows == {"a": "failed"}


def test_a_file_whose_entry_alone_changed_is_the_same(run):
    (done,) = run(run.files("a"), Meddling(lambda path: path.chmod(0o600)))
    assert done.row.status == "complete"


def test_what_a_look_saw_of_half_a_file_says_nothing_of_the_whole(run):
    tasks = run.files("a-x", content="half")
    fake = Meddling(lambda path: path.write_text("the whole"), Outcome("refused", "it is cut off"))
    (done,) = run(tasks, fake, ahead=run.looks(tasks))
    assert (done.row.status, fake.asked) == ("complete", [("a-x", 1.0)])
    assert [row.status for row in run.rows().values()] == ["complete"]


def test_a_report_that_is_damaged_is_made_anew(run):
    tasks = run.files("a", "b")
    run(tasks, Fake())
    with contextlib.closing(sqlite3.connect(run.folder / "out" / "ledger.sqlite")) as db:
        db.execute("UPDATE reports SET json = x'00' WHERE row = (SELECT id FROM rows WHERE name = 'a')")
        db.commit()
    fake = Fake()
    assert len(run(tasks, fake)) == 2
    assert fake.asked == [("a", 1.0)]


def test_what_is_known_comes_one_by_one_and_a_stop_ends_it(run):
    tasks = run.files("a", "b", "c")
    run(tasks, Fake())
    idle = Fake()
    with Ledger(run.folder / "out" / "ledger.sqlite") as ledger:
        read = []
        ledger.report = lambda row, real=ledger.report: read.append(row.name) or real(row)
        workers = Here(idle)
        driver = Driver(ledger, Asked("ask", default_policy()), Digests(run.folder / "cache"), lambda *_: None)
        found = driver.run(tasks, workers, Listener())
        assert next(found).task.name == "a" and read == ["a"]
        workers.stop()
        assert list(found) == [] and idle.asked == []


def test_another_policy_writes_below_the_ledger_only(run):
    tasks = run.files("a", "b", "c")
    outside = run.folder / "elsewhere"
    outside.mkdir()
    (run.folder / "out" / "link").symlink_to(outside)
    with Ledger(run.folder / "out" / "ledger.sqlite") as ledger:
        for task, folder in zip(tasks, (str(outside), "link", "x" * 5000), strict=True):
            sha256 = hashlib.sha256(task.path.read_bytes()).hexdigest()
            row = Row(task.name, str(task.path), sha256, 1.0, "", "ask", "complete", folder=folder)
            ledger.put(row, samples.report())
    mild = Policy((Limit("color", "cdi", 1000.0),), "mild")
    assert {d.row.verdict for d in run(tasks, Fake(), Asked("ask", mild))} == {"PASS"}
    assert run.published == []


def test_what_a_copy_came_to_counts_before_what_this_ones_worker_died_of(run):
    tasks = run.files("a", "copy", content="the same")
    died = Outcome(DIED, "killed")
    run(tasks[:1], Fake(a=[died, died]))
    run(tasks[1:], Fake(), Asked("ask", default_policy(), again=True))
    (done,) = run(tasks[:1], Fake())
    assert (done.row.status, done.is_known) == ("complete", True)
