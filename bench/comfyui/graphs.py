"""Write subgraphs/, ComfyUI's blueprints, and most examples: `python -m bench.comfyui.graphs`.

Inputs, their order and their defaults come from the nodes' schemas, so that a graph has what the nodes have.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .graph import NOTE, Blueprint, Graph, Node, Schemas
from .locales import schemas
from .saved import blueprint, workflow

ROOT = Path(__file__).resolve().parents[2]
LOADER, AUDIT, TRAIN = "CheckpointLoaderSimple", "OWF_DriftAudit", "OWF_TrainLoRADC"
DEMO, COMPARE = "OWF_DemoCheckpoint", "OWF_CompareAudits"
DEMO_LORAS = ("plain", "dc")
HUB = "https://huggingface.co"
SD15 = "v1-5-pruned-emaonly-fp16.safetensors"
SDXL = "sd_xl_base_1.0.safetensors"
CHECKPOINTS = {
    SD15: f"{HUB}/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/{SD15}",
    SDXL: f"{HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/{SDXL}",
}
"""File as people have it -> where ComfyUI's page offers to fetch it from, as in ComfyUI's own templates."""
LOW = 100
"""Height of nodes with a panel: the page makes each as high as it needs, which differs with the kind of nodes."""
BASE = {"model": "base.MODEL", "clip": "base.CLIP", "vae": "base.VAE"}
"""What a node that audits or trains takes from the loader."""
CONCEPT = {"name": "my_dog", "trigger": "sks", "class_word": "dog", "folder": "my_dog"}


def loader(checkpoint: str) -> Node:
    """Return the loader of a base."""
    models = ({"name": checkpoint, "url": CHECKPOINTS[checkpoint], "directory": "checkpoints"},)
    return Node(LOADER, (320, 100), values={"ckpt_name": checkpoint}, models=models)


def note(text: str) -> Node:
    """Return a note."""
    return Node(NOTE, (320, 260), values={"text": text})


def audit(**values: Any) -> Node:
    """Return an audit of a LoRA by name."""
    return Node(AUDIT, (420, LOW), BASE, values)


def training(**values: Any) -> Node:
    """Return a training."""
    return Node(TRAIN, (420, LOW), BASE, values)


def proof(**values: Any) -> Node:
    """Return an audit of what was trained."""
    return Node(AUDIT, (420, LOW), {**BASE, "tuned_model": "train.model"}, values)


def preview(source: str) -> Node:
    """Return a node that shows pictures."""
    return Node("PreviewImage", (260, 260), {"images": source})


def audit_example(name: str, checkpoint: str, hint: str) -> Graph:
    """Return a workflow that audits a LoRA on a checkpoint."""
    text = (
        "**What did your LoRA make the model forget?** Choose your checkpoint in the loader and your LoRA in `lora`, "
        f"and queue. {hint}\n\nThe panel says before that what it costs. The base is measured once: the next LoRA on "
        "it costs only its own rows."
    )
    pictures = {"sheet": "audit.sheet", "before": "audit.base images", "after": "audit.tuned images"}
    return Graph(
        name,
        (
            {"base": loader(checkpoint), "note": note(text)},
            {"audit": audit()},
            {shown: preview(source) for shown, source in pictures.items()},
        ),
    )


def train_example(name: str, checkpoint: str, hint: str) -> Graph:
    """Return a workflow that trains a LoRA on a checkpoint and audits it."""
    text = (
        "**Teach a concept, and prove what it cost.** Put five or more pictures into a folder below ComfyUI's `input` "
        f"folder, name it in `folder`, and say in `class_word` what they show. {hint}\n\nThe file lies in "
        "`output/loras` and loads in every program; the audit beside it measures the same weights."
    )
    return Graph(
        name,
        (
            {"base": loader(checkpoint), "note": note(text)},
            {"train": training(**CONCEPT)},
            {"audit": proof()},
            {"curves": preview("train.curves"), "sheet": preview("audit.sheet")},
        ),
    )


def two_loras() -> Graph:
    """Return a workflow that holds the demo's two LoRAs against each other."""
    text = (
        "**Which of two LoRAs is the milder?** Both were taught the same five pictures, the second with drift "
        "correction. Each is audited on its own, and the node on the right holds the reports against each other: the "
        "same prompts, the same noise.\n\nTake your own checkpoint's loader in place of the demo one. Load report "
        "brings in an audit of last week."
    )
    base = Node(DEMO, (240, 66))
    audits = {
        letter: audit(lora=f"[demo] owf_demo_{name}.safetensors") for letter, name in zip("ab", DEMO_LORAS, strict=True)
    }
    compared = Node(COMPARE, (460, LOW), {f"report_{letter}": f"{letter}.report" for letter in audits})
    return Graph(
        "two_loras",
        ({"base": base, "note": note(text)}, {"a": audits["a"]}, {"b": audits["b"]}, {"compared": compared}),
    )


EXAMPLES = (
    audit_example("audit_a_lora_sd15", SD15, "LoRAs of Stable Diffusion 1.5 and what was made of it belong here."),
    audit_example("audit_a_lora_sdxl", SDXL, "LoRAs of SDXL, Pony and Illustrious belong on the checkpoint of theirs."),
    train_example("train_then_audit_sd15", SD15, "It learns at 512 pixels."),
    train_example("train_then_audit_sdxl", SDXL, "It learns at 1024 pixels; where memory is short, lower `batch`."),
)
DEMOS = (two_loras(),)
"""Examples on the demo checkpoint."""
BLUEPRINTS = (
    Blueprint(
        Graph("Audit this LoRA", ({"base": loader(SD15)}, {"audit": audit()})),
        "Loads a checkpoint with a LoRA and measures what the LoRA made it forget: PASS, DRIFT, INCONCLUSIVE or "
        "INVALID. Takes the place of both loaders; stop_graph keeps a LoRA that drifts from what follows.",
        inputs={
            "ckpt_name": "base.ckpt_name",
            **{name: f"audit.{name}" for name in ("lora", "strength", "preset", "stop_graph")},
        },
        outputs={
            **{name: f"audit.{name}" for name in ("model", "clip")},
            "vae": "base.VAE",
            **{name: f"audit.{name}" for name in ("verdict", "report", "sheet", "base images", "tuned images")},
        },
    ),
    Blueprint(
        Graph("Train and prove", ({"base": loader(SD15)}, {"train": training()}, {"audit": proof()})),
        "Trains a LoRA on pictures with drift correction and audits it at once: whether it learned, and what the model "
        "forgot. Connect images, or name a folder below ComfyUI's input folder.",
        inputs={
            "images": "train.images",
            "ckpt_name": "base.ckpt_name",
            **{name: f"train.{name}" for name in ("folder", "name", "trigger", "class_word", "preset", "steps")},
            "audit_preset": "audit.preset",
            "stop_graph": "audit.stop_graph",
        },
        outputs={
            **{name: f"audit.{name}" for name in ("model", "clip")},
            "vae": "base.VAE",
            "lora": "train.LORA_MODEL",
            "path": "train.path",
            "curves": "train.curves",
            "learned": "train.report",
            **{name: f"audit.{name}" for name in ("verdict", "report", "sheet")},
        },
    ),
)


def files(pack: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield path and content of each file, by what the schemas of the pack's nodes say."""
    known = Schemas(pack)
    for graph in (*EXAMPLES, *DEMOS):
        yield f"example_workflows/{graph.name}.json", _text(workflow(graph, known))
    for described in BLUEPRINTS:
        yield f"subgraphs/{described.graph.name}.json", _text(blueprint(described, known))


def _text(saved: Mapping[str, Any]) -> str:
    return json.dumps(saved, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write them all."""
    for name, content in files(schemas()):
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
