"""Which strengths of a LoRA pass: from verdicts at some of them, and no further than these say. No torch."""

from collections.abc import Iterable

from ..verdict.verdict import DRIFT, PASS


def largest_passing(verdicts: Iterable[tuple[float, str]]) -> str:
    """Return in words up to which strength a LoRA passes, and from which on it drifts.

    A strength counts as passing if every smaller one that was asked passes too, and as drifting if it is DRIFT. What
    lies between the largest of the first and the smallest of the second is what these strengths leave open.
    """
    ordered = sorted(verdicts, key=lambda verdict: abs(verdict[0]))
    passing = 0
    while passing < len(ordered) and ordered[passing][1] == PASS:
        passing += 1
    drifting = next((strength for strength, decision in ordered[passing:] if decision == DRIFT), None)
    if passing == len(ordered):
        return f"passes at every strength that was asked, up to {ordered[-1][0]:g}."
    last = ordered[passing - 1][0] if passing else None
    said = "passes at none of these strengths" if last is None else f"passes up to {last:g}"
    if drifting is None:
        return f"{said}, and whether it drifts at {ordered[passing][0]:g} is not decided."
    if last is None:
        return f"{said}, and drifts at {drifting:g}."
    return f"{said}, and drifts at {drifting:g}: the largest strength that passes lies between."
