"""Sample reports with realistic numbers, and reports that try to break whoever shows them."""

import dataclasses
import math
from pathlib import Path

from owf.core.errors import Setting
from owf.core.metrics.measurement import Estimate, Measurement, Part
from owf.core.verdict.judge import judge
from owf.core.verdict.learning import NOT_LEARNED, Learning, judge_learning
from owf.core.verdict.policy import Limit, Policy, default_policy
from owf.core.verdict.report import AdapterRecord, BaseRecord, BlockChange, ImagePair, Report
from owf.core.verdict.verdict import invalid

CLASSES = {
    "dress": 0.62,
    "coat": 0.44,
    "sandal": 0.38,
    "shirt": 0.30,
    "pullover": 0.24,
    "t-shirt": 0.18,
    "sneaker": 0.08,
    "ankle boot": 0.04,
    "trousers": 0.0,
    "bag": -0.12,
}
COLORS = {
    "black": 0.083,
    "orange": 0.061,
    "brown": 0.034,
    "purple": 0.012,
    "pink": -0.004,
    "red": -0.011,
    "yellow": -0.013,
    "blue": -0.029,
    "white": -0.036,
    "green": -0.042,
    "gray": -0.055,
}
GROUPS = {"same class, no concept": 0.141, "other classes": 0.093, "backgrounds": 0.071, "empty prompt": 0.032}

HOSTILE = (
    "</script></style><script>alert(1)</script><img src=x onerror=alert(2)>",
    "\x1b[31mred\x1b[2J\x07[bold]markup[/bold][link=http://evil]x[/link]",
    "\u202egnp.exe\u2066\u200b\x00\x9b31m",
    "\"' onmouseover=alert(3) x='{{7*7}}{% raw %}",
    "url(javascript:alert(4)) expression(1) &lt;b&gt; http://evil.example/",
    "x" * 5000,
    "lone \ud800 surrogate",
)


def estimate(value: float, half: float, n: int = 500, unit: str = "share", floor: float | None = None) -> Estimate:
    return Estimate(value, value - half, value + half, n, unit, floor)


def semantic() -> Measurement:
    parts = tuple(Part(label, estimate(drop, 0.16, 50, floor=0.06)) for label, drop in CLASSES.items())
    numbers = {
        "accuracy_base": Estimate(0.816, 0.780, 0.848, 500, "share"),
        "accuracy_tuned": Estimate(0.600, 0.556, 0.642, 500, "share"),
        "accuracy_drop": estimate(0.216, 0.043, floor=0.011),
        "worst_class_drop": estimate(0.62, 0.16, 50, floor=0.14),
        "margin_shift": estimate(-0.84, 0.11, unit="nats", floor=0.02),
    }
    facts = {"classes": 10, "images": 500, "worst_class": "dress", "temperature": 81.3, "answers_changed": 131}
    return Measurement("semantic", 1, "accuracy_drop", numbers, {"class": parts}, facts)


def denoiser_drift() -> Measurement:
    bands = [0.012, 0.018, 0.027, 0.041, 0.066, 0.094, 0.121, 0.150, 0.163, 0.148]
    timestep = tuple(
        Part(f"{100 * i}-{100 * i + 100}", estimate(v, 0.12 * v + 0.002, 64, "relative")) for i, v in enumerate(bands)
    )
    groups = tuple(Part(label, estimate(v, 0.02, 16, "relative")) for label, v in GROUPS.items())
    number = estimate(0.084, 0.009, 64, "relative", 0.0)
    parts = {"timestep": timestep, "prompt_group": groups}
    return Measurement("denoiser_drift", 1, "drift", {"drift": number}, parts, {"prompts": 64, "timesteps": 10})


def color() -> Measurement:
    terms = tuple(Part(label, estimate(v, 0.014, 48, floor=0.012)) for label, v in COLORS.items())
    asked = tuple(Part(label, estimate(7.0 + 40 * abs(v), 2.2, 4, "delta_e", 2.3)) for label, v in COLORS.items())
    facts = {"prompts": 48, "just_noticeable": 2.3, "directions": 73}
    number = estimate(9.3, 1.6, 48, "delta_e", 2.1)
    return Measurement("color", 1, "cdi", {"cdi": number}, {"color_term": terms, "color_prompt": asked}, facts)


def kid() -> Measurement:
    number = Estimate(0.0213, 0.0142, 0.0291, 96, "", 0.0031)
    facts = {"p_value": 0.002, "features": "demo-features", "subset_mean": 0.0209, "subset_std": 0.0036}
    relative = dataclasses.replace(number, floor=0.0031, unit="relative")
    return Measurement("kid", 1, "kid_relative", {"kid_relative": relative, "kid": number}, {}, facts)


def blocks() -> tuple[BlockChange, ...]:
    text = [BlockChange("text_encoder", f"text {i}", k, 4, 0.021) for i in range(2) for k in ("self-attention",)]
    sizes = {"down 0": 0.04, "down 1": 0.11, "down 2": 0.1830001, "mid": 0.0, "up 1": 0.243, "up 2": 0.16, "up 3": 1e-5}
    kinds = {"self-attention": 1.0, "cross-attention": 0.7, "feed-forward": 0.4}
    unet = [BlockChange("unet", block, k, 8, share * v) for block, v in sizes.items() for k, share in kinds.items()]
    return (*text, *unet, BlockChange("unet", "out", "other", 1, None))


def adapter() -> AdapterRecord:
    return AdapterRecord(
        name="zigzag_bag.safetensors",
        sha256="9f2c" * 16,
        format="kohya",
        algorithm="lora",
        family="demo",
        strength=1.0,
        matched=96,
        unmatched=0,
        delta_norm=0.183,
        details={"rank": "8", "alpha": "8", "trigger_words": "zgz bag"},
        warnings=("The file does not name its base; the family was read from the shapes of its weights.",),
        blocks=blocks(),
    )


_OWN = [limit for limit in default_policy().limits if limit.metric in ("semantic", "denoiser_drift", "kid")]
LIMITS = Policy((*_OWN[:-1], Limit("color", "cdi", 10.0), _OWN[-1]))
"""What the samples are judged by: a limit for each of their metrics."""


def report(pairs: tuple[ImagePair, ...] = ()) -> Report:
    """Return a report with the verdict DRIFT."""
    seen = {m.metric: m for m in (color(), denoiser_drift(), kid(), semantic())}
    return Report(
        verdict=judge(seen, LIMITS),
        base=BaseRecord("owf demo base", "demo", "41d0" * 16),
        adapter=adapter(),
        plan={
            "version": 1,
            "preset": "quick",
            "seed": 0,
            "metrics": sorted(seen),
            "stages": [{"samples": 4, "keep": 3}, {"samples": 8, "keep": 1}],
            "prompts": [{"text": f"a photo of a {c} bag", "group": "colours", "term": c} for c in COLORS],
            "guidance_scale": 7.5,
        },
        plan_digest="77ab" * 16,
        measurements=seen,
        pairs=pairs,
        environment={"owf": "0.1.0", "torch": "2.4.0", "device": "cpu", "dtype": "float32"},
        timing={"started": "2025-01-01T12:00:00+00:00", "seconds": 142.7},
        cost={"tuned_rows": 5840, "base_rows": 11680},
    )


def invalid_report() -> Report:
    """Return a report in which nothing was measured."""
    said = "The LoRA changes no module of this base: 0 of 192 matched, so any number would be meaningless."
    verdict = invalid(said, Setting("base"))
    empty = dataclasses.replace(adapter(), matched=0, unmatched=192, delta_norm=0.0, blocks=())
    return dataclasses.replace(report(), verdict=verdict, adapter=empty, measurements={}, status="invalid", cost={})


def open_report() -> Report:
    """Return a report whose intervals have no ends, as with a single sample."""
    full = report()
    number = Estimate(0.2, -math.inf, math.inf, 1, "share")
    part = Part("only class", dataclasses.replace(number, low=-0.1))
    seen = {"semantic": Measurement("semantic", 1, "accuracy_drop", {"accuracy_drop": number}, {"class": (part,)})}
    seen["semantic"].estimates["worst_class_drop"] = dataclasses.replace(number, high=0.5)
    return dataclasses.replace(full, measurements=seen, verdict=judge(seen, LIMITS))


def silent_report(alone: bool = False) -> Report:
    """Return a report whose worst class is far above its limit, but not beyond chance; it may be judged `alone`."""
    full = report()
    drop = Estimate(0.01, 0.0, 0.02, 60, "share", 0.0)
    estimates = {"accuracy_drop": drop, "worst_class_drop": Estimate(0.733, 0.1, 1.0, 6, "share", 0.4)}
    seen = {"semantic": dataclasses.replace(full.measurements["semantic"], estimates=estimates)}
    limits = [x for x in default_policy().limits if x.metric == "semantic" and (x.test == "alarm" or not alone)]
    return dataclasses.replace(full, measurements=seen, verdict=judge(seen, Policy(tuple(limits))))


def trained_report() -> Report:
    """Return a report that passes, of a training that taught nothing."""
    numbers = {
        "fidelity": Estimate(0.04, -0.03, 0.11, 16, "share"),
        "retrieval": Estimate(0.0, 0.0, 0.194, 16, "share", 0.0),
        "retrieval_ceiling": Estimate(1.0, 0.566, 1.0, 5, "share"),
        "copied": Estimate(0.125, 0.035, 0.36, 16, "share", 0.0),
    }
    facts: dict[str, str | int | float] = {"prompt": "a photo of a zgz bag", "networks": "clip, dino", "views": 5}
    passes = judge(report().measurements, Policy((Limit("color", "cdi", 100.0),)))
    return dataclasses.replace(report(), verdict=passes, learning=judge_learning(numbers, facts))


def crowded_report() -> Report:
    """Return a report with 100 classes and 57 blocks."""
    parts = tuple(Part(f"class number {i}", estimate(math.sin(i * 7.0) * 0.4, 0.2, 5, floor=0.1)) for i in range(100))
    full = report()
    many = dataclasses.replace(semantic(), breakdowns={"class": parts})
    blocks = tuple(BlockChange("transformer", f"blocks {i}", "self-attention", 4, i / 99) for i in range(57))
    deep = dataclasses.replace(full.adapter, blocks=blocks)
    return dataclasses.replace(full, adapter=deep, measurements={**full.measurements, "semantic": many})


def damage_map() -> Measurement:
    """Return a damage map of 300 concepts of which 30 are lost."""
    names = [f"{color} {name}" for name in (*CLASSES, *GROUPS) for color in COLORS][:149] + list(HOSTILE[:1])
    names += [f"thing number {i}" for i in range(150)]
    ways = [1.1 if name.startswith("green") else 0.02 * (i % 20) for i, name in enumerate(names)]
    cells = tuple(Part(name, estimate(way, 0.5 * way, 1, "relative")) for name, way in zip(names, ways, strict=True))
    thing = (Part("green (14 concepts)", estimate(1.1, 0.1, 14, "relative")),)
    numbers = {"worst_damage": thing[0].estimate, "damaged_share": estimate(0.05, 0.02, 300)}
    facts = {"map_width": 20, "worst": "green (14 concepts)", "found": 14}
    return Measurement("map", 2, "worst_damage", numbers, {"thing": thing, "concept": cells}, facts)


def mapped_report() -> Report:
    """Return a report that has lost a colour."""
    seen = {**report().measurements, "map": damage_map()}
    return dataclasses.replace(report(), measurements=seen, verdict=judge(seen))


def hostile_report() -> Report:
    """Return a report in which every string is an attack."""
    bad, full = " ".join(HOSTILE[:5]), report()
    number = estimate(0.1, 0.05, unit=HOSTILE[0])
    parts = {text: (Part(text, number),) for text in HOSTILE}
    metric = Measurement(bad, 1, bad, dict.fromkeys((bad, *HOSTILE), number), parts, {bad: bad, HOSTILE[5]: bad})
    labels = tuple(Part(text, estimate(0.3, 0.1)) for text in HOSTILE)
    known = dataclasses.replace(semantic(), breakdowns={"class": labels}, facts={bad: bad})
    seen = {bad: metric, "semantic": known}
    blocks = tuple(BlockChange(text, text, text, 1, size) for text in HOSTILE for size in (math.nan, -math.inf, 0.1))
    judgements = tuple(dataclasses.replace(j, reason=bad, decision=HOSTILE[3]) for j in full.verdict.judgements)
    return Report(
        verdict=dataclasses.replace(full.verdict, reasons=HOSTILE, judgements=judgements, policy=bad),
        base=BaseRecord(bad, bad, bad),
        adapter=AdapterRecord(bad, bad, bad, bad, bad, 1.0, 1, 0, 0.1, {t: t for t in HOSTILE}, HOSTILE, blocks),
        plan={bad: {bad: [bad, {bad: bad}]}},
        plan_digest=bad,
        measurements=seen,
        pairs=tuple(ImagePair(text, 1, 3.0, text, text) for text in (*HOSTILE, "../../../etc/passwd")),
        environment={bad: bad},
        timing={bad: bad},
        cost={bad: 1},
        learning=Learning(NOT_LEARNED, HOSTILE, dict.fromkeys((bad, *HOSTILE), number), {bad: bad}),
    )


def draw_pairs(folder: Path, count: int, side: int = 64) -> tuple[ImagePair, ...]:
    """Write `count` pairs of small pictures and return their records."""
    from PIL import Image, ImageDraw

    (folder / "pairs").mkdir(parents=True, exist_ok=True)
    names = list(COLORS)
    pairs = []
    for i in range(count):
        for kind, shift in (("base", 0), ("tuned", side // 8)):
            image = Image.new("RGB", (side, side), (225 - 3 * shift, 222, 214 - shift))
            box = (side // 4 + shift, side // 4, 3 * side // 4, 3 * side // 4 + shift)
            ImageDraw.Draw(image).rounded_rectangle(box, side // 10, fill=names[i % 11])
            image.save(folder / "pairs" / f"{i:03d}_{kind}.png")
        prompt = f"a {names[i % 11]} bag on a grey background"
        change = round(24.0 / (1 + 0.2 * i), 2)
        pairs.append(ImagePair(prompt, i, change, f"pairs/{i:03d}_base.png", f"pairs/{i:03d}_tuned.png"))
    return tuple(pairs)
