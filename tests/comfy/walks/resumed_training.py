"""Cancels a training at its eighth step, and queues it again."""

import hashlib

import comfy.model_management as management
from prelude import GIVEN, HOME, Server, answer, pack, run, start


class Once(Server):
    def send_sync(self, event, data, client=None):
        super().send_sync(event, data, client)
        if event == "owf.training" and data["step"] >= 8:
            management.interrupt_current_processing()


start()
pack("nodes.training.training")._SAVE_EVERY = 0.0
places = HOME / "output" / "owf" / "training"
stopped = run(GIVEN["prompt"], Once())
kept = [path.name for path in places.rglob("*.checkpoint")]
executor = run(GIVEN["prompt"])
(path,) = (HOME / "output" / "loras").glob("*.safetensors")
answer(
    stopped=not stopped.success,
    kept=len(kept),
    success=executor.success,
    panel=executor.history_result["outputs"]["2"]["owf"][0],
    first=min(data["step"] for event, data in executor.server.sent if event == "owf.training"),
    file=hashlib.sha256(path.read_bytes()).hexdigest(),
    left=[p.name for p in places.iterdir()],
)
