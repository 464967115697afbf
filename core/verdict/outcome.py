"""The outcome of an audit in a few words: the verdict, and after a training what it learned and kept. No torch."""

from collections.abc import Callable

from ..errors import Setting
from .learning import Learning
from .part import shown_verdict
from .report import Report


def outcome(report: Report) -> str:
    """Return the verdict, a PASS in part as one.

    At the end of a training what was learned stands before it, so that PASS is never alone.
    """
    decision = shown_verdict(report)
    return decision if report.learning is None else f"{report.learning.decision}, {decision}"


def summary(report: Report) -> str:
    """Return what was learned and kept, such as "learned 83 % (76 to 90), kept 98 %"; "" after an audit alone."""
    if report.learning is None:
        return ""
    share = kept(report)
    return report.learning.summary + ("" if share is None else f", kept {100 * share:.0f} %")


def kept(report: Report) -> float | None:
    """Return the share of the base's zero-shot accuracy that the LoRA leaves; None where it was not measured."""
    seen = report.measurements.get("semantic")
    if seen is None or not {"accuracy_base", "accuracy_tuned"} <= set(seen.estimates):
        return None
    base = seen.estimates["accuracy_base"].value
    return seen.estimates["accuracy_tuned"].value / base if base > 0 else None


def said(learning: Learning, word: Callable[[Setting], str]) -> str:
    """Return what was learned in a paragraph, with a host's words for the settings that would change it."""
    return " ".join((f"{learning.decision}: {learning.summary}.", *learning.worded(word)))
