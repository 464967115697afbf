"""What the tab shows, as HTML made here: every text of a stranger is escaped, and no script is in it."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.text import file_stem, inert
from . import host
from .jobs.job import CANCELLED, DONE, ENDED, FAILED, RUNNING, WAITING, Job
from .reports import PAGE, Earlier, changed_at, is_ours

if TYPE_CHECKING:
    from ..core.verdict.report import Report

PAIRS = 12
"""Pairs of pictures in the gallery, the most changed first."""
_DAMAGED = 5
"""Lines of one kind in the list of damages; all are in the breakdowns below it."""
_WIDTH, _HEIGHT = 640.0, 120.0
"""Of a curve, in units of its own."""
_LINES = 12
"""Lines of a log that are shown."""
_STATES = {WAITING: "waiting for the host", RUNNING: "running", DONE: "done", FAILED: "failed", CANCELLED: "cancelled"}


def status(job: Job | None) -> str:
    """Return the line about the job that runs, or that ran last; javascript/owf.js reads its data attributes."""
    if job is None:
        return _tag("div", "Nothing has run yet.", "owf-status", data_owf_state="none", data_owf_job="")
    head = [_tag("b", escape(_STATES[job.state])), escape(f" {job.kind}: {inert(job.title, 200)}")]
    parts = [_tag("div", "".join(head))]
    if job.state not in ENDED:
        parts.append(f'<progress max="1" value="{job.share:.4f}"></progress>')
        parts.append(_tag("div", escape(_how_far(job)), "owf-faint"))
    if job.message:
        parts.append(_tag("p", escape(inert(job.message, 2000)), "owf-message"))
    if job.kind == "train" and job.steps:
        parts.append(curves(job))
    if job.kind == "prepare" or job.state == FAILED:
        parts.append(_log(job))
    live = "running" if job.state not in ENDED else "ended"
    return _tag("div", "".join(parts), f"owf-status owf-is-{job.state}", data_owf_state=live, data_owf_job=job.id)


def _how_far(job: Job) -> str:
    said = [inert(job.stage, 100)] if job.stage else []
    if job.loras > 1:
        said.append(f"{job.finished} of {job.loras} LoRAs through")
    if job.eta_seconds is not None:
        rest = max(round(job.eta_seconds), 0)
        said.append(f"about {rest // 60} min {rest % 60} s left" if rest >= 60 else f"about {rest} s left")
    return ", ".join(said)


def _log(job: Job) -> str:
    lines = [inert(line, 300) for line in list(job.log)[-_LINES:]]
    return _tag("pre", escape("\n".join(lines)), "owf-log") if lines else ""


def curves(job: Job) -> str:
    """Return loss and drift of a training so far."""
    steps = list(job.steps)
    last = steps[-1]
    loss = [(step["step"], step["smoothed_loss"]) for step in steps]
    drift = [(step["step"], step["drift"]) for step in steps if step["drift"] is not None]
    parts = [_tag("div", escape(f"Step {last['step']} of {last['steps']}"))]
    for title, points in (("Loss, smoothed", loss), ("Drift on held-out prompts", drift)):
        parts.append(_curve(title, points, last["steps"]))
    return _tag("div", "".join(parts), "owf-curves")


def _curve(title: str, points: Sequence[tuple[int, float]], steps: int) -> str:
    points = [(step, value) for step, value in points if abs(value) < 1e9]  # no number is none, and no curve has it
    if not points:
        return ""
    top = max(value for _, value in points) or 1.0
    at = [f"{_WIDTH * step / max(steps, 1):.1f},{_HEIGHT * (1 - max(value, 0) / top):.1f}" for step, value in points]
    caption = _tag("div", escape(f"{title}: {points[-1][1]:.4g} (top {top:.4g})"), "owf-faint")
    if len(points) == 1:  # no line, but an empty frame
        return caption
    line = f'<polyline points="{" ".join(at)}" fill="none" vector-effect="non-scaling-stroke"/>'
    picture = f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none" class="owf-curve">{line}</svg>'
    return caption + picture


HEADERS = ["LoRA", "strength", "verdict"]


def verdicts(job: Job | None) -> dict[str, list[Any]]:
    """Return the table of a job's verdicts; with its headers, which gradio 3 forgets where there are no rows."""
    found = [] if job is None else list(job.verdicts)
    rows = [[inert(v.lora, 100), f"{v.strength:g}", v.decision] for v in found]
    return {"headers": HEADERS, "data": rows or [["", "", ""]]}


def history(found: Iterable[Earlier]) -> list[tuple[str, str]]:
    """Return (what is shown, name) of earlier reports."""
    return [(_earlier(each), each.name) for each in found]


def _earlier(each: Earlier) -> str:
    report = each.report
    begun = str(report.timing.get("started", ""))[:16].replace("T", " ")
    name, base = inert(report.adapter.name, 60), inert(report.base.name, 40)
    return f"{report.verdict.decision} · {name} on {base} · strength {report.adapter.strength:g} · {begun}".rstrip(" ·")


def report_html(report: "Report") -> str:
    """Return a report's verdict, numbers, damages and breakdowns."""
    from ..core.render import words
    from ..core.render.bars import bars
    from ..core.render.html.breakdowns import breakdowns
    from ..core.verdict.outcome import outcome

    decision = words.shown_decision(report)
    badge = _tag("span", escape(f"{words.SYMBOLS.get(decision, '')} {outcome(report)}"), f"owf-badge owf-{decision}")
    title = _tag("span", escape(f" {inert(report.adapter.name)} on {inert(report.base.name)}"))
    reasons = "".join(_tag("li", escape(inert(reason, 400))) for reason in report.verdict.reasons)
    parts = [_tag("div", badge + title, "owf-head"), _tag("p", escape(words.meaning(report))), _tag("ul", reasons)]
    damaged = _damages(report)
    if damaged:
        items = "".join(_tag("li", escape(inert(line, 300))) for line in damaged)
        parts.append(_tag("h4", "What was damaged") + _tag("ul", items, "owf-damage"))
    parts.append(_numbers(bars(report)))
    parts += [_breakdown(b) for b in breakdowns(report.measurements)]
    return _tag("div", "".join(parts), "owf-report")


def _damages(report: "Report") -> list[str]:
    """Return the classes and colours whose interval is clearly on the wrong side of zero, the worst of a kind first."""
    from ..core.metrics.metric import known
    from ..core.render import words
    from ..core.render.html.charts import against_zero

    found = []
    for name in sorted(report.measurements, key=words.metric_order):
        metric = known(name)
        for key, kind in () if metric is None else metric.breakdowns.items():
            parts = () if kind.reference or not kind.worse else report.measurements[name].breakdowns.get(key, ())
            # A colour that there is less of is as much of a change as one that there is more of.
            wrong = {"above": kind.worse, **({"below": kind.better} if kind.swatches else {})}
            hurt = [part for part in parts if against_zero(part.estimate) in wrong]
            for part in sorted(hurt, key=lambda part: -abs(part.estimate.value))[:_DAMAGED]:
                estimate = part.estimate
                value = words.quantity(estimate.value, estimate.unit, signed=kind.signed)
                span = words.interval(estimate.low, estimate.high, estimate.unit, kind.signed)
                found.append(f"{part.label}: {value} ({span}), {wrong[against_zero(estimate)]} · {kind.title}")
    return found


def _numbers(bars: Iterable[dict[str, Any]]) -> str:
    head = "".join(_tag("th", word) for word in ("", "value", "95 % interval", "noise floor", "limit", ""))
    keys = ("title", "value", "interval", "floor", "limit", "state")
    rows = [_tag("tr", "".join(_tag("td", escape(str(bar[key]))) for key in keys)) for bar in bars]
    return _tag("table", _tag("tr", head) + "".join(rows), "owf-numbers")


def _breakdown(breakdown: Any) -> str:
    rows = "".join(
        _tag(
            "div",
            _tag("span", escape(inert(row.label, 60)))
            + str(row.chart)  # our own markup, escaped where it was made
            + _tag("span", escape(f"{row.value} ({row.interval})"), "owf-faint"),
            "owf-row",
        )
        for row in breakdown.rows
    )
    head = _tag("summary", escape(f"{breakdown.title}, {breakdown.unit}" if breakdown.unit else breakdown.title))
    reading = _tag("p", escape(breakdown.reading), "owf-faint")
    return _tag("details", head + reading + rows, "owf-breakdown")


def gallery(report: "Report", folder: Path) -> list[tuple[Any, str]]:
    """Return (picture, caption) of the pairs that changed most: without the LoRA on the left, with it on the right."""
    from PIL import Image

    from ..core.errors import UsageError
    from ..core.pictures import open_picture

    found = []
    for pair in report.pairs[:PAIRS]:
        paths = [folder / name for name in (pair.base, pair.tuned)]
        if not all(map(is_ours, paths)):
            continue
        try:
            left, right = (open_picture(path) for path in paths)
        except (OSError, ValueError, UsageError):
            continue
        both = Image.new("RGB", (left.width + right.width + 4, max(left.height, right.height)), "white")
        both.paste(left, (0, 0))
        both.paste(right, (left.width + 4, 0))
        found.append((both, f"{inert(pair.prompt, 200)} (seed {pair.seed}, changed by {pair.change:.1f})"))
    return found


def prompts(report: "Report") -> list[str]:
    """Return the prompts whose pictures drifted most, the worst first."""
    return list(dict.fromkeys(inert(pair.prompt, 300) for pair in report.pairs[:PAIRS]))


def infotext(prompt: str, report: "Report", loras: Mapping[str, Path]) -> str:
    """Return a prompt as the host's own pictures carry it: with the LoRA, where it is listed, and how it was drawn."""
    name = next((name for name, path in loras.items() if report.adapter.name in (path.name, path.stem)), "")
    tag = f" <lora:{inert(name, 100)}:{report.adapter.strength:g}>" if name else ""
    seed = next((pair.seed for pair in report.pairs if inert(pair.prompt, 300) == prompt), 0)
    drawn = {"Steps": report.plan.get("sampling_steps"), "CFG scale": report.plan.get("guidance_scale"), "Seed": seed}
    # Hosts take a last line of fewer than three parameters for a part of the prompt.
    return (
        f"{inert(prompt, 300)}{tag}\n{', '.join(f'{name}: {inert(str(value), 30)}' for name, value in drawn.items())}"
    )


def samples(name: str) -> list[tuple[Any, str]]:
    """Return the sample pictures of a training so far, the newest first."""
    from ..core.errors import UsageError
    from ..core.pictures import open_picture

    folder, found = host.data_folder() / "training" / file_stem(str(name or ""), "none") / "samples", []
    for path in sorted(folder.glob("*.png"), key=changed_at, reverse=True)[:PAIRS]:
        with contextlib.suppress(OSError, ValueError, UsageError):
            found.append((open_picture(path), inert(path.stem, 100)))
    return found


def note(text: str) -> str:
    """Return a sentence about what was asked."""
    return _tag("p", escape(inert(text, 2000)), "owf-message")


def page(folder: Path | None) -> str:
    """Return the full HTML report in a frame that can do nothing but run the report's own script."""
    path = Path() if folder is None else folder / PAGE
    if not is_ours(path):
        return _tag("p", "This audit has no HTML report.")
    content = escape(path.read_text(encoding="utf-8"), quote=True)
    return f'<iframe class="owf-page" sandbox="allow-scripts" srcdoc="{content}"></iframe>'


def inspected(found: Any) -> str:
    """Return what `owf-audit inspect --json` said of one file."""
    if "error" in found:
        return note(f"{found['file']}: refused: {found['error']}")
    rows = [(name, _plain(value)) for name, value in found.items() if name != "blocks"]
    table = "".join(
        _tag("tr", _tag("th", escape(name.replace("_", " "))) + _tag("td", escape(inert(value, 600))))
        for name, value in rows
        if value
    )
    return _tag("table", table, "owf-numbers")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(held)}" for name, held in value.items() if held)
    if isinstance(value, list):
        return "; ".join(_plain(held) for held in value)
    return "" if value is None else str(value)


def _tag(name: str, inner: str, class_: str = "", **data: str) -> str:
    attributes = {"class": class_, **data} if class_ else data
    said = "".join(f' {key.replace("_", "-")}="{escape(value, quote=True)}"' for key, value in attributes.items())
    return f"<{name}{said}>{inner}</{name}>"
