"""Audits a LoRA by its name on a tiny flow model, with as few prompts as the command line is given."""

import json
import sys
from pathlib import Path

from comfy_flow import built
from prelude import GIVEN, HOME, WALK, answer, pack, run, start

sys.path.append(str(Path(WALK).resolve().parents[2] / "support"))
from brief_audit import METRICS, shorten

start()
shorten(pack("core.plan.presets"))
model, clip, vae = built()
if GIVEN["family"] == "flux":  # as many of T5's tokens as the command line has
    clip.set_tokenizer_option("t5xxl_min_length", 512)
pack("nodes.backend.demo").load_demo = lambda: (model, clip, vae)
pack("core.audit.request")._LEAST_SHARE = 0  # the tiny model is asked for tiny images
asked = {"metrics": METRICS, "resolution": 64}
models = {"model": ["1", 0], "clip": ["1", 1], "vae": ["1", 2]}
given = {"lora": GIVEN["lora"], "strength": 1.0, "preset": "quick", "audit_seed": 0, "stop_graph": "never"}
audit = {"class_type": "OWF_DriftAudit", "inputs": {**models, **given, **asked}}
# By the name that a loader node has for it, a base is drawn as people draw with that one.
executor = run({"1": {"class_type": "OWF_DemoCheckpoint", "inputs": GIVEN["loader"]}, "2": audit})
errors = [data["exception_message"] for event, data in executor.server.sent if event == "execution_error"]
assert not errors, errors
(report,) = (HOME / "output" / "owf").glob("*/report.json")
answer(report=json.loads(report.read_text()))
