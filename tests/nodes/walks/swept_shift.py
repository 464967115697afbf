"""Returns the curves of a LoRA that shifts hues at several strengths, below the alarm and above it."""

import dataclasses

from made_rows import done
from walk import ARGUMENTS, answer, pack

row, table = pack("core.ledger.row"), pack("nodes.ui.table")
rows = []
for strength, shift in ARGUMENTS[0]:
    said = "NO ALARM" if abs(shift) < 10 else "DRIFT"
    hues = row.Number("color_shift", "hue_turn", shift, shift, shift, 8, "degrees", limit=10.0, decision=said)
    made = done("a.safetensors", strength, 0.0001).row
    rows.append(dataclasses.replace(made, numbers=(hues, *made.numbers)))
answer(curves=table.sweep_panel("a", "", [], rows)["curves"])
