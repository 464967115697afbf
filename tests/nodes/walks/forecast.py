"""Says what audits would cost: before any, after one on a base, and with a LoRA that the ledger knows."""

import asyncio
import dataclasses
import sys
from types import SimpleNamespace as Some

from made_rows import done
from walk import answer, pack

module, places, found = pack("nodes.auditing.forecast"), pack("nodes.backend.places"), pack("nodes.auditing.known")
ledger, identity = pack("core.ledger.ledger"), pack("core.disk.download")
request, plans = pack("core.audit.request"), pack("core.plan.audit_plan")
asked = {"preset": "quick", "metrics": "denoiser_drift"}
new = module.forecast(asked)
plan, _ = request.plan_for(request.AuditRequest(metrics=("denoiser_drift",)), "sd15", 512)
base = Some(name="My <base>", family="sd15", made_for=512, digest=lambda: "ab")
module.audited(base, plans.plan_digest(plan), 0.5)
cached, other = module.forecast(asked), module.forecast({**asked, "audit_seed": "1"})
places.reports_folder().mkdir(parents=True, exist_ok=True)
sha256 = identity.file_sha256(places.lora_path(places.DEMO))
with ledger.Ledger(found.ledger()) as kept:
    kept.put(dataclasses.replace(done("x", 1.0, 0.1).row, sha256=sha256, base="My base"), None)
known = [module.forecast({**asked, "lora": places.DEMO, "strength": strength}) for strength in ("1", "0.5")]
wrong = [module.forecast({**asked, **given}) for given in ({"preset": "no"}, {"per_class": "x"}, {"lora": "gone"})]

routes = {}
server = Some(routes=Some(get=lambda path: lambda act: routes.setdefault(path, act)))
sys.modules["server"] = Some(PromptServer=Some(instance=server))
sys.modules["aiohttp"] = Some(web=Some(json_response=lambda data: data))
module.serve()
served = [asyncio.run(routes[module.ROUTE](Some(query=query))) for query in (asked, {"preset": "no"})]
answer(new=new, cached=cached, other=other, known=known, wrong=wrong, served=served, pace=module.pace("none", 5))
