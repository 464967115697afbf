"""The audit at the end of a training, and its verdict in the LoRA's metadata."""

from pathlib import Path
from typing import Any

from ...core.adapter import read_adapter
from ...core.audit.audit import Setting
from ...core.audit.change import AdapterChange
from ...core.audit.session import AuditRequest, AuditSession, Places
from ...core.errors import OwfError
from ...core.metrics.images.features import Fetching
from ...core.metrics.metric import quantity
from ...core.model.batch import Batch
from ...core.model.denoiser import Denoiser
from ...core.plan.audit_plan import AuditPlan
from ...core.render.terminal.terminal import print_report
from ...core.text import inert
from ...core.train.metadata import add_metadata
from ...core.verdict.report import Report
from ...core.verdict.verdict import default_policy
from ..events import Reported, emit
from ..paths import cache_folder
from ..session import announce_cost, audit_stem, progress_on
from ..wording import worded
from .options import RunOptions

REQUEST = AuditRequest(preset="quick")
"""What every finished LoRA is asked."""


def audit_trained(path: Path, denoiser: Denoiser, batch: Batch, options: RunOptions, console: Any) -> None:
    """Audit the LoRA on the base that it was trained on, print the report and write its numbers into the file.

    The LoRA is there already, so an audit that cannot run is a sentence and not a failure, whatever the reason.
    """
    try:
        report, folder = _audit(path, denoiser, batch, options, console)
    except Exception as error:
        reason = worded(error) if isinstance(error, OwfError) else f"this is a bug, please report it: {error!r}"
        console.print(f"The LoRA is trained, but not audited: {inert(reason, 2000)}", highlight=False, markup=False)
        return
    add_metadata(path, audit_facts(report))
    if options.progress == "json":
        emit(Reported(verdict=report.verdict.decision, folder=str(folder), exit_code=report.verdict.exit_code))
    else:
        print_report(report, console, folder)


def _audit(path: Path, denoiser: Denoiser, batch: Batch, options: RunOptions, console: Any) -> tuple[Report, Path]:
    adapter = read_adapter(path)
    change = AdapterChange(denoiser.components, adapter, strength=1.0)
    places = Places(path.parent / "audit", cache_folder(options.cache))
    session = AuditSession(REQUEST, default_policy(), places, Fetching(denoiser.device, options.offline))

    def announce(plan: AuditPlan, setting: Setting) -> None:
        if options.progress != "none":
            announce_cost(console, denoiser, change, plan, setting)

    with progress_on(console, options.progress) as progress:
        return session.audit(denoiser, change, audit_stem(adapter), batch, progress, announce=announce)


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
