"""Holds two reports against each other, of a LoRA that drifts and of a harmless one; the change of one may be given."""

import dataclasses
from pathlib import Path

from made_report import made
from PIL import Image
from walk import ARGUMENTS, NODES, answer, pack

report, measurement = pack("core.verdict.report"), pack("core.metrics.measurement")
judge = pack("core.verdict.judge").judge
places, errors = pack("nodes.backend.places"), pack("core.errors")


def audited(name, drifts, pairs=()):
    """Return a report with a drift for each of its prompts, that lies in the folder of its name."""
    value = sum(drifts) / len(drifts)
    estimate = measurement.Estimate(value, value - 0.01, value + 0.01, len(drifts), "relative")
    seen = {
        "denoiser_drift": measurement.Measurement(
            "denoiser_drift", 1, "drift", {"drift": estimate}, prompts={"drift": tuple(drifts)}
        )
    }
    whole = made(pairs)
    adapter = dataclasses.replace(whole.adapter, name=name)
    return dataclasses.replace(whole, adapter=adapter, measurements=seen, verdict=judge(seen))


def written(whole):
    """Return the JSON of a report that lies below the output folder, with its pictures."""
    folder = Path(places.reports_folder(), f"{whole.adapter.name[:20].replace('/', '_')}-1")
    for pair in whole.pairs:
        for name in (pair.base, pair.tuned):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if ".." not in name:
                Image.new("RGB", (8, 8)).save(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    report.write_report(whole, folder / "report.json")
    return report.to_json(whole)


pairs = [report.ImagePair("a bag", seed, 5.0, f"p/{seed}b.png", f"p/{seed}t.png") for seed in (1, 2)]
outside = report.ImagePair("a bag", 3, 9.0, "../../../secret.png", "p/3t.png")
first = audited("strong", (0.055, 0.06, 0.065), (pairs[0], outside))
second = audited(ARGUMENTS[0], (0.045, 0.05, 0.055), (*pairs, outside))
changes = {
    "base": lambda: dataclasses.replace(second, base=dataclasses.replace(second.base, digest="other")),
    "plan": lambda: dataclasses.replace(second, plan={"seed": 1}, plan_digest="other"),
    "strength": lambda: dataclasses.replace(second, adapter=dataclasses.replace(second.adapter, strength=0.5)),
    "junk": lambda: "{",
}
other = changes[ARGUMENTS[1]]() if len(ARGUMENTS) > 1 else second
texts = [written(each) if not isinstance(each, str) else each for each in (first, other)]
try:
    out = NODES["OWF_CompareAudits"].execute(*texts)
except errors.OwfError as error:
    answer(said=str(error))
else:
    names = sorted(
        path.relative_to(places.reports_folder()).as_posix() for path in places.reports_folder().rglob("*.html")
    )
    answer(milder=out.args[0], text=out.args[1], panel=out.ui["owf"][0], pages=names)
