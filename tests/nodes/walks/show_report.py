"""Shows a report, and loads it again."""

from made_report import text
from walk import NODES, answer, pack

out = NODES["OWF_ShowReport"].execute(text())
name = pack("nodes.backend.places").report_choices()[0]
again, decision, sheet = NODES["OWF_LoadReport"].execute(name).args
answer(
    verdict=out.args[0].splitlines()[0],
    panel=out.ui["owf"][0],
    same=again == text(),
    decision=decision,
    shape=list(sheet.shape),
)
