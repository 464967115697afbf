"""A report as an audit makes one, for other walks."""

from pathlib import Path
from types import SimpleNamespace

from walk import pack

verdict = pack("core.verdict.judge")
_report, _measurement = pack("core.verdict.report"), pack("core.metrics.measurement")
_estimate = _measurement.Estimate(0.03, 0.02, 0.04, 8, "relative", 1e-9)
_drift = {"denoiser_drift": _measurement.Measurement("denoiser_drift", 1, "drift", {"drift": _estimate})}


def made(pairs=()):
    """Return the report; its base and LoRA have hostile names."""
    return _report.Report(
        verdict=verdict.judge(_drift),
        base=_report.BaseRecord("base", "demo", "ab"),
        adapter=_report.AdapterRecord("<b>evil</b>", "cd", "kohya", "lora", "demo", 1.0, 2, 0, 0.1),
        plan={},
        plan_digest="ef",
        measurements=_drift,
        pairs=pairs,
        environment={},
        timing={},
        cost={},
    )


def text(pairs=()):
    """Return its JSON."""
    return _report.to_json(made(pairs))


def result(report):
    """Return it as what an audit left in the folder x, which is made."""
    folder = Path(pack("nodes.backend.places").reports_folder(), "x")
    folder.mkdir(parents=True)
    return pack("nodes.auditing.run").AuditResult(report, folder, SimpleNamespace(model="MODEL", clip="CLIP"))
