"""Runs nodes with a strength, and makes a request with a guidance, that are no numbers, as a link may bring them."""

from walk import NODES, answer, pack

errors, request = pack("core.errors"), pack("nodes.auditing.request")
given = {"lora": "x", "strength": float("nan"), "stop_graph": "never"}
base, plan = dict.fromkeys(("model", "clip", "vae")), {"preset": "quick", "audit_seed": 0}
acts = (
    lambda: NODES["OWF_DriftAudit"].execute(**base, **plan, **given),
    lambda: NODES["OWF_FolderAudit"].execute(**base, **plan, loras="", strength=float("inf")),
    lambda: NODES["OWF_LoadAuditedLoRA"].execute(model=None, **given),
    lambda: request.audit_request("quick", 0, "", 0, 0, float("nan"), "auto", ""),
)
said = []
for act in acts:
    try:
        act()
    except errors.UsageError as error:
        said.append(str(error))
answer(said=said)
