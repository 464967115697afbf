"""The JSON layout: what is written fits the schema and reads back the same."""

import dataclasses
import json
import math
from pathlib import Path

import jsonschema
import pytest
import report_samples as samples
from owf.core.errors import UsageError
from owf.core.verdict import report as report_module
from owf.core.verdict.judge import judge
from owf.core.verdict.policy import Limit, Policy
from owf.core.verdict.report import parse_report, read_report, to_json, write_report

SCHEMA = json.loads(Path(report_module.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))
SAMPLES = ["report", "invalid_report", "open_report", "crowded_report", "silent_report", "trained_report"]


def test_schema_is_valid_and_of_the_version_that_is_written():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["version"]["const"] == report_module.VERSION


@pytest.mark.parametrize("name", SAMPLES)
def test_written_reports_fit_the_schema(name):
    jsonschema.validate(json.loads(to_json(getattr(samples, name)())), SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", SAMPLES)
def test_json_to_report_to_json_is_the_identity(name, tmp_path):
    report = getattr(samples, name)()
    path = tmp_path / "report.json"
    write_report(report, path)
    again = read_report(path)
    assert again == report
    assert to_json(again) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("verdict", "decision"), "FINE"),
        (("status",), "broken"),
        (("version",), 1),
        (("surprise",), 1),
        (("adapter", "matched"), -1),
        (("adapter", "blocks", 0, "relative"), -0.1),
        (("adapter", "blocks", 0, "modules"), 0),
        (("measurements", "kid", "estimates", "kid", "value"), None),
    ],
)
def test_schema_refuses(place, value):
    data = json.loads(to_json(samples.report()))
    target = data
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA, jsonschema.Draft202012Validator)


def test_every_record_field_is_described():
    data = json.loads(to_json(samples.trained_report()))
    assert set(SCHEMA["required"]) | {"learning"} == set(SCHEMA["properties"]) == set(data)
    for name, record in SCHEMA["$defs"].items():
        if record.get("type") == "object":
            left_out = {"prompts"} if name == "measurement" else set()  # where there is none
            assert set(record["required"]) | left_out == set(record["properties"]), name


@pytest.mark.parametrize("size", [math.nan, math.inf])
def test_changes_that_are_not_finite_are_null_and_read_as_none(tmp_path, size):
    report = samples.report()
    block = dataclasses.replace(report.adapter.blocks[0], relative=size)
    report = dataclasses.replace(report, adapter=dataclasses.replace(report.adapter, blocks=(block,)))
    write_report(report, tmp_path / "report.json")
    jsonschema.validate(json.loads(to_json(report)), SCHEMA, jsonschema.Draft202012Validator)
    assert read_report(tmp_path / "report.json").adapter.blocks[0].relative is None


def test_reports_from_before_blocks_were_recorded_can_be_read(tmp_path):
    data = json.loads(to_json(samples.report()))
    del data["adapter"]["blocks"]
    (tmp_path / "report.json").write_text(json.dumps(data))
    assert read_report(tmp_path / "report.json").adapter.blocks == ()


VERSION_1 = Path(__file__).with_name("version_1")
"""Reports that the code of layout 1 wrote."""


@pytest.mark.parametrize(("name", "now"), [("silent_alarm", "PASS"), ("alarms_alone", "INCONCLUSIVE")])
def test_files_of_version_1_are_read_and_judged(name, now):
    path = VERSION_1 / f"{name}.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    assert (written["version"], written["verdict"]["decision"]) == (1, "PASS")
    read = read_report(path)
    assert (read.version, read.verdict.decision) == (report_module.VERSION, now)
    assert read.verdict.judgements[-1].decision == "NO ALARM"
    # Every number is the file's, and judging anew comes to the same decision.
    again = json.loads(to_json(read))
    same = set(written) - {"version", "verdict"}
    assert {key: again[key] for key in same} == {key: written[key] for key in same}
    limits = [Limit(j.metric, j.estimate, j.limit, j.test) for j in read.verdict.judgements]
    assert judge(read.measurements, Policy(tuple(limits))).decision == now
    jsonschema.validate(again, SCHEMA, jsonschema.Draft202012Validator)


def _as_version_1(report):
    """Return a report's data as version 1 wrote it: an alarm that did not fire was PASS, and could be a verdict."""
    data = json.loads(to_json(report))
    data["version"] = 1
    for judgement in data["verdict"]["judgements"]:
        if judgement["decision"] == "NO ALARM":
            judgement["decision"] = "PASS"
    return data


@pytest.mark.parametrize(("alone", "before", "now"), [(False, "PASS", "PASS"), (True, "PASS", "INCONCLUSIVE")])
def test_silent_alarms_of_version_1_are_read_as_what_they_are(alone, before, now):
    report = samples.silent_report(alone)
    assert report.verdict.decision == now
    data = _as_version_1(report)
    data["verdict"]["decision"] = before
    read = parse_report(json.dumps(data), "report.json")
    assert read.verdict.decision == now and read.verdict.judgements[-1].decision == "NO ALARM"
    # Written again it is a whole report of this version.
    jsonschema.validate(json.loads(to_json(read)), SCHEMA, jsonschema.Draft202012Validator)
    assert parse_report(to_json(read), "report.json") == read


def test_a_silent_alarm_that_claims_pass_is_refused():
    data = _as_version_1(samples.silent_report()) | {"version": 2}
    with pytest.raises(UsageError, match="does not follow"):
        parse_report(json.dumps(data), "report.json")


def test_version_1_cannot_hide_an_alarm_that_fired():
    data = _as_version_1(samples.report())
    alarm = next(j for j in data["verdict"]["judgements"] if j["test"] == "alarm")
    assert alarm["decision"] == "DRIFT"
    alarm["decision"] = "PASS"
    with pytest.raises(UsageError, match="does not follow"):
        parse_report(json.dumps(data), "report.json")


@pytest.mark.parametrize("version", [0, 3, True, "2", None])
def test_other_versions_are_refused(version):
    data = json.loads(to_json(samples.report())) | {"version": version}
    with pytest.raises(UsageError, match="version"):
        parse_report(json.dumps(data), "report.json")


def _places(data, path=()):
    """Yield the way to everything in a report but what is below its plan, which is free in form.

    Of a list, whose items are alike, these are the first and the last.
    """
    yield path
    items: dict = {}
    if isinstance(data, dict):
        items = data
    elif isinstance(data, list) and data:
        items = {index: data[index] for index in (0, len(data) - 1)}
    for key, value in items.items():
        yield from _places(value, (*path, key)) if (*path, key) != ("plan",) else [(*path, key)]


def _changed(data, path, value):
    """Return a copy of the data with the value at the end of the path."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = _changed(data[path[0]], path[1:], value)
    return copy


WRONG = {
    str: (7, True, None, [], {}),
    int: ("x", True, [], {}, 10**400, 1.5),
    float: ("x", True, [], {}, 10**400),
    list: ("abc", {}, 7, None, [7], [None]),
    dict: ("x", [], 7, None),
}


def _is_free(path) -> bool:
    """Return whether a place may hold text as well as numbers."""
    return "facts" in path[:-1] or (path[:1] == ("timing",) and len(path) == 2)


def _is_read(data) -> bool:
    try:
        parse_report(json.dumps(data), "report.json")
    except UsageError:
        return False
    return True


@pytest.mark.no_cover
def test_wrong_types_are_refused_everywhere():
    data, refused = json.loads(to_json(samples.report())), 0
    for path in _places(data):
        right = data
        for key in path:
            right = right[key]
        for wrong in () if right is None or _is_free(path) else WRONG[type(right)]:
            assert not _is_read(_changed(data, path, wrong)), (path, str(wrong)[:9])
            refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict", "decision"), "FINE"),
        (("verdict", "judgements", 0, "decision"), "FINE"),
        (("status",), "broken"),
        (("measurements", "kid", "headline"), "missing"),
        (("measurements", "kid", "facts"), {"p_value": []}),
        (("timing", "seconds"), None),
    ],
)
def test_wrong_words_are_refused(path, value):
    with pytest.raises(UsageError):
        parse_report(json.dumps(_changed(json.loads(to_json(samples.report())), path, value)), "report.json")


@pytest.mark.parametrize("text", ["NaN", "[NaN]", "[" * 100000, '{"version": 1}', '{"version": 1.0}', "\x00", ""])
def test_what_is_no_report_is_a_usage_error(text):
    with pytest.raises(UsageError):
        parse_report(text, "report.json")


def test_a_change_without_a_finite_size_reads_back(tmp_path):
    report = samples.report()
    report = dataclasses.replace(report, adapter=dataclasses.replace(report.adapter, delta_norm=math.inf))
    write_report(report, tmp_path / "report.json")
    assert math.isnan(read_report(tmp_path / "report.json").adapter.delta_norm)


def _accuse(data):
    data["verdict"]["decision"] = "PASS"


def _drop_judgements(data):
    _accuse(data)
    data["verdict"]["judgements"] = []


def _drop_everything(data):
    _drop_judgements(data)
    data["measurements"] = {}


def _soften(data):
    _accuse(data)
    for judgement in data["verdict"]["judgements"]:
        judgement["decision"] = "PASS"


@pytest.mark.parametrize("forge", [_accuse, _drop_judgements, _drop_everything, _soften])
def test_a_verdict_that_does_not_follow_is_refused(forge):
    data = json.loads(to_json(samples.report()))
    assert data["verdict"]["decision"] == "DRIFT"
    forge(data)
    with pytest.raises(UsageError, match="not a whole OWF report"):
        parse_report(json.dumps(data), "the report input")


@pytest.mark.parametrize("value", ["1e999", "-1e999", "1" + 400 * "0"])
def test_numbers_beyond_all_numbers_are_refused(tmp_path, value):
    """JSON may write them: Python reads infinity, or an integer that no arithmetic takes."""
    data = json.loads(to_json(samples.report()))
    measurement = next(iter(data["measurements"].values()))
    measurement["estimates"][measurement["headline"]]["value"] = "HERE"
    path = tmp_path / "report.json"
    path.write_text(json.dumps(data).replace('"HERE"', value))
    with pytest.raises(UsageError, match="not a whole OWF report"):
        read_report(path)
