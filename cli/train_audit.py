"""The audit at the end of a training, and its verdict in the LoRA's metadata."""

import json
from pathlib import Path
from typing import Any

from ..core.adapter import read_adapter
from ..core.base import BaseChoice
from ..core.denoiser import Denoiser
from ..core.errors import OwfError
from ..core.metrics.metric import quantity
from ..core.render.terminal import print_report
from ..core.report import Report
from ..core.text import inert
from ..core.train.metadata import add_metadata
from .arguments import parser
from .folders import cache_folder
from .session import Session
from .train_options import RunOptions

PRESET = "quick"


def audit_trained(path: Path, choice: BaseChoice, denoiser: Denoiser, options: RunOptions, console: Any) -> None:
    """Audit the LoRA on the base that it was trained on, print the report and write its numbers into the file.

    The LoRA is there already, so an audit that cannot run is a sentence and not a failure, whatever the reason.
    """
    try:
        session = Session(parser().parse_args(_arguments(choice, options)), (choice, denoiser))
        report, folder = session.audit(read_adapter(path), path.parent / "audit")
    except Exception as error:
        reason = str(error) if isinstance(error, OwfError) else f"this is a bug, please report it: {error!r}"
        console.print(f"The LoRA is trained, but not audited: {inert(reason, 2000)}", highlight=False, markup=False)
        return
    add_metadata(path, audit_facts(report))
    if options.progress == "json":
        print(json.dumps({"event": "report", "verdict": report.verdict.decision, "folder": str(folder)}), flush=True)
    else:
        print_report(report, console, folder)


def _arguments(choice: BaseChoice, options: RunOptions) -> list[str]:
    arguments = ["--base", choice.path, "--preset", PRESET, "--resume", "--progress", options.progress]
    arguments += ["--device", options.device, "--dtype", options.dtype]
    if options.cache:
        arguments += ["--cache", str(cache_folder(options.cache))]
    return [*arguments, "--offline"] if options.offline else arguments


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
