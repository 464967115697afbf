"""What an audit is about to do, in a sentence."""

from ..model.diffusion.denoiser import Denoiser
from ..model.diffusion.speed import estimate
from ..model.footprint import GIB
from ..plan.audit_plan import AuditPlan
from ..text import inert
from .audit import AuditSetting, to_do
from .change import Change
from .evidence.cost import Cost, Remaining
from .references import likeness_rows


def outlook(denoiser: Denoiser, change: Change, plan: AuditPlan, setting: AuditSetting) -> str:
    """Return the rows that are left of an audit, and about how long they take and how much memory."""
    left, whole = to_do(denoiser, change.key, plan, setting)
    cost = estimate(denoiser, setting.batch)
    likeness = (
        0 if setting.references is None else likeness_rows(setting.concept, denoiser.family, plan.form, setting.usual)
    )
    minutes = f"{cost.minutes(left.tuned + likeness):.1f}"
    if left.base:
        minutes += f" + {cost.minutes(left.base):.1f}"
    return (
        f"Base {inert(denoiser.name)} on {denoiser.device} ({denoiser.dtype}), preset {plan.preset}: "
        f"{rows_ahead(left, whole)}{_besides(likeness)}. "
        f"About {minutes} minutes, {cost.peak_bytes / GIB:.1f} GB peak memory."
    )


def _besides(likeness: int) -> str:
    return f", at most {likeness:,} for its likeness to the references" if likeness else ""


def rows_ahead(left: Remaining, whole: Cost, audits: int = 1) -> str:
    """Return in words how many rows are left of each of so many audits for the LoRA, and of all for the base."""
    base = "the base's are cached"
    if left.base:
        base = f"{_of(left.base, whole.base)} for the base (once, then cached)"
    each = "the LoRA" if audits == 1 else f"each of {audits:,} audits"
    return f"{_of(left.tuned, whole.tuned)} rows of the denoiser for {each}, {base}"


def _of(left: int, whole: int) -> str:
    """Return how many rows are left, and of how many where some are done."""
    return f"{left:,}" if left == whole else f"{left:,} of {whole:,}"
