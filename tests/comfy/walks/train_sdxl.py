"""Trains and audits a LoRA of a tiny SDXL."""

import comfy.lora
import comfy.utils
from comfy_sdxl import build
from prelude import GIVEN, HOME, answer, pack, run, start

start(("nodes_train.py",))
model, clip, vae, _ = build("EPS")
pack("nodes.backend.demo").load_demo = lambda: (model, clip, vae)
pack("core.audit.request")._LEAST_SHARE = 0  # the tiny network is asked for tiny images
executor = run(GIVEN["prompt"])
(path,) = (HOME / "output" / "loras").glob("*.safetensors")
adapter = pack("core.adapter").read_adapter(path)
weights = comfy.utils.load_torch_file(str(path))
names = comfy.lora.model_lora_keys_unet(model.model, {})
answer(
    success=executor.success,
    errors=[data["exception_message"] for event, data in executor.server.sent if event == "execution_error"],
    panel=executor.history_result["outputs"]["2"]["owf"][0],
    kind=pack("core.train.metadata").read_metadata(path)["modelspec.architecture"],
    loaded=len(comfy.lora.load_lora(weights, names)),
    layers=len(adapter.modules),
    report=executor.history_result["outputs"]["4"]["owf"][0],
)
