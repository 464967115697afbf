"""Answers with a report that an earlier audit measured, and with one of this audit."""

import dataclasses

from made_report import made, result
from walk import answer, pack

report = dataclasses.replace(made(), timing={"started": "2026-11-26T09:30:12+0100", "seconds": 60.0})
new = result(report)
old = dataclasses.replace(new, remembered=True)
panels = [pack("nodes.audit").answer(each, "never").ui["owf"][0] for each in (new, old)]
answer(notes=[panel["notes"] for panel in panels])
