"""`owf-train --dry-run`: rows, time and memory of a training, with nothing loaded, fetched or written."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ...core.audit.evidence.cost import Cost, audit_cost
from ...core.audit.request import plan_for
from ...core.model.base import choose_base
from ...core.model.blueprint import Blueprint, blueprint
from ...core.model.device import choose_device
from ...core.model.names import base_names
from ...core.model.stored import dtype_of_base
from ...core.plan.audit_plan import AuditPlan
from ...core.text import counted, inert
from ...core.train.audited import REQUEST
from ...core.train.forecast.memory import TrainMemories, Way
from ...core.train.forecast.rows import TrainRows, training_rows
from ...core.train.forecast.step import side_of_rows
from ...core.train.plan import TrainPlan
from ...core.train.session import TrainSession, require_trained
from ...core.train.summary import doubts
from ...core.train.train import require_kept
from ..dry_run.machine import CLOSING, base_lines
from ..dry_run.training import TrainingsAhead
from ..dry_run.training import lines as of_machines
from .options import RunOptions
from .session import request_from


def dry_run(plan: TrainPlan, options: RunOptions, given: frozenset[str]) -> int:
    """Print what a training would be; return 0. Raises UsageError for what the training would refuse, too."""
    from rich.console import Console

    console = Console(stderr=options.progress == "json")
    session = TrainSession(request_from(plan, options, given))
    with console.status("Counting what a step takes"):  # which takes a while for large bases
        said = list(_lines(session, options))
    for line in said:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def _lines(session: TrainSession, options: RunOptions) -> Iterator[str]:
    choice = choose_base(options.base or None, "demo" if options.demo_base else None)
    base = blueprint(choice)
    require_trained(base.family, choice.path)
    names = (base.name, *base_names(choice))
    plan, bank = session.planned(base.family, names)
    require_kept(plan, options.keeping)
    usual = base.family.drawing(names)
    rows = training_rows(plan, bank, base.family.name, usual, asks_learned=options.audit)
    audit, audit_rows = None, 0.0
    if options.audit:
        asked, audit = _audit_cost(base, plan, names)
        audit_rows = (audit.tuned + audit.base) * (asked.side(base.made_for) / base.made_for) ** 2
    memories = TrainMemories(lambda: blueprint(choice), (plan,))
    device = choose_device(options.device)
    here, on_cards = (dtype_of_base(options.dtype, place, choice) for place in (device, torch.device("cuda")))

    size = (side_of_rows(base, plan) / base.made_for) ** 2
    ahead = TrainingsAhead(
        base,
        memories,
        Way(options.keeping, plan.checkpointing),
        device,
        here,
        on_cards,
        trained=lambda checkpointing: size * (rows.student_cost(checkpointing) + rows.teacher),
        others=rows.without_gradients - rows.teacher + audit_rows,
        audits=options.audit,
        audits_must_fit=False,
    )
    yield _pictures(session, plan)
    yield from base_lines(base, choice)
    yield _plan(plan)
    yield _rows(rows, audit, base)
    yield ""
    yield from of_machines(ahead)
    yield CLOSING


def _audit_cost(base: Blueprint, plan: TrainPlan, names: tuple[str, ...]) -> tuple[AuditPlan, Cost]:
    """Return what the audit at the end asks, and what it costs."""
    asked = replace(REQUEST, prompt_form=plan.prompt_form)
    audited, _ = plan_for(asked, base.family.name, base.made_for, names=names)
    return audited, audit_cost(audited, audited.per_class * len(audited.classes))


def _pictures(session: TrainSession, plan: TrainPlan) -> str:
    told = [f"{counted(len(session.images), 'picture')} of {inert(session.concept.phrase, 200)}."]
    return " ".join([*told, *session.left_out(), *doubts(session)])


def _plan(plan: TrainPlan) -> str:
    parts = f", {plan.accumulate} times before each step" if plan.accumulate > 1 else ""
    kept = ", ".join(plan.preserve) or "nothing"
    return (
        f"Plan: {counted(plan.steps, 'step')} of {counted(plan.batch, 'picture')}{parts}, {plan.method} by "
        f"{plan.algorithm} of rank {plan.rank} on {plan.targets}; preserved by {kept}"
    )


def _rows(rows: TrainRows, audit: Cost | None, base: Blueprint) -> str:
    said = [
        f"{rows.student:,} with gradients",
        f"{rows.teacher:,} of the base beside them",
        f"{rows.checking:,} to check how it is read and {rows.drawing:,} for {counted(rows.pictures, 'picture')} that "
        "it draws (once, then cached)",
        f"{rows.watching:,} to watch drift and gain",
        f"{rows.learned:,} to see what was learned" if rows.learned else "",
        f"the audit: {audit.tuned:,} for the LoRA, {audit.base:,} for the base (once, then cached)" if audit else "",
    ]
    return f"Rows of the denoiser: {'; '.join(filter(None, said))}; {base.row_operations / 1e12:.3g} TFLOP each"
