"""Measures the demo base and its LoRAs: `python -m bench.demo_base.evaluate` writes results.json, grids and a table."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from owf.core.adapter import applied, read_adapter
from owf.core.datasets.images.labelled import LabelledImages
from owf.core.metrics.images.demo_network import FeatureNetwork
from owf.core.metrics.images.demo_network import load_network as load_features

from . import DEMO
from .judging.classifier import classification_errors, recognised
from .judging.judge import Judge
from .judging.pictures import SAMPLING, draw, load_demo_base, write_grid
from .judging.quality import write_quality
from .judging.taught import RULER, SHOWN, TITLES, make_judge, measure_concept, write_row
from .stages.features import shown_colors
from .world.concept import VIEWS, Subject, draw_views
from .world.drawing import FASHION, colorize, read_split
from .world.looks import LOOKS
from .world.splits import split_held_out
from .world.world import BACKGROUNDS, CLASSES, COLORS, PATTERNS, Scene, caption, draw_scene

if TYPE_CHECKING:
    from owf.core.model.backends.diffusers import DiffusersDenoiser

TIMESTEPS = 30
LOSS = "l2"
SEED = 1000
CLASS_ONLY = 200
"""Pictures drawn of captions that name the class alone."""
FULL = 600
"""Pictures drawn of full captions: of every class and pattern alike, in random colours before random backgrounds."""


def measure_classifier(denoiser: "DiffusersDenoiser", labelled: LabelledImages) -> dict[str, Any]:
    """Return the zero-shot accuracy on labelled pictures, and what it was measured with."""
    errors = classification_errors(denoiser, labelled, TIMESTEPS, LOSS, SEED)
    right = recognised(errors, labelled.labels)
    by_class = {name: float(right[labelled.labels == i].mean()) for i, name in enumerate(CLASSES)}
    return {
        "pictures": len(right),
        "timesteps": TIMESTEPS,
        "loss": LOSS,
        "accuracy": round(float(right.mean()), 4),
        "accuracy_by_class": {name: round(share, 3) for name, share in by_class.items()},
    }


def measure_generation(denoiser: "DiffusersDenoiser", network: FeatureNetwork) -> dict[str, Any]:
    """Return how often pictures show what was asked for."""
    scenes = balanced_scenes(FULL)
    pictures = draw(denoiser, [caption(scene, "both") for scene in scenes], SEED)
    bare = [Scene(i % len(CLASSES), 0, 0) for i in range(CLASS_ONLY)]
    from_class = draw(denoiser, [caption(scene, "class") for scene in bare], SEED)
    return {
        "pictures": len(scenes),
        "sampler": f"DDIM, {SAMPLING.steps} steps, guidance {SAMPLING.guidance_scale}",
        **{f"shows_{name}_asked_for": share(network, pictures, name, scenes) for name in network.heads},
        "shows_label_asked_for_alone": share(network, from_class, "label", bare),
    }


def balanced_scenes(count: int) -> list[Scene]:
    """Return scenes of every class and every pattern alike, in random colours before random backgrounds."""
    rng = np.random.default_rng(SEED)
    scenes: list[Scene] = []
    while len(scenes) < count:
        label, pattern = len(scenes) % len(CLASSES), len(scenes) // len(CLASSES) % len(PATTERNS)
        drawn = draw_scene(label, rng)
        if drawn.pattern == pattern:
            scenes.append(drawn)
    return scenes


@torch.no_grad()
def share(network: FeatureNetwork, pictures: torch.Tensor, head: str, scenes: Sequence[Scene]) -> float:
    """Return the share of uint8 pictures in which the network sees the scene's label, background, pattern or colours.

    A pattern's colours are right if the two that are seen best are the two asked for.
    """
    logits = network.classify(pictures.float() / 255, head)
    if head == "color":
        wanted = shown_colors(list(scenes)).bool()
        best = [row.topk(int(shown.sum())).indices for row, shown in zip(logits, wanted, strict=True)]
        right = torch.stack([shown[seen].all() for shown, seen in zip(wanted, best, strict=True)])
    else:
        right = logits.argmax(dim=1) == torch.tensor([getattr(scene, head) for scene in scenes])
    return round(float(right.float().mean()), 4)


@torch.no_grad()
def measure_round_trip(denoiser: "DiffusersDenoiser", fashion: Path) -> dict[str, float]:
    """Return the mean error, of 255, of the autoencoder on held-out pictures: of the world, and of every look."""
    gray, labels = read_split(fashion, "t10k")
    rows = split_held_out(labels).concept
    concepts = [Subject(word, item, look) for item, look in enumerate(LOOKS) for word in CLASSES]
    views = [VIEWS[i % len(VIEWS)] for i in range(len(concepts))]
    drawn = [draw_views(c, (view,), gray, labels, rows) for c, view in zip(concepts, views, strict=True)]
    pictures = (torch.cat(drawn) * 255).round().byte()
    known = torch.from_numpy(held_out(fashion)[0].images)
    return {name: round(_error(denoiser, part), 2) for name, part in (("world", known), ("concepts", pictures))}


def _error(denoiser: "DiffusersDenoiser", pictures: torch.Tensor) -> float:
    parts = [(denoiser.decode(denoiser.encode_image(p)).float() - p.float()).abs() for p in pictures.split(50)]
    return float(torch.cat(parts).mean())


def held_out(fashion: Path) -> tuple[LabelledImages, list[Scene]]:
    """Return the 500 evaluation pictures and what they show."""
    gray, labels = read_split(fashion, "t10k")
    rows = split_held_out(labels).evaluation
    rng = np.random.default_rng(SEED)
    scenes = [draw_scene(int(labels[row]), rng) for row in rows]
    pixels = (colorize(gray[rows], scenes, rng) * 255).round().byte().numpy()
    return LabelledImages(pixels, labels[rows].astype(int), CLASSES), scenes


def write_grids(denoiser: "DiffusersDenoiser", folder: Path, name: str) -> None:
    """Write a grid of one row per class in every colour and then in patterns, and a strip of what SHOWN asks for."""
    scenes = [scene for label in range(len(CLASSES)) for scene in _row(label)]
    columns = len(scenes) // len(CLASSES)
    write_grid(draw(denoiser, [caption(s, "both") for s in scenes], 1), columns, folder / f"{name}.png")
    write_grid(draw(denoiser, SHOWN, 1), len(SHOWN), folder / f"{name}_concept.png")


def _row(label: int) -> list[Scene]:
    """Return one class in every colour, and in every pattern twice."""
    colors, grounds = len(COLORS), len(BACKGROUNDS)
    plain = [Scene(label, color, (label + color) % grounds) for color in range(colors)]
    looks = [(pattern, (label + 3 * pattern + 5 * turn) % colors) for pattern in range(1, 5) for turn in range(2)]
    return plain + [Scene(label, c, (label + p) % grounds, p, (c + 1 + label) % colors) for p, c in looks]


def evaluate_base(folder: Path, fashion: Path, grids: Path, judge: Judge) -> dict[str, Any]:
    """Return how good the base is."""
    denoiser, network = load_demo_base(folder), load_features(folder / "features")
    labelled, scenes = held_out(fashion)
    pictures = torch.from_numpy(labelled.images)
    write_grids(denoiser, grids, "base")
    return {
        "diffusion_classifier": measure_classifier(denoiser, labelled),
        "generation": measure_generation(denoiser, network),
        "round_trip_error_of_255": measure_round_trip(denoiser, fashion),
        "judge_sees_concept": measure_concept(denoiser, judge),
        "feature_network_on_real_pictures": {h: share(network, pictures, h, scenes) for h in network.heads},
    }


def evaluate_lora(folder: Path, lora: Path, grids: Path, judge: Judge) -> dict[str, Any]:
    """Return whether a LoRA was learned; what it made the base forget is for `owf-audit --demo` to say."""
    denoiser = load_demo_base(folder)
    with applied(denoiser.components, read_adapter(lora)):
        write_grids(denoiser, grids, lora.stem)
        return {"judge_sees_concept": measure_concept(denoiser, judge)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the base and every LoRA of demo/lora, or only one of them, and update results.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion", type=Path, default=FASHION, help="folder of Fashion-MNIST's four IDX files")
    parser.add_argument("--base", type=Path, default=DEMO / "base")
    parser.add_argument("--out", type=Path, default=DEMO, help="folder of README.md, for results.json and samples/")
    parser.add_argument("--only", help='"base" or the name of a LoRA of demo/lora')
    options = parser.parse_args(arguments)
    judge, right = make_judge(options.fashion)
    _record(options.out / "results.json", "judge", {"looks_named_right": right, "things_not_seen_before": RULER})
    loras = {path.stem: path for path in sorted((DEMO / "lora").glob("*.safetensors"))}
    for name in [options.only] if options.only else ["base", *loras]:
        if name == "base":
            numbers = evaluate_base(options.base, options.fashion, options.out / "samples", judge)
        else:
            numbers = evaluate_lora(options.base, loras[name], options.out / "samples", judge)
        print(name, json.dumps(numbers, indent=2), flush=True)
        _record(options.out / "results.json", name, numbers)
    strips = {name: options.out / "samples" / f"{name}_concept.png" for name in TITLES}
    if all(strip.exists() for strip in strips.values()):
        write_row(DEMO / "concept", strips, options.out / "samples" / "row.png")
    results = json.loads((options.out / "results.json").read_text())
    if {"base", *loras} <= results.keys():
        write_quality(options.out / "README.md", results)


def _record(path: Path, name: str, numbers: dict[str, Any]) -> None:
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**results, name: numbers}, indent=2) + "\n")


if __name__ == "__main__":
    main()
