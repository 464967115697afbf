"""Answers with a report that is DRIFT, at a setting of the gate."""

from made_report import made, result
from walk import ARGUMENTS, answer, pack

out = pack("nodes.audit").answer(result(made()), *ARGUMENTS)
model, base_images = out.args[5], out.args[3]
answer(message=getattr(model, "message", None), model=str(model), silent=base_images.message)
