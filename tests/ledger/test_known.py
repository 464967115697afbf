"""What is known of a LoRA without measuring it, who says so, and what a stranger's note cannot do."""

import json

import pytest
from owf.core.ledger.known import FILE, LEDGER, NOTE, Known, by_file, by_ledger, by_note, known_at
from owf.core.ledger.row import COMPLETE, CRASHED, FAILED, REFUSED, Row

SHA = "ab" * 32


def known(verdict, strength=1.0, by=LEDGER):
    return Known(verdict, strength, by)


@pytest.mark.parametrize(
    ("verdict", "audited", "says"),
    [
        # What passes at 0.8 passes below it, what drifts there drifts above it; the other sign is another change.
        ("PASS", 0.8, {0.2: True, 0.8: True, 1.0: False, -0.2: False, 0.0: False}),
        ("DRIFT", 0.8, {0.2: False, 0.8: True, 1.0: True, -1.0: False}),
        ("INCONCLUSIVE", 0.8, {0.2: False, 0.8: True, 1.0: False}),
        ("INVALID", 0.8, {0.2: True, 0.8: True, -1.0: True}),  # of the file, at any strength
        ("PASS", -0.8, {-0.2: True, -1.0: False, 0.2: False}),
    ],
)
def test_a_verdict_says_something_of_some_strengths(verdict, audited, says):
    for strength, is_said in says.items():
        assert (known_at([known(verdict, audited)], strength) is not None) == is_said, strength


def test_whoever_is_to_be_trusted_most_is_heard_first_then_the_same_strength_then_the_worst():
    claims = [known("PASS", by=FILE), known("DRIFT", by=NOTE), known("PASS", 2.0)]
    assert known_at(claims, 1.0) == known("PASS", 2.0)
    assert known_at(claims[:2], 1.0) == known("DRIFT", by=NOTE)
    assert known_at([known("PASS", 2.0), known("INCONCLUSIVE")], 1.0) == known("INCONCLUSIVE")
    assert known_at([known("PASS"), known("DRIFT")], 1.0) == known("DRIFT")
    assert known_at([], 1.0) is None


def test_a_pass_in_part_counts_less_than_anything_else_that_is_said():
    part = Known("PASS", 1.0, LEDGER, unjudged=("kid",))
    assert known_at([part, known("PASS", 2.0)], 1.0) == known("PASS", 2.0)
    assert known_at([part, known("DRIFT", 0.5)], 1.0) == known("DRIFT", 0.5)
    assert known_at([part, known("PASS", by=NOTE)], 1.0) == part  # a claim is not trusted more


def test_rows_speak_of_their_file_unless_something_else_was_wrong():
    rows = [Row("a", "", SHA, 0.5, "", "", status, "INVALID") for status in (COMPLETE, REFUSED, FAILED, CRASHED)]
    assert [each.strength for each in by_ledger(rows)] == [0.5, 0.5]
    assert by_ledger([Row("a", "", SHA, 0.5, "", "", COMPLETE, "PERFECT")]) == []


def test_a_note_is_read_in_both_layouts(tmp_path):
    lora, note = tmp_path / "a.b.safetensors", tmp_path / "a.b.owf.json"
    one = {"verdict": "DRIFT", "strength": 0.7, "sha256": SHA, "base": "XL", "reasons": ["Colours move.", "x"]}
    note.write_text(json.dumps(one))
    assert by_note(lora, SHA) == [Known("DRIFT", 0.7, NOTE, "XL", "Colours move.")]
    audits = [{"verdict": "PASS", "strength": 0.5}, {"verdict": "DRIFT", "strength": 1}]
    note.write_text(json.dumps({"version": 1, "sha256": SHA, "verdict": "DRIFT", "strength": 1, "audits": audits}))
    assert [(each.verdict, each.strength) for each in by_note(lora, SHA)] == [("PASS", 0.5), ("DRIFT", 1.0)]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "null",
        json.dumps({"verdict": "PASS", "strength": 1}),  # of which content?
        json.dumps({"verdict": "PASS", "strength": 1, "sha256": "cd" * 32}),
        json.dumps({"verdict": "PERFECT", "strength": 1, "sha256": SHA}),
        json.dumps({"verdict": ["PASS"], "strength": 1, "sha256": SHA}),
        json.dumps({"verdict": "PASS", "strength": True, "sha256": SHA}),
        json.dumps({"verdict": "PASS", "strength": "1", "sha256": SHA}),
        json.dumps({"verdict": "PASS", "strength": float("nan"), "sha256": SHA}),
        json.dumps({"verdict": "PASS", "strength": 10**400, "sha256": SHA}),
        json.dumps({"verdict": "PASS", "strength": 1, "sha256": SHA, "audits": [1, None, []]}),
    ],
)
def test_what_is_no_note_says_nothing(tmp_path, content):
    (tmp_path / "a.owf.json").write_text(content)
    assert by_note(tmp_path / "a.safetensors", SHA) == []


def test_a_note_that_is_not_there_or_no_file_says_nothing(tmp_path):
    assert by_note(tmp_path / "a.safetensors", SHA) == []
    (tmp_path / "a.owf.json").mkdir()
    assert by_note(tmp_path / "a.safetensors", SHA) == []


def test_without_a_hash_no_note_is_believed(tmp_path):
    (tmp_path / "a.owf.json").write_text(json.dumps({"verdict": "PASS", "strength": 1, "sha256": ""}))
    assert by_note(tmp_path / "a.safetensors", "") == []


def test_what_a_note_says_is_shown_as_text_alone(tmp_path):
    said = {"verdict": "DRIFT", "strength": 1, "sha256": SHA, "base": "a\u202eb\n", "reasons": [{"x": 1}]}
    (tmp_path / "a.owf.json").write_text(json.dumps(said))
    (found,) = by_note(tmp_path / "a.safetensors", SHA)
    assert "\u202e" not in found.base and "\n" not in found.base and len(found.reason) <= 300


def test_a_file_says_what_its_training_measured_at_strength_1():
    assert by_file({"owf.verdict": "PASS"}) == [Known("PASS", 1.0, FILE)]
    assert by_file({}) == by_file({"owf.verdict": "perfect"}) == []
