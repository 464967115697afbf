"""What an audit would cost, for its node to say before it is queued: by the plan, and by the last audit here.

Before a graph runs nobody knows on which base it will; the last one is what most people queue again.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...core.errors import OwfError
from ...core.ledger.known import LEDGER
from ...core.render.words import duration
from ...core.text import inert
from ..backend import places
from ..ui.wording import graph_words

if TYPE_CHECKING:
    from ..backend.model.denoiser import ComfyDenoiser

ROUTE = "/owf/forecast"
"""Where web/owf.js asks."""
_FAMILY, _SIDE = "sd15", 512
"""Taken where nothing was audited yet: plans are the same for all families but the demo's."""


@dataclass
class Base:
    """A base that was audited on since ComfyUI began."""

    name: str
    family: str
    side: int
    seconds_per_row: float
    plans: set[str] = field(default_factory=set)
    """Digests of the plans whose base results are cached."""


_BASES: dict[str, Base] = {}
"""Digest -> base, the last at the end."""


def audited(base: "ComfyDenoiser", plan_digest: str, seconds_per_row: float | None) -> None:
    """Learn that an audit of a plan ended, and how fast it was; None where it computed nothing."""
    known = _BASES.pop(base.digest(), None) or Base(base.name, base.family, base.resolution, 0.0)
    known.seconds_per_row = seconds_per_row or known.seconds_per_row
    known.plans.add(plan_digest)
    _BASES[base.digest()] = known


def pace(digest: str, rows: int) -> str:
    """Return how long so many rows take on a base; "" where nothing was measured on it yet."""
    known = _BASES.get(digest)
    if known is None or not known.seconds_per_row:
        return ""
    return f" About {duration(known.seconds_per_row * rows)}, as fast as the last audit."


def forecast(inputs: Mapping[str, str]) -> str:
    """Return what an audit node with these inputs would compute and what is known already, or what is wrong there."""
    from .known import known_of

    try:
        with graph_words():
            said = _rows(inputs)
            lora = inputs.get("lora", places.NONE)
            strength = float(inputs.get("strength", 1.0))
            known = None if lora == places.NONE else known_of(places.lora_path(lora), strength)[0]
    except OwfError as error:
        return inert(str(error), 400)
    except ValueError:  # nothing that a widget holds
        return ""
    if known is None or known.by != LEDGER:
        return said
    return f"{said} The ledger has it: {known.verdict} at strength {known.strength:g} on {inert(known.base, 80)}."


def _rows(inputs: Mapping[str, str]) -> str:
    from ...core.audit.evidence.cost import Remaining, audit_cost
    from ...core.audit.outlook import rows_ahead
    from ...core.audit.request import plan_for
    from ...core.plan.audit_plan import plan_digest
    from .request import AUTO, audit_request

    digest, last = next(reversed(_BASES.items()), ("", Base("", _FAMILY, _SIDE, 0.0)))
    asked = audit_request(
        inputs.get("preset", "quick"),
        int(inputs.get("audit_seed", 0)),
        inputs.get("metrics", ""),
        int(inputs.get("per_class", 0)),
        float(inputs.get("guidance_scale", 0.0)),
        inputs.get("features", AUTO),
        "",
    )
    plan, given = plan_for(asked, last.family, last.side, None, (last.name,))
    cost = audit_cost(plan, len(plan.classes) * plan.per_class if given is None else len(given.labels))
    left = Remaining(cost.tuned, 0 if plan_digest(plan) in last.plans else cost.base)
    where = f"On {inert(last.name, 80)}" if last.name else "On a new base"
    return f"{where}: {rows_ahead(left, cost)}.{pace(digest, left.tuned + left.base)}"


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
