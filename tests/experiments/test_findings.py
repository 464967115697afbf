"""Tables and sentences from results whose answers are known beforehand."""

import dataclasses

import numpy as np
import pytest
from owf.core.experiments.experiment import find_experiment
from owf.core.experiments.findings.compare import cell, counted_runs, floor_of, mean_of, table, values
from owf.core.experiments.findings.figure import HEIGHT, WIDTH
from owf.core.experiments.frontier import OWN, at_level, least_drifts, sets_it
from owf.core.experiments.jobs.study import Asked
from owf.core.metrics.measurement import Estimate
from studies import result, study


def cells(lines, first):
    (line,) = (line for line in lines if line.startswith(f"| {first} |"))
    return [text.strip() for text in line.strip("|").split(" | ")]


def test_means_and_floors_leave_out_what_was_not_measured():
    results = [result("a", drift=0.1, floors={"drift": 0.01}), result("a", drift=0.3), result("a")]
    assert values(results, "drift", 100) == [pytest.approx(10), pytest.approx(30)]
    assert mean_of(results, "drift").value == pytest.approx(0.2)
    assert floor_of(results, "drift") == pytest.approx(0.01)
    assert mean_of(results, "cdi") is None and floor_of(results, "cdi") is None
    assert cell(None, 1) == "-" and cell(Estimate(1.26, 0.0, 2.0, 3), 1) == "1.3"
    assert cell(Estimate(1.26, 0.26, 2.26, 4), 1) == "1.3 ± 1.0"
    assert table(["a", "b"], [["x|y", "1"]])[-1] == "| x\\|y | 1 |"


def test_too_few_runs_are_said():
    assert "a first look" in counted_runs([result("a")])
    many = [result("a", concept, seed) for concept in ("dog", "cup") for seed in (0, 1)]
    assert counted_runs(many).startswith("Concepts: dog, cup; seeds: 0, 1.") and "first look" not in counted_runs(many)


def test_table1_shows_accuracy_with_the_mean_worst_class_drop():
    numbers = {"accuracy_base": 0.8, "drift": 0.02}
    results = [
        result("DB", "dog", accuracy_tuned=0.7, accuracy_drop=0.1, worst_class_drop=0.3, **numbers),
        result(
            "DB", "cup", accuracy_tuned=0.6, accuracy_drop=0.2, worst_class_drop=0.5, decision="NOT LEARNED", **numbers
        ),
        result("CD", "dog", accuracy_tuned=0.8, accuracy_drop=0.0, worst_class_drop=0.1, **numbers),
    ]
    results[0].numbers["worst_class_drop"] = Estimate(0.3, 0.1, 0.5, 50, "share", 0.12)
    results[0].numbers["accuracy_drop"] = Estimate(0.1, 0.05, 0.15, 50, "share", 0.01)
    found = find_experiment("table1").findings(study(), results)
    lines, figure = found.lines, found.figure
    # Each method stands over its own name, the last as well as the first.
    assert [(figure.names[int(series.points[0][0])]) for series in figure.series] == ["DB", "CD"]
    assert figure.draw().size == (WIDTH, HEIGHT)
    assert cells(lines, "Base")[1:4] == ["80.0 (floor 12)", "floor 1.0", "floor -"]
    assert cells(lines, "DB")[1:] == ["65.0 (40)", "15.0", "2.00", "1 of 2"]
    assert cells(lines, "CD")[1:3] == ["80.0 (10)", "0.0"]
    assert cells(lines, "DB-DC")[1:3] == ["- (-)", "-"]


def test_the_papers_numbers_stand_beside_ours_only_where_the_setting_is_the_papers():
    results = [result("DB", accuracy_base=0.8, accuracy_tuned=0.7)]
    findings = find_experiment("table1").findings
    theirs = findings(study(family="sd15", asked=Asked("paper", None, "cifar10")), results).lines
    assert cells(theirs, "DB")[-1] == "75.92 (32.40)" and cells(theirs, "Base")[-1] == "81.60"
    assert cells(theirs, "CD-DC\\pr")[-1] == "82.04 (10.80)"
    others = [("demo", Asked("paper", None, "cifar10")), ("sd15", Asked("quick", None, "cifar10"))]
    for family, asked in (*others, ("sd15", Asked("paper", None, "cifar10", per_class=5))):
        assert "75.92" not in " ".join(findings(study(family=family, asked=asked), results).lines)


@pytest.mark.parametrize(
    ("curve", "lost"),
    [
        ([(0.25, 0.1), (0.75, 0.3)], 0.2),  # half way between
        ([(0.5, 0.1)], 0.1),
        ([(1.0, 0.2)], 0.1),  # from the untrained base on
        ([(0.2, 0.1), (0.4, 0.9)], None),
        ([], None),
        ([(0.6, 0.3), (0.4, 0.1), (0.9, 0.5)], 0.25),  # where it is reached first
    ],
)
def test_a_curve_is_read_where_it_first_learns_enough(curve, lost):
    found = at_level(curve, 0.5)
    assert found is None if lost is None else found == pytest.approx(lost)


def curve(row, drifts, concept="dog"):
    """Return results of ever smaller weights that learn 25, 50 and 75 %."""
    return [
        result(row, concept, at={"weight": weight}, fidelity=learned, drift=drift, accuracy_drop=10 * drift)
        for weight, learned, drift in zip((3.0, 1.0, 0.0), (0.25, 0.5, 0.75), drifts, strict=True)
    ]


def test_frontier_says_the_least_drift_and_what_sets_it():
    results = [
        *curve(OWN, (0.01, 0.02, 0.04)),
        *curve("rank 2", (0.001, 0.004, 0.01)),
        *curve("rank 32", (0, 0.08, 0.1)),
    ]
    results += [*curve("bank 8", (0.01, 0.03, 0.04))]
    assert least_drifts(results[:3]) == {("dog", 0): pytest.approx(2.0)}
    findings = find_experiment("frontier").findings(study(), results)
    assert cells(findings.lines, OWN)[1:] == ["1 of 1", "2.00", "20.0"]
    assert cells(findings.lines, "rank 2")[2] == "0.40"
    assert "rank sets it most: 0.4 to 8 %, a factor of 20.0" in findings.lines[-1]
    assert [series.label for series in findings.figure.series] == [OWN, "rank 2", "rank 32", "bank 8"]
    assert findings.figure.series[0].points[0] == (0.0, 0.0)


def test_what_sets_it_is_not_told_where_too_few_learned():
    assert "not shown" in sets_it({OWN: {("dog", 0): 1.0}})
    assert "not shown" in sets_it({OWN: {("dog", 0): 1.0}, "rank 2": {("cup", 0): 1.0}, "rank 32": {("cup", 0): 1.0}})


def test_sequence_shows_what_is_lost_after_each_concept():
    rows = ("continued", "stacked with drift correction")
    results = [
        result(row, at={"concepts": float(n)}, drift=0.01 * n * (i + 1), accuracy_drop=0.1 * n)
        for i, row in enumerate(rows)
        for n in (1, 2, 3)
    ]
    findings = find_experiment("sequence").findings(study(words=("dog", "cup", "hat")), results)
    drift = [line for line in findings.lines if line.startswith("| continued |")]
    assert drift[0] == "| continued | 1.00 | 2.00 | 3.00 |" and drift[1] == "| continued | 10.0 | 20.0 | 30.0 |"
    assert drift[2] == "| continued | - | - | - |"  # no colours were measured
    assert findings.figure.series[1].points == ((0.0, 0.0), *((float(n), pytest.approx(2.0 * n)) for n in (1, 2, 3)))


def loras(count, effect):
    """Return LoRAs whose drift follows the size of their change, as far as `effect` says, and nothing else."""
    draws = np.random.default_rng(0)
    found = []
    for i in range(count):
        size, length, noise = draws.normal(size=3)
        drift = 10 ** (effect * size + (1 - effect) * noise)
        at = {"log steps x rate": float(length), "log rank": float(i % 3)}
        one = result("plain", ("dog", "cup", "hat")[i % 3], at=at, drift=drift, probe_drift=1.0)
        found.append(dataclasses.replace(one, facts={"delta_norm": float(10**size)}))
    return found


def test_predict_finds_what_was_put_in_and_nothing_else():
    findings = find_experiment("predict").findings
    shown = findings(study(), loras(90, 1.0)).lines
    assert float(cells(shown, "size of the change alone")[1].split()[0]) == pytest.approx(1, abs=0.01)
    # Without a link 95 % of 90 rows are within 0.21; leaving out whole groups pulls a little below 0.
    assert abs(float(cells(shown, "steps x rate alone")[1].split()[0])) < 0.5
    assert cells(shown, "weights")[2] == "-"  # accuracy was not measured
    assert "Above 0.8 is shown for: denoiser drift." in shown[-1]
    assert "replaces an audit" in findings(study(), loras(90, 0.0)).lines[-1]
    assert "too few" in findings(study(), loras(5, 1.0)).lines[0]


def test_table2_shows_what_was_seen_and_the_papers_row_beside_it():
    results = [result("DB", concept_dino=0.5, concept_clip_i=0.7, drift=0.01), result("DB", "cup", concept_dino=0.7)]
    findings = find_experiment("table2").findings
    assert cells(findings(study(), results).lines, "DB") == ["DB", "0.600", "0.700", "2 of 2"]
    theirs = findings(study(family="sd15"), results).lines
    assert cells(theirs, "DB")[-1] == "0.42 / 0.68 / 0.79" and cells(theirs, "CD-DC")[-1] == "0.44 / 0.69 / 0.79"
    assert findings(study(), [result("DB", drift=0.01)]).figure is None


def test_weightless_says_what_moved_nothing_at_all():
    still = [result("textual inversion", fidelity=0.4, drift=0.0, accuracy_drop=0.0, cdi=0.0)]
    moved = [result("reference attention", fidelity=0.6, drift=0.0, accuracy_drop=0.01)]
    findings = find_experiment("weightless").findings(study(), [*still, *moved])
    assert "to the last bit: textual inversion." in findings.lines[-1]
    assert cells(findings.lines, "textual inversion")[1:4] == ["1 of 1", "40", "0.00"]
    assert findings.figure.series[1].points == ((pytest.approx(60.0), 0.0),)
    assert "moved something" in find_experiment("weightless").findings(study(), moved).lines[-1]


def test_the_protocol_is_told_with_its_sums():
    lines = find_experiment("protocol").findings(study(), []).lines
    text = "\n".join(lines)
    assert "20,511,650" in text and "19.3 million" in text and "20.5 million" in text
    assert f"{61 * 20_511_650 / 1e9:.2f} thousand million" in text


def test_first3_stands_beside_the_floor():
    floors = {"accuracy_drop": 0.01, "cdi": 2.0}
    results = [result("DreamBooth", floors=floors, accuracy_base=0.8, accuracy_tuned=0.6, accuracy_drop=0.2, cdi=9.0)]
    lines = find_experiment("first3").findings(study(), results).lines
    assert cells(lines, "base against itself")[2:] == ["80.0", "1.0", "-", "2.0", "-"]
    assert cells(lines, "DreamBooth")[1:] == ["1 of 1", "60.0", "20.0", "-", "9.0", "-"]
