"""Report <-> JSON, versioned. No torch, so a report can be read and re-judged anywhere."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..disk.files import read_regular, write_text
from ..errors import InvalidError, UsageError
from ..metrics.measurement import Estimate, Measurement, Part, require_numbers
from .judge import follows
from .learning import Learning, decide
from .typed import require_types
from .verdict import EXIT_CODES, INCONCLUSIVE, JUDGED, NO_ALARM, PASS, Judgement, Verdict

VERSION = 2
"""Version of the JSON layout; report.schema.json describes it. Reports since version 1 are read."""


@dataclass(frozen=True)
class BaseRecord:
    """The base model that was audited against."""

    name: str
    """Hub id, or the file or folder name."""
    family: str
    """Family name, such as "sd15"."""
    digest: str
    """SHA-256 over the weights that take part."""


@dataclass(frozen=True)
class BlockChange:
    """How much the LoRA changes one kind of layer in one block of the network."""

    component: str
    """Part of the pipeline, such as "unet"."""
    block: str
    """Title of the block, such as "down 0"."""
    kind: str
    """Kind of layer, such as "cross-attention"."""
    modules: int
    """How many modules are changed."""
    relative: float | None
    """Frobenius norm of their change at strength 1 relative to that of their base weights; None if not finite."""


@dataclass(frozen=True)
class AdapterRecord:
    """The LoRA that was audited."""

    name: str
    """File name."""
    sha256: str
    """SHA-256 of the file."""
    format: str
    """Naming dialect of the file, such as "kohya"."""
    algorithm: str
    """Such as "lora"."""
    family: str
    """Family of the base it was made for."""
    strength: float
    """W + strength * (W' - W) was measured."""
    matched: int
    """Modules of the base it changes."""
    unmatched: int
    """Modules and single tensors of the file that take no effect: not understood, or not in the base."""
    delta_norm: float
    """Frobenius norm of the whole change, relative to the norm of the weights it changes."""
    details: dict[str, str] = field(default_factory=dict)
    """Rank, alpha, trigger words and other facts worth showing."""
    warnings: tuple[str, ...] = ()
    """What a reader of the numbers should know about the file."""
    blocks: tuple[BlockChange, ...] = ()
    """Where the change sits, in the order of the network; empty if no module fits."""


@dataclass(frozen=True)
class ImagePair:
    """One prompt drawn by base and tuned from the same noise."""

    prompt: str
    """Prompt of both images."""
    seed: int
    """Seed of both images."""
    change: float
    """Colour distance of the two images in Delta-E; pairs are sorted by it, the most changed first."""
    base: str
    """Path of the base's PNG relative to the report."""
    tuned: str
    """Path of the tuned model's PNG relative to the report."""


@dataclass(frozen=True)
class Report:
    """One audit: plan, what was seen, and what it means."""

    verdict: Verdict
    """The answer and its reasons."""
    base: BaseRecord
    """What was audited against."""
    adapter: AdapterRecord
    """What was audited."""
    plan: dict[str, Any]
    """The plan as plain data."""
    plan_digest: str
    """SHA-256 of the plan."""
    measurements: dict[str, Measurement]
    """Metric name -> what it saw."""
    pairs: tuple[ImagePair, ...]
    """Image pairs, the most changed first."""
    environment: dict[str, str]
    """Versions, device, dtype."""
    timing: dict[str, float | str]
    """When it ran and how long: the only part that differs between two runs of the same audit."""
    cost: dict[str, int]
    """UNet rows that the plan asks of the tuned model and of the base; cached ones are counted too."""
    learning: Learning | None = None
    """Whether the LoRA has learned its concept, where the report ends a training; left out of the JSON where not."""
    status: str = "complete"
    """"complete", or "invalid" where nothing was measured."""
    version: int = VERSION
    """Layout version."""


def to_json(report: Report) -> str:
    """Return the report as JSON with sorted keys and no NaN; unbounded interval ends are written as null."""
    data = dataclasses.asdict(report)
    del data["verdict"]["settings"]  # each host has words of its own for them, and another one may read this
    for measurement in data["measurements"].values():
        if not measurement["prompts"]:
            del measurement["prompts"]
    if report.learning is None:
        del data["learning"]
    else:
        del data["learning"]["settings"]
    return json.dumps(_plain(data), indent=1, sort_keys=True, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


_MOST = 2**28
"""Bytes of a report that are read: those of thousands of prompts have some millions."""


def write_report(report: Report, path: Path) -> None:
    """Write the report's JSON so that a reader sees either the old file or the whole new one."""
    write_text(path, to_json(report))


def read_report(path: Path) -> Report:
    """Return the report in a JSON file; raise UsageError if it is not one of a version this code knows."""
    try:
        text = read_regular(Path(path), _MOST).decode()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not a readable report: {error}") from error
    return parse_report(text, str(path))


def parse_report(text: str, path: str) -> Report:
    """Return the report in JSON text that comes from `path`; raise UsageError as `read_report` does."""
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not a readable report: {error}") from error
    if not isinstance(data, dict) or not _is_known(data.get("version")):
        raise UsageError(f"{path} is not an OWF report of version 1 to {VERSION}; make it again with this release.")
    try:
        report = _report(_migrated(data))
        require_types(report, Report, "report")
        _require_whole(report)
        return report
    except (KeyError, TypeError, AttributeError, InvalidError) as error:
        raise UsageError(f"{path} is not a whole OWF report: {error!r}") from error


def _is_known(version: Any) -> bool:
    return type(version) is int and 1 <= version <= VERSION  # True is 1 in Python, and no version


def _migrated(data: dict[str, Any]) -> dict[str, Any]:
    """Return a report's data in the present layout.

    Version 1 called an alarm that did not fire PASS, and so a verdict of such alarms alone.
    """
    if data["version"] == VERSION:
        return data
    verdict = data["verdict"]
    judgements = [_silenced(judgement) for judgement in _list(verdict["judgements"])]
    only_alarms = bool(judgements) and all(judgement["decision"] == NO_ALARM for judgement in judgements)
    decision = INCONCLUSIVE if only_alarms and verdict["decision"] == PASS else verdict["decision"]
    return {**data, "verdict": {**verdict, "decision": decision, "judgements": judgements}, "version": VERSION}


def _silenced(judgement: dict[str, Any]) -> dict[str, Any]:
    is_silent = judgement["test"] == "alarm" and judgement["decision"] == PASS
    return {**judgement, "decision": NO_ALARM} if is_silent else judgement


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _require_whole(report: Report) -> None:
    """Raise KeyError where a decision or status is unknown, does not follow, or a measurement lacks its headline."""
    _ = EXIT_CODES[report.verdict.decision]
    for judgement in report.verdict.judgements:
        if judgement.decision not in JUDGED:
            raise KeyError(judgement.decision)
    if report.status not in ("complete", "invalid"):
        raise KeyError(report.status)
    for measurement in report.measurements.values():
        _ = require_numbers(measurement).estimates[measurement.headline]
    if not follows(report.verdict, report.measurements):
        raise KeyError(f"{report.verdict.decision} does not follow from the measurements")
    if report.learning is not None and report.learning.decision != decide(report.learning.estimates):
        raise KeyError(f"{report.learning.decision} does not follow from what was measured")


def _report(data: dict[str, Any]) -> Report:
    verdict = data["verdict"]
    judgements = tuple(Judgement(**j) for j in _list(verdict["judgements"]))
    verdict = Verdict(**{**verdict, "reasons": tuple(_list(verdict["reasons"])), "judgements": judgements})
    rest = {
        "verdict": verdict,
        "base": BaseRecord(**data["base"]),
        "adapter": _adapter(data["adapter"]),
        "measurements": {name: _measurement(m) for name, m in data["measurements"].items()},
        "pairs": tuple(ImagePair(**pair) for pair in _list(data["pairs"])),
        "learning": _learning(data["learning"]) if "learning" in data else None,
    }
    return Report(**{**data, **rest})


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:60]!r} is not a list")
    return value


def _adapter(data: dict[str, Any]) -> AdapterRecord:
    blocks = tuple(BlockChange(**block) for block in _list(data.get("blocks", [])))
    norm = math.nan if data["delta_norm"] is None else data["delta_norm"]
    return AdapterRecord(**{**data, "warnings": tuple(_list(data["warnings"])), "blocks": blocks, "delta_norm": norm})


def _measurement(data: dict[str, Any]) -> Measurement:
    estimates = {name: _estimate(e) for name, e in data["estimates"].items()}
    breakdowns = {
        name: tuple(Part(part["label"], _estimate(part["estimate"])) for part in _list(parts))
        for name, parts in data["breakdowns"].items()
    }
    facts = {name: math.nan if value is None else value for name, value in data.get("facts", {}).items()}
    prompts = {
        name: tuple(math.nan if value is None else value for value in _list(values))
        for name, values in data.get("prompts", {}).items()
    }
    records = {"estimates": estimates, "breakdowns": breakdowns, "facts": facts, "prompts": prompts}
    return Measurement(**{**data, **records})


def _learning(data: dict[str, Any]) -> Learning:
    estimates = {name: _estimate(e) for name, e in data["estimates"].items()}
    facts = {name: math.nan if value is None else value for name, value in data["facts"].items()}
    return Learning(**{**data, "reasons": tuple(_list(data["reasons"])), "estimates": estimates, "facts": facts})


def _estimate(data: dict[str, Any]) -> Estimate:
    low = -math.inf if data["low"] is None else data["low"]
    high = math.inf if data["high"] is None else data["high"]
    return Estimate(**{**data, "low": low, "high": high})
