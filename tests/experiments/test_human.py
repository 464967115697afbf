"""Pairs are shown blind; answers are believed only as far as they go; correlations are those that were put in."""

import dataclasses
import json
import re

import pytest
from owf.core.errors import Setting, UsageError
from owf.core.experiments.experiment import find_experiment
from owf.core.experiments.findings.ratings import Answer, Answers, looks, make_key, read_answers, read_key, read_reports
from owf.core.experiments.human import KEY, PAGE, agreement
from owf.core.metrics.metric import quantity
from owf.core.verdict.judge import judge
from owf.core.verdict.report import write_report
from report_samples import draw_pairs, report
from studies import study

LORAS = 8


@pytest.fixture
def reports(tmp_path):
    """Return a folder of reports whose colour distance grows from one to the next."""
    for i in range(LORAS):
        place = tmp_path / "reports" / f"lora-{i}"
        place.mkdir(parents=True)
        pairs = draw_pairs(place, 6, side=8)
        made = report(tuple(dataclasses.replace(p, change=p.change + 10 * i) for p in pairs))
        color = made.measurements["color"]
        cdi = dataclasses.replace(color.estimates["cdi"], value=float(i), low=i - 0.1, high=i + 0.1)
        measured = dataclasses.replace(color, estimates={**color.estimates, "cdi": cdi})
        seen = {**made.measurements, "color": measured}
        write_report(dataclasses.replace(made, measurements=seen, verdict=judge(seen)), place / "report.json")
    return tmp_path / "reports"


def human(tmp_path, reports, *ratings):
    return find_experiment("human").findings(study(folder=tmp_path, reports=(reports,), ratings=ratings), [])


def test_the_page_says_nothing_of_where_a_picture_comes_from(tmp_path, reports):
    findings = human(tmp_path, reports)
    key, page = read_key(tmp_path / KEY), (tmp_path / PAGE).read_text()
    assert findings.lines == (f"Not rated yet: the page shows {len(key.trials)} pairs of {LORAS} LoRAs.",)
    trials = re.findall(r'<section class="trial".*?</section>', page, re.DOTALL)
    assert len(trials) == len(key.trials) == 6 * LORAS
    for trial in trials:
        said = re.sub(r"base64,[^\"]*", "", trial)
        assert not re.search(r"\bbase\b|tuned|lora-|report|catch", said)
    assert re.findall(r'data-id="(\w+)"', page) == sorted(trial.id for trial in key.trials)
    assert {trial.x for trial in key.trials} == {"base", "tuned"}
    assert sum(trial.catch for trial in key.trials) == len(key.trials) // 10


def test_pictures_are_called_x_and_y_as_the_key_says(tmp_path, reports):
    human(tmp_path, reports)
    page, key = (tmp_path / PAGE).read_text(), read_key(tmp_path / KEY)
    found = read_reports([reports])
    for trial in key.trials:
        section = re.search(rf'data-id="{trial.id}".*?</section>', page, re.DOTALL)[0]
        x, y = re.findall(r'src="([^"]+)"', section)
        same = [t for t in key.trials if (t.report, t.rank) == (trial.report, trial.rank)]
        assert (x == y) == trial.catch and len(same) == 1
    folder, first = found["lora-0"]
    trial = next(t for t in key.trials if t.report == "lora-0" and t.rank == 0)
    from owf.core.render.html.images import embed

    wanted = first.pairs[0].base if trial.x == "base" else first.pairs[0].tuned
    section = re.search(rf'data-id="{trial.id}".*?</section>', page, re.DOTALL)[0]
    assert re.search(r'data-side="x"><img src="([^"]+)"', section)[1] == embed(folder / wanted, folder, 512).uri


def answers(key, color, better):
    """Return answers to every pair, by a function of its trial."""
    said = tuple(
        Answer(t.id, 0 if t.catch else color(t), 0 if t.catch else color(t), "same" if t.catch else better(t))
        for t in key.trials
    )
    return Answers(key.page, "someone", said)


def test_answers_that_follow_a_metric_correlate_with_it(tmp_path, reports):
    human(tmp_path, reports)
    key = read_key(tmp_path / KEY)
    given = answers(key, lambda t: min(4, int(t.report[-1]) // 2), lambda t: "x" if t.x == "base" else "y")
    blind = answers(key, lambda t: 4, lambda t: "same")
    careless = dataclasses.replace(
        blind, answers=tuple(dataclasses.replace(a, color=4, content=4) for a in blind.answers)
    )
    assert looks(given, key) and not looks(careless, key)
    lines = agreement(key, [given, careless]).lines
    assert lines[0].startswith("1 of 2 people looked")
    (cdi,) = (line for line in lines if line.startswith(f"| {quantity('cdi').title} |"))
    value = float(re.search(r"\| (-?[\d.]+) \(", cdi)[1])
    assert value > 0.95  # ranks with ties in pairs of two
    assert cdi.endswith("| - |")  # the base's is always preferred, which says nothing of ranks
    pair = next(line for line in lines if line.startswith("| how different: colours"))
    assert float(re.search(r"\| (-?[\d.]+) \(", pair)[1]) > 0.8


def test_answers_are_read_from_what_the_page_saves(tmp_path, reports):
    human(tmp_path, reports)
    key = read_key(tmp_path / KEY)
    given = answers(key, lambda t: 2, lambda t: "x")
    path = tmp_path / "ratings.json"
    path.write_text(json.dumps(dataclasses.asdict(given)))
    assert read_answers(path, key) == given
    findings = human(tmp_path, reports, path)
    assert findings.lines[0].startswith("1 of 1 people looked")


def spoiled(key):
    """Yield contents of files that are no answers to the page."""
    good = dataclasses.asdict(answers(key, lambda t: 2, lambda t: "x"))
    yield ""
    yield "[" * 9999
    yield "[]"
    yield json.dumps({**good, "version": 9})
    yield json.dumps({**good, "page": "another"})
    yield json.dumps({**good, "extra": 1})
    first = good["answers"][0]
    for change in ({"color": 5}, {"color": True}, {"content": -1}, {"better": "z"}, {"id": "none"}, {"color": "2"}):
        yield json.dumps({**good, "answers": [{**first, **change}]})
    yield json.dumps({**good, "answers": [first, first]})
    yield json.dumps({**good, "answers": 3})


def test_spoiled_answers_are_refused_by_name(tmp_path, reports):
    human(tmp_path, reports)
    key, path = read_key(tmp_path / KEY), tmp_path / "ratings.json"
    for content in spoiled(key):
        path.write_text(content)
        with pytest.raises(UsageError, match=r"ratings\.json") as error:
            read_answers(path, key)
        assert error.value.settings == (Setting("ratings"),), content[:80]


def test_reports_without_pictures_are_refused(tmp_path, reports):
    with pytest.raises(UsageError, match="no report with pictures"):
        read_reports([tmp_path / "nothing"])
    for folder in reports.iterdir():
        for picture in (folder / "pairs").glob("*_base.png"):
            picture.unlink()
    with pytest.raises(UsageError, match="lacks its picture"):
        human(tmp_path, reports)


def test_a_key_is_the_same_for_the_same_reports(reports):
    found = read_reports([reports])
    assert make_key(found) == make_key(found) != make_key(found, seed=1)
    assert len(make_key(found, per_report=2).trials) == 2 * LORAS
    ranks = [t.rank for t in make_key(found, per_report=3).trials if t.report == "lora-1"]
    assert ranks == [0, 2, 5]  # from the most to the least changed
