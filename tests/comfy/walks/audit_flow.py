"""Audits a LoRA on a tiny flow model, by its name and as ComfyUI's own loader applies it.

It has as few prompts as the command line is given.
"""

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
base = {"class_type": "OWF_DemoCheckpoint", "inputs": GIVEN["loader"]}
by_loader = {"model": ["1", 0], "lora_name": GIVEN["lora"], "strength_model": 1.0}
of_graph = {"class_type": "OWF_DriftAudit", "inputs": {**audit["inputs"], "lora": "none", "tuned_model": ["3", 0]}}
loader = {"class_type": "LoraLoaderModelOnly", "inputs": by_loader}
reports = []
for prompt in ({"1": base, "2": audit}, {"1": base, "3": loader, "4": of_graph}):
    executor = run(prompt)
    errors = [data["exception_message"] for event, data in executor.server.sent if event == "execution_error"]
    assert not errors, errors
    found = sorted((HOME / "output" / "owf").glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    reports.append(json.loads(found[-1].read_text()))
answer(reports=reports)
