"""Answers with a report of one drift, or of that and all other numbers, at a setting of the gate."""

from made_report import result
from made_rows import report
from walk import ARGUMENTS, answer, pack

stop, drift, whole = ARGUMENTS
out = pack("nodes.audit").answer(result(report(drift, whole)), stop)
model, base_images = out.args[5], out.args[3]
panel = out.ui["owf"][0]
shown = {name: panel[name] for name in ("outcome", "state", "notes")}
answer(
    message=getattr(model, "message", None), model=str(model), silent=base_images.message, verdict=out.args[0], **shown
)
