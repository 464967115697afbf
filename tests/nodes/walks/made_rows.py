"""Audits of LoRAs at strengths as a run keeps them, for other walks."""

import dataclasses
from pathlib import Path

from made_report import _measurement, made, verdict
from walk import pack

row = pack("core.ledger.row")


def report(drift, whole=False):
    """Return a report of one drift, known to a hundredth of itself; a `whole` one has all other numbers too, as 0."""
    estimate = _measurement.Estimate(drift, 0.99 * drift, 1.01 * drift, 8, "relative", 1e-9)
    found = {"denoiser_drift": _measurement.Measurement("denoiser_drift", 1, "drift", {"drift": estimate})}
    for limit in pack("core.verdict.policy").default_policy().limits if whole else ():
        numbers = found[limit.metric].estimates if limit.metric in found else {}
        numbers = {limit.estimate: _measurement.Estimate(0.0, 0.0, 0.0, 8, "relative"), **numbers}
        found[limit.metric] = _measurement.Measurement(limit.metric, 1, limit.estimate, numbers)
    return dataclasses.replace(made(), measurements=found, verdict=verdict.judge(found))


def done(name, strength, drift, is_known=False, whole=False):
    """Return a LoRA at a strength with its drift; None is one that could not be audited."""
    driver, task = pack("core.batch.driver"), pack("core.batch.task")
    said = None if drift is None else report(drift, whole)
    head = (name, "", "ab", strength, "", "question")
    if said is None:
        made_row = row.Row(*head, row.REFUSED, reason="It is <b>broken</b>.")
    else:
        decided = said.verdict
        made_row = row.Row(
            *head, row.COMPLETE, decided.decision, decided.reasons[0], folder="x", numbers=row.numbers(said)
        )
    return driver.Done(task.Task(Path(name), name, strength), made_row, said, is_known)
