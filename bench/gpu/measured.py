"""Memory on a real GPU, for what bench/memory.py counts from shapes: `python bench/gpu/measured.py [--work DIR]`.

Writes a Stable Diffusion XL of full size with random weights and a LoRA on all transformers of its U-Net. A process for
each way of keeping the base asks what an audit asks (four rows of 1024 px at once, a picture decoded and one encoded),
or trains four steps. It may take what the smallest card of 8, 12, 16, 24 or 32 GB has that is said to be enough.
Prints a table of docs/memory.md: what is said to be needed, that card, what torch held at most and what it had taken.
Needs 8 GB of disk, and a card of as much memory.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import checkout  # noqa: F401
from footprints.loras import RANK, changed_layers
from footprints.steps import KIND, TRAINED, needed, step_on
from memory import ROWS, WAYS, audit_bytes
from owf.core import families
from owf.core.adapter import LoraCard, LoraPair, read_adapter, write_lora
from owf.core.audit.change import AdapterChange
from owf.core.model.base import CONFIGS, BaseChoice, load_base
from owf.core.model.blueprint import blueprint
from owf.core.model.diffusion.batch import Batching
from owf.core.model.footprint import BESIDES, GIB
from owf.core.model.memory import Keeping
from owf.core.progress import SILENT
from owf.core.train.data.bank import Bank
from owf.core.train.plan import TrainPlan
from owf.core.train.records import Picture, StepRecord, TrainSetting
from owf.core.train.train import train

CARDS = (8, 12, 16, 24, 32)
"""GiB of cards that people have."""


def write_base(folder: Path) -> None:
    """Write Stable Diffusion XL with random weights in float16, as its family ships its configuration."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    root = CONFIGS / "sdxl"
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)
    with torch.device("cuda"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(root / "unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(root / "vae"))
        first = CLIPTextModel(CLIPTextConfig.from_pretrained(root / "text_encoder"))
        second = CLIPTextModelWithProjection(CLIPTextConfig.from_pretrained(root / "text_encoder_2"))
    torch.set_default_dtype(torch.float32)
    scheduler = EulerDiscreteScheduler.from_config(EulerDiscreteScheduler.load_config(root / "scheduler"))
    vocabulary = CONFIGS / "sd15" / "tokenizer"
    one, two = (CLIPTokenizer.from_pretrained(vocabulary, pad_token=pad) for pad in ("<|endoftext|>", "!"))
    pipeline = StableDiffusionXLPipeline(vae, first, second, one, two, unet, scheduler, add_watermarker=False)
    pipeline.save_pretrained(folder)


def write_random_lora(base: Path, path: Path) -> None:
    """Write a LoRA on every linear layer of the U-Net's transformers."""
    pairs = [
        LoraPair("unet", name, torch.randn(RANK, m.in_features) * 0.01, torch.randn(m.out_features, RANK) * 0.01, RANK)
        for name, m in changed_layers(blueprint(BaseChoice(str(base), "folder")))
    ]
    write_lora(path, pairs, LoraCard(path.stem, families.get("sdxl")))


@torch.no_grad()
def audited(work: Path, keeping: Keeping) -> dict[str, float]:
    """Return the seconds of a row of the base with its LoRA."""
    base = load_base(
        BaseChoice(str(work / "base"), "folder"), torch.device("cuda"), KIND, offline=True, keeping=keeping
    )
    change = AdapterChange(base.components, read_adapter(work / "lora.safetensors"), 1.0, keeping)
    change.on()
    cond = base.encode_text(["a photo of a bag"]).rows([0] * ROWS)
    x = torch.randn(ROWS, *base.latent_shape).to("cuda", base.dtype)
    t = torch.full((ROWS,), 500, device="cuda")
    base.predict(x, t, cond)  # the first run loads code
    torch.cuda.synchronize()
    start = time.perf_counter()
    base.predict(x, t, cond)
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - start) / ROWS
    base.encode_image(base.decode(x[:1]))
    change.off()
    return {"seconds": seconds}


def trained(work: Path, keeping: Keeping, checkpointing: bool) -> dict[str, float]:
    """Return the seconds of a training step; memory is measured from the end of the first."""
    base = load_base(
        BaseChoice(str(work / "base"), "folder"), torch.device("cuda"), KIND, offline=True, keeping=keeping
    )
    times: list[float] = []

    def tell(record: StepRecord) -> None:
        torch.cuda.synchronize()
        if not times:
            torch.cuda.reset_peak_memory_stats()
        times.append(time.perf_counter())

    plan = TrainPlan(class_word="bag", steps=4, rank=RANK, targets="transformer", checkpointing=checkpointing,
                     drift_every=0, bank_prompts=2, dc_control="fixed")  # fmt: skip
    bank = Bank(("a red shirt", "a green shoe"), ("a grey coat",))
    picture = Picture(torch.randint(0, 256, (3, 1024, 1024), dtype=torch.uint8), "a photo of a sks bag")
    folder = work / "trained" / f"{keeping.words()} {checkpointing}"
    setting = TrainSetting("trained", folder, work / "cache", SILENT, Batching(2), save_every=1e9, watch=tell,
                           keeping=keeping)  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    train(base, [picture], bank, plan, setting)
    return {"seconds": (times[-1] - times[0]) / (len(times) - 1)}


def child(work: Path, asked: dict) -> None:
    """Measure one way in this process and print it as JSON."""
    keeping, checkpointing = Keeping(*asked["keeping"]), asked["checkpointing"]
    # What the driver and its libraries take is not torch's to count.
    share = (asked["card"] * GIB - BESIDES) / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, share))
    found = audited(work, keeping) if checkpointing is None else trained(work, keeping, checkpointing)
    print(json.dumps(found | {"held": torch.cuda.max_memory_allocated(), "taken": torch.cuda.max_memory_reserved()}))


def measured(work: Path, keeping: Keeping, checkpointing: bool | None, card: int) -> dict[str, float] | str:
    """Return what a process of its own measures of a way, or why it measured nothing."""
    asked = {"keeping": [keeping.offload, keeping.quantize, keeping.tile], "checkpointing": checkpointing, "card": card}
    command = [sys.executable, __file__, "--work", str(work), "--child", json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return "does not fit" if "OutOfMemory" in done.stderr else done.stderr.strip().splitlines()[-1]
    return json.loads(done.stdout.splitlines()[-1])


def line(work: Path, keeping: Keeping, checkpointing: bool | None, needed: float) -> str:
    """Return the table's line of a way, measured."""
    card = next(size for size in CARDS if size * GIB > needed)
    found = measured(work, keeping, checkpointing, card)
    what = "audit" if checkpointing is None else f"training{', checkpointing' if checkpointing else ''}"
    cells = [what, keeping.words(), f"{needed / GIB:.1f}", f"{card} GB"]
    if isinstance(found, str):
        return f"| {' | '.join(cells)} | {found} | |"
    return f"| {' | '.join(cells)} | {found['held'] / GIB:.1f} | {found['taken'] / GIB:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("gpu-memory"), help="where base and LoRA are kept")
    parser.add_argument("--only", choices=("audits", "trainings"), help="one half of the table")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.work, json.loads(options.child))
        return
    if not (options.work / "lora.safetensors").exists():
        write_base(options.work / "base")
        write_random_lora(options.work / "base", options.work / "lora.safetensors")
        torch.cuda.empty_cache()
    base = blueprint(BaseChoice(str(options.work / "base"), "folder"))
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, GiB in {KIND}")
    print("| what | how the base is kept | needed | card | held | taken |\n|---|---|---|---|---|---|")
    if options.only != "trainings":
        for keeping in WAYS:
            print(line(options.work, keeping, None, audit_bytes(base, keeping)), flush=True)
    if options.only != "audits":
        memory = step_on(lambda: blueprint(BaseChoice(str(options.work / "base"), "folder")))
        for way in TRAINED:
            print(line(options.work, way.keeping, way.checkpointing, needed(memory, way) * GIB), flush=True)


if __name__ == "__main__":
    main()
