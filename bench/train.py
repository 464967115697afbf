"""Training step: time and peak memory, ours against diffusers' DreamBooth-LoRA loop, same model, same batch.

    python bench/train.py [--large] [--rounds 3] [--steps 12] [--batch 4]

The reference is the loop of diffusers' `train_dreambooth_lora.py` written down with PEFT at its fastest: latents and
text embeddings computed beforehand, as its options allow. Every variant runs in a process of its own, in turn, several
rounds; the numbers are medians of seconds per step and ratios to the reference's. --large takes a UNet of Stable
Diffusion 1.5's size with random weights on 16x16 latents instead of the demo base.
"""

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F

RANK, RATE = 8, 1e-4
VARIANTS = ("diffusers plain", "ours plain", "diffusers prior", "ours prior", "ours dc")
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


def denoiser_of(large: bool):
    from demo_base.judging.pictures import load_demo_base
    from owf.core.demo import DEMO_BASE
    from owf.core.model.backends.diffusers import DiffusersDenoiser
    from owf.core.model.base import CONFIGS

    if not large:
        return load_demo_base(DEMO_BASE)
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    folder = CONFIGS / "sd15"
    text = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=1, num_attention_heads=12)
    parts = SimpleNamespace(
        unet=UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"), sample_size=16),
        vae=AutoencoderKL(block_out_channels=(32, 32, 32, 32), down_block_types=("DownEncoderBlock2D",) * 4,
                          up_block_types=("UpDecoderBlock2D",) * 4),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDPMScheduler.from_config(DDPMScheduler.load_config(folder / "scheduler")),
    )  # fmt: skip
    return DiffusersDenoiser(parts, "random SD 1.5", "sd15")


def pictures_of(denoiser, count: int) -> torch.Tensor:
    side = denoiser.resolution
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


def time_ours(denoiser, batch: int, steps: int, terms: tuple[str, ...]) -> list[float]:
    from owf.core.model.diffusion.batch import Batching
    from owf.core.progress import SILENT
    from owf.core.train.data.bank import Bank
    from owf.core.train.plan import TrainPlan
    from owf.core.train.records import Picture, TrainSetting
    from owf.core.train.train import train

    plan = TrainPlan(class_word="bag", steps=steps, batch=batch, rank=RANK, rate=RATE, preserve=terms,
                     dc_control="fixed", bucket=0, drift_every=0, prior_images=1)  # fmt: skip
    bank = Bank(("a photo of a red coat on a beige background",), ())  # what is drawn beforehand is not timed
    times = [time.perf_counter()]
    pictures = [Picture(pixels, "a photo of a sks bag") for pixels in pictures_of(denoiser, 5)]
    with tempfile.TemporaryDirectory() as folder:
        tell = lambda record: times.append(time.perf_counter())  # noqa: E731
        setting = TrainSetting("x", Path(folder), Path(folder), SILENT, Batching(2), save_every=1e9, watch=tell)
        train(denoiser, pictures, bank, plan, setting)
    return [b - a for a, b in itertools.pairwise(times[1:])]


def time_reference(denoiser, batch: int, steps: int, prior: bool) -> list[float]:
    """Return seconds per step of the reference loop; class pictures join the batch for prior preservation."""
    import peft

    unet = denoiser.components["unet"]
    unet.train()
    peft.inject_adapter_in_model(peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS), unet)
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    latents = denoiser.encode_image(pictures_of(denoiser, 5))
    texts = denoiser.encode_text(["a photo of a sks bag", "a photo of a bag"]).context
    rows = batch * (2 if prior else 1)
    context = torch.cat([texts[:1].expand(batch, -1, -1), *[texts[1:].expand(batch, -1, -1)] * prior])
    times = [time.perf_counter()]
    for _ in range(steps):
        x0 = latents[torch.randint(0, len(latents), (rows,))]
        noise = torch.randn_like(x0)
        t = torch.randint(0, denoiser.schedule.steps, (rows,))
        prediction = unet(denoiser.schedule.noise(x0, noise, t), t, context, return_dict=False)[0]
        target = denoiser.schedule.target(x0, noise, t)
        losses = [F.mse_loss(p, q) for p, q in zip(prediction.split(batch), target.split(batch), strict=True)]
        torch.stack(losses).sum().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        times.append(time.perf_counter())
    return [b - a for a, b in itertools.pairwise(times[1:])]


def measure(variant: str, large: bool, batch: int, steps: int) -> dict:
    """Return seconds of every step but the first, and the process's peak memory in bytes."""
    denoiser = denoiser_of(large)
    terms = {"ours plain": (), "ours prior": ("prior",), "ours dc": ("dc",)}
    if variant in terms:
        times = time_ours(denoiser, batch, steps, terms[variant])
    else:
        times = time_reference(denoiser, batch, steps, variant.endswith("prior"))
    return {"seconds": times, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def run_apart(variant: str, options: argparse.Namespace) -> dict:
    command = [sys.executable, __file__, "--variant", variant, "--batch", options.batch, "--steps", options.steps]
    command += ["--large"] * options.large
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--plain", action="store_true", help="only the two plain variants")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.large, options.batch, options.steps)))
        return
    runs = {variant: [] for variant in VARIANTS if not options.plain or variant.endswith("plain")}
    for number in range(options.rounds):
        for variant in runs:
            runs[variant].append(run_apart(variant, options))
            print(f"round {number + 1}: {variant} done", file=sys.stderr, flush=True)
    print_table(runs)


def print_table(runs: dict[str, list[dict]]) -> None:
    seconds = {v: statistics.median(s for run in found for s in run["seconds"]) for v, found in runs.items()}
    memory = {v: statistics.median(run["bytes"] for run in found) / 2**30 for v, found in runs.items()}
    other = "prior" if "diffusers prior" in runs else "plain"
    print(f"| variant | s / step | x diffusers plain | x diffusers {other} | peak GB | x diffusers {other} |")
    print("|---|---|---|---|---|---|")
    prior = f"diffusers {other}"
    for variant in runs:
        ratios = f"{seconds[variant] / seconds['diffusers plain']:.2f} | {seconds[variant] / seconds[prior]:.2f}"
        peak = f"{memory[variant]:.2f} | {memory[variant] / memory[prior]:.2f}"
        print(f"| {variant} | {seconds[variant]:.3f} | {ratios} | {peak} |")


if __name__ == "__main__":
    main()
