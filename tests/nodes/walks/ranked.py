"""Answers with many LoRAs on one base."""

from made_rows import done
from walk import ARGUMENTS, answer, pack

out = pack("nodes.folder").answer([done(*each) for each in ARGUMENTS[0]], "<b>base</b>")
answer(ranking=out.args[0], passed=out.args[1], panel=out.ui["owf"][0])
