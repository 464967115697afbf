"""Executes a prompt that trains; `GIVEN["as"]` says in which circumstances."""

import hashlib

import comfy.model_management as management
from prelude import GIVEN, HOME, answer, pack, run, start

start(("nodes_preview_any.py", "nodes_train.py"))


def load_in_inference_mode():
    """Let the demo checkpoint load as ComfyUI's own loader nodes do."""
    demo = pack("nodes.backend.demo")

    def inside(folder=demo.DEMO_BASE):
        parts = demo._load_model(folder), demo._load_clip(folder), demo._load_vae(folder)
        assert all(p.is_inference() for p in parts[0].model.parameters())
        return parts

    demo.load_demo = inside


def make_room():
    """Let ComfyUI unload all models before every loss, as loading another large model would."""
    loss = pack("core.train.loop.loss").LossMaker
    losses = loss.losses

    def pressed(self, *rest):
        management.unload_all_models()
        return losses(self, *rest)

    loss.losses = pressed


{"plain": lambda: None, "loaded in inference mode": load_in_inference_mode, "pressed": make_room}[GIVEN["as"]]()
executor = run(GIVEN["prompt"])
loras = HOME / "output" / "loras"
answer(
    success=executor.success,
    outputs=executor.history_result["outputs"],
    errors=[data["exception_message"] for event, data in executor.server.sent if event == "execution_error"],
    files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(loras.glob("*"))},
    events=sum(event == "owf.training" for event, _ in executor.server.sent),
)
