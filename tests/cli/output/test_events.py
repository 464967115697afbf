"""Lines of --progress json: each record has the fields that the schema that ships describes, and no others."""

import dataclasses
import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from owf.cli.output import events

SCHEMA = json.loads((Path(events.__file__).parents[1] / "events.schema.json").read_text())
MADE = [
    *(events.Rows(event=e, stage="Drawing", rows=3, total=9, eta_seconds=None) for e in ("stage", "progress", "end")),
    events.TrainingStep(
        stage="Training", rows=4, total=8, eta_seconds=1.5, step=1, steps=2, loss=0.5, smoothed_loss=0.5,
        terms={"dc": 0.1}, weights={"dc": 8.0}, rate=1e-3, drift=None, validation=0.25, gain=0.3,
    ),
    events.Reported(verdict="DRIFT", folder="out/x", pages=["out/x/report.html"], exit_code=1),
    events.Reported(
        verdict="PASS", folder="out/x", pages=[], exit_code=0, outcome="NOT LEARNED, PASS", summary="learned 3 %"
    ),
    events.Judged(lora="x.safetensors", verdict="INVALID", folder=None),
    events.Overview(verdict="PASS", pages=["out/overview.html"]),
    *(
        events.TrainingStopped(event=e, path="x", embedding=None, steps=3, drift=0.01, learned=learned, exit_code=0)
        for e, learned in (("trained", "NOT SHOWN"), ("interrupted", None))
    ),
    events.Failure(message="no such file", exit_code=2),
]  # fmt: skip


@pytest.mark.parametrize("event", MADE, ids=lambda event: event.event)
def test_every_event_is_a_line_that_the_schema_describes(event, capsys):
    events.emit(event)
    (line,) = capsys.readouterr().out.splitlines()
    jsonschema.validate(json.loads(line), SCHEMA)


def test_the_schema_describes_all_events_and_no_others():
    assert {type(event) for event in MADE} == set(get_args(events.Event))
    described = [set(kind["properties"]) for kind in SCHEMA["oneOf"]]
    assert sorted(described, key=sorted) == sorted(
        ({field.name for field in dataclasses.fields(kind)} for kind in get_args(events.Event)), key=sorted
    )


NO_EVENTS = [{"event": "bored"}, {"event": "error", "message": "x"}, {"event": "error", "message": 1, "exit_code": 2}]


@pytest.mark.parametrize("line", NO_EVENTS)
def test_other_lines_are_none(line):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, SCHEMA)
