"""The gate: when a node lets nothing run that is connected to its models."""

from typing import Any

from ...core.verdict.verdict import DRIFT, INVALID, PASS

GATES = ("never", "on DRIFT or INVALID", "unless PASS")
"""When the outputs `model` and `clip` stop whatever is connected to them."""


def is_closed(gate: str, decision: str) -> bool:
    """Return whether a gate stops the graph at a decision; such as "NOT AUDITED" or a PASS in part is no PASS."""
    return (gate == GATES[1] and decision in (DRIFT, INVALID)) or (gate == GATES[2] and decision != PASS)


def blocker() -> Any:
    """Return what stops every node that it reaches. It is silent: a message would be an error of those nodes."""
    from comfy_execution.graph_utils import ExecutionBlocker

    return ExecutionBlocker(None)


def closed_note(gate: str) -> str:
    """Return the sentence that says on the node that its gate is closed."""
    return f"The gate is closed ({gate}): nothing runs that is connected to model or clip."
