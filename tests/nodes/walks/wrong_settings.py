"""Makes a plan of an audit node's inputs, some of which are wrong."""

from walk import ARGUMENTS, answer, pack

asked = {
    "preset": "quick", "seed": 0, "metrics": "", "per_class": 0, "resolution": 0, "guidance_scale": 0,
    "features": "auto",
    "probe_folder": "", **ARGUMENTS[0],
}  # fmt: skip
try:
    pack("core.audit.request").plan_for(pack("nodes.auditing.request").audit_request(**asked), "sd15", 512)
except pack("core.errors").UsageError as error:
    answer(said=str(error))
