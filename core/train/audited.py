"""The audit at the end of a training, and its verdict in the LoRA's metadata."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..adapter import read_adapter
from ..audit.audit import AuditSetting
from ..audit.change import AdapterChange, report_stem
from ..audit.request import AuditRequest
from ..audit.session import AuditSession, Places, Published
from ..families.prompt_form import AUTO
from ..metrics.images.features import Fetching
from ..metrics.metric import quantity
from ..model.diffusion.batch import Batching
from ..model.diffusion.denoiser import Denoiser
from ..model.memory import AS_LOADED, Keeping
from ..plan.audit_plan import AuditPlan
from ..progress import Progress
from ..verdict.learning import Learning
from ..verdict.policy import default_policy
from ..verdict.report import Report
from .metadata import add_metadata

AUDITS = "audit"
"""Folder of the reports beside a LoRA."""
REQUEST = AuditRequest(preset="quick")
"""What every finished LoRA is asked."""


def audit_trained(
    path: Path,
    learning: Learning | None,
    denoiser: Denoiser,
    batch: Batching,
    cache: Path,
    fetching: Fetching,
    progress: Progress,
    announce: Callable[[AdapterChange, AuditPlan, AuditSetting], None],
    prompt_form: str = AUTO,
    names: Sequence[str] = (),
    keeping: Keeping = AS_LOADED,
) -> Published:
    """Return the report of a LoRA on the base that it was trained on, in a folder beside the LoRA.

    What the training says of its concept, `learning`, stands in the report. Verdict and numbers are in the file
    afterwards. `announce` hears of plan and setting before anything is measured; `prompt_form` and `names` of the base
    decide in which language it is asked, and `keeping`, which says how the base is kept, how the LoRA is applied.
    """
    adapter = read_adapter(path)
    change = AdapterChange(denoiser.components, adapter, strength=1.0, keeping=keeping)
    session = AuditSession(
        replace(REQUEST, prompt_form=prompt_form), default_policy(), Places(path.parent / AUDITS, cache), fetching
    )
    published = session.audit(
        denoiser,
        change,
        report_stem(adapter),
        batch,
        progress,
        names=names,
        learning=learning,
        announce=lambda plan, setting: announce(change, plan, setting),
    )
    add_metadata(path, audit_facts(published.report))
    return published


def audit_facts(report: Report) -> dict[str, str]:
    """Return the report's verdict and numbers, with the ends of their 95 % intervals, as metadata."""
    facts = {
        "owf.verdict": report.verdict.decision,
        "owf.audit_preset": str(report.plan["preset"]),
        "owf.audit_plan": report.plan_digest,
        "owf.audit_policy": report.verdict.policy,
    }
    for measurement in report.measurements.values():
        for key, estimate in measurement.estimates.items():
            known = quantity(key)
            if known is not None and known.metadata:
                ends = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
                facts |= {f"owf.{known.metadata}{end}": f"{value:.6g}" for end, value in ends.items()}
    return facts
