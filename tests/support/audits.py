"""The audit of a LoRA file as every session runs it, in a folder and with networks of the test's own."""

from owf.core.adapter import Adapter
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.change import AdapterChange
from owf.core.model.diffusion.denoiser import Denoiser
from owf.core.plan.audit_plan import AuditPlan
from owf.core.verdict.report import Report


def audit(denoiser: Denoiser, adapter: Adapter, strength: float, plan: AuditPlan, setting: AuditSetting) -> Report:
    """Return the report of the base with the LoRA at a strength."""
    return audit_change(denoiser, AdapterChange(denoiser.components, adapter, strength), plan, setting)
