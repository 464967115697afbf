"""What was learned: the decision of every combination of intervals, its words, and its way through a report's JSON."""

import dataclasses
import json
import math

import pytest
from owf.core.errors import Setting, UsageError
from owf.core.metrics.measurement import Estimate
from owf.core.verdict.learning import (
    LEARNED,
    NOT_LEARNED,
    NOT_SHOWN,
    decide,
    judge_learning,
    learning_facts,
    not_measured,
)
from owf.core.verdict.outcome import outcome, said, summary
from owf.core.verdict.report import parse_report, to_json
from report_samples import invalid_report, report


def share(value, low, high, floor=None):
    return Estimate(value, low, high, 16, "share", floor)


HIGH, LOW, WIDE = share(0.83, 0.76, 0.90), share(0.1, -0.1, 0.3), share(0.5, 0.2, 0.8)
ALL, NONE, SOME = share(1, 0.81, 1, 0.0), share(0, 0, 0.19, 0.0), share(0.12, 0.03, 0.36, 0.0)
CEILING, NO_CEILING = share(1, 0.57, 1), share(0.2, 0.04, 0.62)


def numbers(fidelity, retrieval, ceiling=CEILING):
    found = {"fidelity": fidelity, "retrieval": retrieval, "retrieval_ceiling": ceiling}
    return {name: estimate for name, estimate in found.items() if estimate is not None}


@pytest.mark.parametrize(
    ("fidelity", "retrieval", "ceiling", "decision"),
    [
        (HIGH, ALL, CEILING, LEARNED),
        (HIGH, ALL, NO_CEILING, LEARNED),
        (HIGH, NONE, CEILING, NOT_LEARNED),  # a look between all things
        (LOW, ALL, CEILING, NOT_LEARNED),  # a faint likeness
        (LOW, NONE, CEILING, NOT_LEARNED),
        (LOW, None, None, NOT_LEARNED),
        (None, NONE, CEILING, NOT_LEARNED),
        (WIDE, ALL, CEILING, NOT_SHOWN),
        (None, ALL, CEILING, NOT_SHOWN),
        (HIGH, SOME, NO_CEILING, NOT_SHOWN),
        (HIGH, NONE, NO_CEILING, NOT_SHOWN),  # nothing could be retrieved, so that it was not says nothing
        (HIGH, None, None, NOT_SHOWN),
        (None, None, None, NOT_SHOWN),
        (HIGH, share(0.4, 0.2, 0.6, 0.3), CEILING, NOT_SHOWN),  # the base retrieves it as well
        (share(0.5, 0.5, 0.6), ALL, CEILING, LEARNED),
        (share(0.4, 0.3, 0.5), ALL, CEILING, NOT_SHOWN),
    ],
)
def test_the_decision_follows_from_the_intervals(fidelity, retrieval, ceiling, decision):
    assert decide(numbers(fidelity, retrieval, ceiling)) == decision
    assert judge_learning(numbers(fidelity, retrieval, ceiling), {}).decision == decision


def with_learning(found, of=report):
    return dataclasses.replace(of(), learning=found)


def test_the_summary_says_what_was_learned_and_what_was_kept():
    found = with_learning(judge_learning(numbers(HIGH, ALL), {}))
    assert summary(found) == "learned 83 % (76 to 90), kept 74 %"  # 0.600 of 0.816
    assert outcome(found) == f"LEARNED, {found.verdict.decision}"
    assert summary(report()) == ""
    assert outcome(report()) == report().verdict.decision


@pytest.mark.parametrize(("retrieval", "word"), [(NONE, "NOT LEARNED"), (None, "NOT SHOWN")])
def test_a_pass_never_stands_alone_where_nothing_was_learned(retrieval, word):
    passed = dataclasses.replace(report(), verdict=dataclasses.replace(report().verdict, decision="PASS"))
    found = dataclasses.replace(passed, learning=judge_learning(numbers(HIGH, retrieval, CEILING), {}))
    assert outcome(found) == f"{word}, PASS, in part"


def test_not_learned_says_what_to_change_in_the_words_of_the_host():
    found = judge_learning(numbers(LOW, NONE), {})
    text = said(found, lambda setting: f"<{setting.name}>")
    assert text.startswith("NOT LEARNED: learned 10 % (-10 to 30). ")
    assert "10 % (-10 to 30) of the way, less than 50 %" in text
    assert "0 % (0 to 19) of cases (chance 5 %; the base 0 %; views of the concept 100 % (57 to 100))" in text
    assert text.endswith("from more or better pictures (<steps>, <rate>, <dc_weight>).")


def test_copies_are_told_and_change_no_decision():
    copied = {**numbers(HIGH, ALL), "copied": share(0.5, 0.3, 0.7, 0.0)}
    assert judge_learning(copied, {}).decision == LEARNED
    assert "50 % of the trigger's pictures are nearly a training picture" in judge_learning(copied, {}).reasons[-1]
    clean = {**numbers(HIGH, ALL), "copied": share(0.1, 0.0, 0.3, 0.1)}  # the base's pictures are as near
    assert not any("copies" in reason for reason in judge_learning(clean, {}).reasons)


@pytest.mark.parametrize(("ceiling", "said"), [(0.74, "keeps 20 % of"), (0.65, "keeps 0 % of"), (0.80, ""), (0.9, "")])
def test_an_autoencoder_that_cannot_draw_the_concept_is_named(ceiling, said):
    cosines = {"cosine_base": 0.70, "cosine_ceiling": ceiling, "cosine_views": 0.90}
    reasons = " ".join(judge_learning(numbers(HIGH, ALL), cosines).reasons)
    assert said in reasons
    assert ("autoencoder keeps" in reasons) is bool(said)


def test_metadata_have_the_decision_and_the_numbers():
    facts = learning_facts(judge_learning(numbers(HIGH, ALL), {}))
    assert facts["owf.learned"] == "LEARNED"
    assert [facts[f"owf.fidelity{end}"] for end in ("", "_low", "_high")] == ["0.83", "0.76", "0.9"]
    assert "owf.retrieval_ceiling" not in facts
    assert learning_facts(not_measured("Offline.")) == {"owf.learned": "NOT SHOWN"}


@pytest.mark.parametrize("of", [report, invalid_report])
def test_a_report_keeps_it_and_one_without_is_written_as_before(of):
    found = judge_learning(numbers(HIGH, ALL), {"views": 5, "cosine_ceiling": math.nan, "prompt": "a sks bag"})
    again = parse_report(to_json(with_learning(found, of)), "x")
    assert again.learning is not None
    assert (again.learning.decision, again.learning.reasons) == (found.decision, found.reasons)
    assert again.learning.estimates == found.estimates
    assert again.learning.facts["views"] == 5
    assert "learning" not in json.loads(to_json(of()))
    assert parse_report(to_json(of()), "x").learning is None


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "LEARNED"},
        {"decision": "PASS"},
        {"decision": ["LEARNED"]},
        {"reasons": "text"},
        {"reasons": [1]},
        {"estimates": []},
        {"estimates": {"fidelity": {"value": "x", "low": 0, "high": 1, "n": 1}}},
        {"facts": {"x": []}},
        {"facts": None},
        {"version": "1"},
        {"more": 1},
    ],
)
def test_a_strangers_report_cannot_say_otherwise(change):
    data = json.loads(to_json(with_learning(judge_learning(numbers(LOW, NONE), {}))))
    data["learning"] |= change
    with pytest.raises(UsageError):
        parse_report(json.dumps(data), "x")


def test_what_could_not_be_measured_is_a_reason_and_not_a_pass():
    found = not_measured("No network.", Setting("offline", "off"))
    assert found.decision == NOT_SHOWN
    assert said(found, lambda setting: setting.name) == "NOT SHOWN: learned: not measured. No network (offline)."


def test_what_was_retrieved_is_told_where_fidelity_is_not_known():
    found = judge_learning(numbers(None, ALL), {})
    assert found.summary == "retrieved among 20 looks 100 % (81 to 100), fidelity not measured"
