"""The training node against ComfyUI's built-in TrainLoraNode: same MODEL, images, steps; batch 1 and 4.

Reports UNet rows and seconds per step, peak memory, whether the same seed gives the same file, and the time from cancel
to its answer. Needs COMFYUI_DIR and COMFYUI_PYTHON; prints JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

INSIDE = """
import hashlib, resource
start(("nodes_train.py",))
RUN = json.loads(SETTING)
load_demo = pack("nodes.backend.demo").load_demo
calls = {"rows": 0}

def counted(models):
    network = models[0].model.diffusion_model
    forward = network.forward
    def count(x, *rest, **named):
        calls["rows"] += len(x)
        return forward(x, *rest, **named)
    network.forward = count
    return models

pack("nodes.backend.demo").load_demo = lambda: counted(load_demo())
DEMO = {"class_type": "OWF_DemoCheckpoint"}
MODELS = {"model": ["1", 0], "clip": ["1", 1], "vae": ["1", 2]}

def ours(seed, steps):
    settings = {"name": "ours", "trigger": "sks", "class_word": "bag", "preset": "plain", "steps": steps,
                "batch": RUN["batch"], "rank": 8, "rate": 1e-3, "dc_weight": 0.0, "drift_budget": 0.0,
                "train_seed": seed, "folder": "[demo] concept", "drift_every": 0, "targets": "all"}
    return {"1": DEMO, "2": {"class_type": "OWF_TrainLoRADC", "inputs": {**MODELS, **settings}}}

def theirs(seed, steps):
    images = {"class_type": "LoadImageSetFromFolderNode", "inputs": {"folder": "concept", "resize_method": "None"}}
    latents = {"class_type": "VAEEncode", "inputs": {"pixels": ["3", 0], "vae": ["1", 2]}}
    text = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a photo of a sks bag"}}
    settings = {"model": ["1", 0], "latents": ["4", 0], "positive": ["5", 0], "batch_size": RUN["batch"],
                "grad_accumulation_steps": 1, "steps": steps, "learning_rate": 1e-3, "rank": 8,
                "optimizer": "AdamW", "loss_function": "MSE", "seed": seed, "training_dtype": "fp32",
                "lora_dtype": "fp32", "algorithm": "LoRA", "gradient_checkpointing": False, "existing_lora": "[None]"}
    saved = {"class_type": "SaveLoRANode", "inputs": {"lora": ["6", 1], "prefix": "loras/theirs"}}
    train = {"class_type": "TrainLoraNode", "inputs": settings}
    return {"1": DEMO, "3": images, "4": latents, "5": text, "6": train, "7": saved}

def prepare():
    import shutil
    place = HOME / "input" / "concept"
    place.mkdir(parents=True, exist_ok=True)
    for path in Path(PACK, "demo", "concept").glob("*.png"):
        shutil.copy(path, place)

def digest():
    files = sorted((HOME / "output" / "loras").rglob("*.safetensors"), key=lambda p: p.stat().st_mtime)
    from safetensors.torch import load_file
    sha = hashlib.sha256()
    for name, tensor in sorted(load_file(files[-1]).items()):
        sha.update(name.encode() + tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()

prepare()
graph = {"ours": ours, "theirs": theirs}[RUN["who"]]
STEPS = RUN["steps"]

def timed(steps):
    calls.update(rows=0)
    began = time.perf_counter()
    executor = run(graph(0, steps))
    seconds = time.perf_counter() - began
    assert executor.success, [d.get("exception_message") for e, d in executor.server.sent if e == "execution_error"]
    found = digest()
    for path in (HOME / "output" / "loras").rglob("*.safetensors"):
        path.unlink()
    return seconds, calls["rows"], found

# Loading, encoding and saving are in every run alike, so that steps cost what a longer run takes more.
_, _, first = timed(STEPS)
short, rows, second = timed(STEPS)
long, more_rows, _ = timed(3 * STEPS)

def interrupted():
    import threading, comfy.model_management as management
    stop = {}
    def cancel():
        stop["at"] = time.perf_counter()
        management.interrupt_current_processing()
    threading.Timer(short / 2, cancel).start()
    run(graph(1, 10 * STEPS))
    return time.perf_counter() - stop["at"]

waited = interrupted() if RUN["interrupt"] else None
answer(who=RUN["who"], batch=RUN["batch"], seconds_per_step=(long - short) / (2 * STEPS),
       rows_per_step=(more_rows - rows) / (2 * STEPS),
       peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
       same_seed_same_file=first == second, seconds_to_interrupt=waited)
"""


def measure(who: str, batch: int, steps: int, *, interrupt: bool) -> dict:
    """Return the numbers of one trainer at one batch size, in a process of its own; `interrupt` cancels a run too."""
    prelude = (ROOT / "tests" / "comfy" / "prelude.py").read_text()
    setting = json.dumps({"who": who, "batch": batch, "steps": steps, "interrupt": interrupt})
    with tempfile.TemporaryDirectory() as home:
        pack = Path(home, "custom_nodes", "owf-pack.v2")
        pack.parent.mkdir()
        pack.symlink_to(ROOT, target_is_directory=True)
        script = Path(home, "script.py")
        script.write_text(f"{prelude}\nSETTING = {setting!r}\n{INSIDE}")
        command = [os.environ["COMFYUI_PYTHON"], str(script), str(pack), home]
        result = subprocess.run(command, cwd=os.environ["COMFYUI_DIR"], capture_output=True, text=True, check=False)
    lines = [line for line in result.stdout.splitlines() if line.startswith("ANSWER ")]
    if not lines:
        sys.exit(result.stderr[-4000:])
    return json.loads(lines[-1].removeprefix("ANSWER "))


def main() -> None:
    """Print one line of JSON for each round, trainer and batch size, and the ratio of the median step times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, in turn")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    options = parser.parse_args()
    for batch in options.batches:
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for number in range(options.rounds):
            for who in ("ours", "theirs"):
                found = measure(who, batch, options.steps, interrupt=number == 0)
                print(json.dumps(found), flush=True)
                times[who].append(found["seconds_per_step"])
        ratio = statistics.median(times["ours"]) / statistics.median(times["theirs"])
        print(json.dumps({"batch": batch, "ours_to_theirs": ratio}), flush=True)


if __name__ == "__main__":
    main()
