"""What an audit would cost, for its node to say before it is queued: by the plan, and by what lies in the cache.

On which base a graph will run, the page tells by the file that a loader node names. Where none does it is the last one
that was audited, which is what most people queue again.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import families
from ...core.errors import OwfError
from ...core.ledger.known import LEDGER
from ...core.text import inert
from ...core.verdict.part import IN_PART
from ..backend import places
from ..ui.wording import graph_words
from .strengths import strengths_from

if TYPE_CHECKING:
    from ...core.audit.evidence.cost import Cost, Remaining
    from ...core.audit.request import AuditRequest
    from ...core.plan.audit_plan import AuditPlan
    from ..backend.model.denoiser import ComfyDenoiser

ROUTE = "/owf/forecast"
"""Where web/owf.js asks."""
_FAMILY = "sd15"
"""Taken where nothing was audited yet: plans are the same for all families but the demo's."""
_OF_BASE = ("probe_folder", "open_clip")
"""Inputs that make other base results; what is cached of them is not looked for."""
_OF_AUDIT = ("concept", "references")
"""Inputs that make another audit on the same base results."""
_FOLDERS = ("probe_folder", "references")
"""Inputs that name a folder: one that is missing is said here, before a base is loaded for nothing."""
_OF_LORA = frozenset({"lora", "strength", "tuned_model", "tuned_clip"})
"""Inputs of which a value that comes from the graph is another LoRA."""


@dataclass
class Base:
    """A base that was audited on."""

    digest: str
    name: str
    family: str
    seconds_per_row: float = 0.0
    """0 where that is not known: since ComfyUI began nothing was measured on it."""


_BASES: dict[str, Base] = {}
"""Digest -> base, since ComfyUI began, the last at the end."""


def audited(base: "ComfyDenoiser", seconds_per_row: float | None) -> None:
    """Learn that an audit ended, and how fast it was; None where it computed nothing."""
    digest = base.digest()
    known = _BASES.pop(digest, None) or Base(digest, base.name, base.family)
    known.seconds_per_row = seconds_per_row or known.seconds_per_row
    _BASES[digest] = known


def pace(digest: str, rows: int) -> str:
    """Return how long so many rows take on a base; "" where nothing was measured on it yet."""
    known = _BASES.get(digest)
    if known is None or not known.seconds_per_row:
        return ""
    return f" About {_roughly(known.seconds_per_row * rows)}, as fast as the last audit."


def _roughly(seconds: float) -> str:
    """Return a time no finer than a guess is."""
    if seconds < 60:
        return "a minute or less"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def forecast(inputs: Mapping[str, str]) -> str:
    """Return what an audit node with these inputs would compute and what is known already, or what is wrong there."""
    from .known import known_of

    try:
        with graph_words():
            choice, strength = inputs.get("lora", places.NONE), float(inputs.get("strength", 1.0))
            lora = None if choice == places.NONE else places.lora_path(choice)
            said = _rows(inputs, lora, strength)
            known = None if lora is None else known_of(lora, strength)[0]
    except OwfError as error:
        return inert(str(error), 400)
    except ValueError:  # nothing that a widget holds
        return ""
    if known is None or known.by != LEDGER:
        return said
    verdict = IN_PART if known.unjudged else known.verdict
    return f"{said} The ledger has it: {verdict} at strength {known.strength:g} on {inert(known.base, 80)}."


def _rows(inputs: Mapping[str, str], lora: Path | None, strength: float) -> str:
    from ...core.audit.evidence.cost import audit_cost
    from ...core.audit.outlook import rows_ahead
    from ...core.audit.request import plan_for
    from ...core.plan.audit_plan import plan_digest
    from .known import is_remembered

    for folder in filter(None, (inputs.get(name, "") for name in _FOLDERS)):
        places.input_folder(folder)
    last, audits = _base(inputs.get("base", "")), _audits(inputs)
    side = families.get(last.family).resolution
    plan, given = plan_for(_asked(inputs), last.family, side, None, (last.name,))
    cost = audit_cost(plan, len(plan.classes) * plan.per_class if given is None else len(given.labels))
    linked = set(filter(None, inputs.get("linked", "").split(",")))
    same_base = last.digest != "" and linked <= _OF_LORA and not _given(inputs, _OF_BASE)
    where = f"On {inert(last.name, 80)}" if last.name else "On a new base"
    is_known = same_base and not linked and not _given(inputs, _OF_AUDIT)
    if is_known and audits == 1 and lora is not None and is_remembered(lora, strength, last.digest, plan_digest(plan)):
        return f"{where}: 0 rows. Its report is remembered and comes at once."
    left = _left(plan, cost, last.digest if same_base else "")
    remembered = " What is remembered costs nothing." if audits > 1 else ""
    rows = audits * left.tuned + left.base
    return f"{where}: {rows_ahead(left, cost, audits)}.{remembered}{pace(last.digest, rows)}"


def _audits(inputs: Mapping[str, str]) -> int:
    """Return how many audits a node with these inputs is: of one LoRA, of many, or at many strengths."""
    if "loras" in inputs:
        return len(places.loras_named(inputs["loras"]))
    return len(strengths_from(inputs["strengths"])) if "strengths" in inputs else 1


def _given(inputs: Mapping[str, str], names: tuple[str, ...]) -> bool:
    return any(inputs.get(name, "") not in ("", "0") for name in names)


def _asked(inputs: Mapping[str, str]) -> "AuditRequest":
    from .request import AUTO, audit_request

    return audit_request(
        inputs.get("preset", "quick"),
        int(inputs.get("audit_seed", 0)),
        inputs.get("metrics", ""),
        int(inputs.get("per_class", 0)),
        int(inputs.get("resolution", 0)),
        float(inputs.get("guidance_scale", 0.0)),
        inputs.get("features", AUTO),
        "",
    )


def _base(named: str) -> Base:
    """Return the base that was audited on under the name of a file, a new one where none was; the last for no name."""
    shipped = families.get("demo")
    name = shipped.title if named == places.DEMO_BASE else inert(named.replace("\\", "/").rpartition("/")[2], 200)
    found = next((base for base in _audited_bases() if name in ("", base.name)), None)
    return found or Base("", name, shipped.name if name == shipped.title else _FAMILY)


def _audited_bases() -> Iterator[Base]:
    """Yield the bases of audits, the last first; of those before ComfyUI began the cache tells."""
    from ...core.audit.base.base_files import described

    yield from reversed(_BASES.values())
    for _, about in described(places.cache_folder()):
        yield Base(about.digest, about.base, about.family)


def _left(plan: "AuditPlan", cost: "Cost", base: str) -> "Remaining":
    """Return the rows of an audit without those of the base of that digest that are cached."""
    from ...core.audit.base.base_files import described
    from ...core.audit.evidence.cost import remaining
    from ...core.disk.store import SampleStore
    from ...core.plan.audit_plan import questions

    asked = base, questions(plan)
    for path, about in described(places.cache_folder()):
        if (about.digest, about.questions) == asked:
            with SampleStore(path) as store:
                return remaining(plan, cost, store.measured(), ())
    return remaining(plan, cost, (), ())


def serve() -> None:
    """Answer the browser at `ROUTE`; does nothing where ComfyUI runs without a server."""
    instance = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    routes = getattr(instance, "routes", None)
    if routes is None:
        return
    from aiohttp import web

    @routes.get(ROUTE)
    async def answer(request: Any) -> Any:
        try:
            said = await asyncio.to_thread(forecast, dict(request.query))
        except Exception:  # a forecast is a courtesy: whatever is wrong with it must not fill the page with errors
            logging.exception("OWF: the forecast of an audit failed")
            said = ""
        return web.json_response({"text": said})
