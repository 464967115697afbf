"""What counts as an event of the command line is what its schema says, as another program reads that schema."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from owf.cli.output import events
from owf.webui.jobs.events import _RULES, _SAID_OF_IT, LONGEST, fits, read_event, schema

PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["stage", "PASS", "report", ""]))
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner), max_leaves=5
)
GOOD = [
    events.Rows(event="stage", stage="s", rows=1, total=2, eta_seconds=None),
    events.Reported(verdict="PASS", folder="f", pages=["p"], exit_code=0),
    events.Judged(lora="l", verdict="DRIFT", folder=None),
    events.Overview(verdict="INVALID", pages=[]),
    events.Failure(message="m", exit_code=2),
    events.TrainingStopped(
        event="trained", path="p", embedding=None, steps=1, drift=0.1, learned="LEARNED", exit_code=0
    ),
]
GOOD = [dataclasses.asdict(event) for event in GOOD]


def words(rule):
    if isinstance(rule, dict):
        for name, inner in rule.items():
            if name == "properties":
                for held in inner.values():
                    yield from words(held)
            else:
                yield name
                yield from words(inner)
    elif isinstance(rule, list):
        for inner in rule:
            yield from words(inner)


def test_every_word_of_the_schema_is_known():
    assert set(words(schema())) <= {*_RULES, *_SAID_OF_IT}


@pytest.mark.parametrize("event", GOOD, ids=lambda event: event["event"])
def test_what_the_command_line_writes_is_an_event(event):
    assert read_event(json.dumps(event).encode()) == event


@settings(deadline=None)  # no clock in a test
@given(st.sampled_from(GOOD), st.data())
def test_it_is_read_as_another_program_reads_it(event, data):
    name = data.draw(st.sampled_from([*event, "more"]))
    changed = {**event, name: data.draw(VALUES)}
    if data.draw(st.booleans()):
        changed.pop(data.draw(st.sampled_from([*event])))
    assert fits(changed, schema()) == Draft202012Validator(schema()).is_valid(changed)


@pytest.mark.parametrize("line", [b"", b"{", b"null", b"[]", b"\xff", b"[" * 200_000, b'{"event": "stage"}', b"1e999"])
def test_anything_else_is_none(line):
    assert read_event(line) is None


def test_a_line_that_is_too_long_is_none():
    event = {**GOOD[4], "message": "m" * LONGEST}
    assert read_event(json.dumps(event).encode()) is None
