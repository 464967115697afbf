"""Answers with a report that is INVALID and names settings."""

import dataclasses

from made_report import made, result, verdict
from walk import answer, pack

setting = pack("core.errors").Setting
bad = verdict.invalid("Use more.", setting("per_class"), setting("images"), setting("base"))
report = dataclasses.replace(made(), verdict=bad, measurements={}, status="invalid")
out = pack("nodes.audit").answer(result(report), "unless PASS")
answer(panel=out.ui["owf"][0]["reasons"], gate=out.args[5].message, report=out.args[1])
