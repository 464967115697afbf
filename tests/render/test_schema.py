"""The JSON layout: what is written fits the schema and reads back the same."""

import dataclasses
import json
import math
from pathlib import Path

import jsonschema
import pytest
from owf.core import report as report_module
from owf.core.report import read_report, to_json, write_report

SCHEMA = json.loads(Path(report_module.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))
SAMPLES = ["report", "invalid_report", "open_report", "crowded_report"]


def test_schema_is_valid_and_of_the_version_that_is_written():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["version"]["const"] == report_module.VERSION


@pytest.mark.parametrize("name", SAMPLES)
def test_written_reports_fit_the_schema(samples, name):
    jsonschema.validate(json.loads(to_json(getattr(samples, name)())), SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", SAMPLES)
def test_json_to_report_to_json_is_the_identity(samples, name, tmp_path):
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
        (("version",), 2),
        (("surprise",), 1),
        (("adapter", "matched"), -1),
        (("adapter", "blocks", 0, "relative"), -0.1),
        (("adapter", "blocks", 0, "modules"), 0),
        (("measurements", "kid", "estimates", "kid", "value"), None),
    ],
)
def test_schema_refuses(samples, place, value):
    data = json.loads(to_json(samples.report()))
    target = data
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA, jsonschema.Draft202012Validator)


def test_every_record_field_is_described(samples):
    data = json.loads(to_json(samples.report()))
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == set(data)
    for name, record in SCHEMA["$defs"].items():
        if record.get("type") == "object":
            assert set(record["required"]) == set(record["properties"]), name


@pytest.mark.parametrize("size", [math.nan, math.inf])
def test_changes_that_are_not_finite_are_null_and_read_as_none(samples, tmp_path, size):
    report = samples.report()
    block = dataclasses.replace(report.adapter.blocks[0], relative=size)
    report = dataclasses.replace(report, adapter=dataclasses.replace(report.adapter, blocks=(block,)))
    write_report(report, tmp_path / "report.json")
    jsonschema.validate(json.loads(to_json(report)), SCHEMA, jsonschema.Draft202012Validator)
    assert read_report(tmp_path / "report.json").adapter.blocks[0].relative is None


def test_reports_from_before_blocks_were_recorded_can_be_read(samples, tmp_path):
    data = json.loads(to_json(samples.report()))
    del data["adapter"]["blocks"]
    (tmp_path / "report.json").write_text(json.dumps(data))
    assert read_report(tmp_path / "report.json").adapter.blocks == ()
