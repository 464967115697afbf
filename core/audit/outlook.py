"""What an audit is about to do, in a sentence."""

from ..model.denoiser import Denoiser
from ..model.speed import estimate
from ..plan.audit_plan import AuditPlan
from ..text import inert
from .audit import AuditSetting, to_do
from .change import Change


def outlook(denoiser: Denoiser, change: Change, plan: AuditPlan, setting: AuditSetting) -> str:
    """Return the rows that are left of an audit, and about how long they take and how much memory."""
    left, whole = to_do(denoiser, change.key, plan, setting)
    cost = estimate(denoiser, setting.batch)
    base, minutes = "the base's are cached", f"{cost.minutes(left.tuned):.1f}"
    if left.base:
        base = f"{_of(left.base, whole.base)} for the base (once, then cached)"
        minutes += f" + {cost.minutes(left.base):.1f}"
    return (
        f"Base {inert(denoiser.name)} on {denoiser.device} ({denoiser.dtype}), preset {plan.preset}: "
        f"{_of(left.tuned, whole.tuned)} UNet rows for the LoRA, {base}. "
        f"About {minutes} minutes, {cost.peak_bytes / 2**30:.1f} GB peak memory."
    )


def _of(left: int, whole: int) -> str:
    """Return how many rows are left, and of how many where some are done."""
    return f"{left:,}" if left == whole else f"{left:,} of {whole:,}"
