"""Draws the bars of a report with an alarm that did not fire."""

from walk import answer, pack

verdict, measurement, render = pack("core.verdict.judge"), pack("core.metrics.measurement"), pack("core.render.bars")
worst = measurement.Estimate(0.733, 0.1, 1.0, 6, "share", 0.4)
drop = measurement.Estimate(0.01, 0.0, 0.02, 60, "share", 0.0)
seen = measurement.Measurement("semantic", 1, "accuracy_drop", {"accuracy_drop": drop, "worst_class_drop": worst})
judged = verdict.judge({"semantic": seen})
bars = [render.bar(j.estimate, seen.estimates[j.estimate], j) for j in judged.judgements]
sheet = pack("core.render.pictures.sheet").chart_sheet("title", judged.decision, [], bars)
colors = {color for _, color in sheet.getcolors(1 << 20)}
answer(
    decision=judged.decision,
    states=[b["state"] for b in bars],
    notes=[b["note"] for b in bars],
    limits=[b["limit_word"] for b in bars],
    floors=[
        render.bar("drift", measurement.Estimate(0.01, 0.0, 0.02, 8, "relative", f))["floor"] for f in (1e-13, 0.02)
    ],
    grey=(0x6A, 0x71, 0x7C) in colors,
)
