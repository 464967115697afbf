"""Says what audits would cost: before any, after one on a base, and with a LoRA that the ledger knows."""

import asyncio
import dataclasses
import sys
from types import SimpleNamespace as Some

import numpy as np
from made_rows import done
from walk import answer, pack

module, places, found = pack("nodes.auditing.forecast"), pack("nodes.backend.places"), pack("nodes.auditing.known")
ledger, identity = pack("core.ledger.ledger"), pack("core.disk.download")
request, plans = pack("core.audit.request"), pack("core.plan.audit_plan")
asked = {"preset": "quick", "metrics": "denoiser_drift"}
new = module.forecast(asked)
plan, _ = request.plan_for(request.AuditRequest(metrics=("denoiser_drift",)), "sd15", 512)
digest = plans.plan_digest(plan)
results, shapes = pack("core.audit.base.base_results"), "(4, 64, 64)"
about = results.About("My <base>", "sd15", "quick", "ab", plans.questions(plan), {}, 1, shapes)
samples = {"predict": 48, "draw": 48, "predict-again": 8, "reading": 8}  # all that the plan asks of a base
with results.open_results(about, places.cache_folder()) as store:
    for stage, count in samples.items():
        store.put(stage, [(str(item), {"x": np.zeros(1)}) for item in range(count // 2)])
    half = module.forecast(asked)  # as after ComfyUI began anew: the cache tells of the base
    for stage, count in samples.items():
        store.put(stage, [(str(item), {"x": np.zeros(1)}) for item in range(count // 2, count)])
base = Some(name="My <base>", family="sd15", digest=lambda: "ab")
module.audited(base, 0.5)
cached, other = module.forecast(asked), module.forecast({**asked, "audit_seed": "1"})
bigger = module.forecast({**asked, "resolution": "1024"})
places.reports_folder().mkdir(parents=True, exist_ok=True)
sha256 = identity.file_sha256(places.lora_path(places.DEMO))
with ledger.Ledger(found.ledger()) as kept:
    row = dataclasses.replace(done("x", 1.0, 0.1).row, sha256=sha256, base="My base")
    kept.put(dataclasses.replace(row, base_digest="ab", plan_digest=digest, folder="x"), None)
known = [module.forecast({**asked, "lora": places.DEMO, "strength": strength}) for strength in ("1", "0.5")]
(places.reports_folder() / "x").mkdir()
(places.reports_folder() / "x" / "report.json").touch()
again = {**asked, "lora": places.DEMO}
others = ({"strength": "0.5"}, {"audit_seed": "1"}, {"concept": "dog"}, {"linked": "lora"}, {"linked": "probe_images"})
remembered = [module.forecast({**again, **given}) for given in ({}, *others)]
wrong = [module.forecast({**asked, **given}) for given in ({"preset": "no"}, {"per_class": "x"}, {"lora": "gone"})]
folders = [module.forecast({**asked, name: "missing"}) for name in ("probe_folder", "references")]
bases = [module.forecast({**asked, "base": name}) for name in ("a/b\\My <base>", "other.safetensors", "[demo]")]
many = [
    module.forecast({**asked, **given}) for given in ({"strengths": "1, 2"}, {"loras": "[demo] *"}, {"strengths": "x"})
]
times = [module._roughly(seconds) for seconds in (3, 754, 9000)]

routes = {}
server = Some(routes=Some(get=lambda path: lambda act: routes.setdefault(path, act)))
sys.modules["server"] = Some(PromptServer=Some(instance=server))
sys.modules["aiohttp"] = Some(web=Some(json_response=lambda data: data))
module.serve()
served = [asyncio.run(routes[module.ROUTE](Some(query=query))) for query in (asked, {"preset": "no"})]
answer(
    new=new,
    half=half,
    cached=cached,
    other=other,
    bigger=bigger,
    known=known,
    remembered=remembered,
    wrong=wrong,
    folders=folders,
    times=times,
    bases=bases,
    many=many,
    served=served,
    pace=module.pace("none", 5),
)
