"""Shows a report whose picture lies outside its folder."""

from made_report import text
from walk import NODES, answer, pack

pair = pack("core.verdict.report").ImagePair("p", 0, 1.0, "../../../secret.png", "images/a.png")
answer(panel=NODES["OWF_ShowReport"].execute(text((pair,))).ui["owf"][0])
