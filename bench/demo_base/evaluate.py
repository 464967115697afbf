"""Measures the demo base and its LoRAs: `python -m bench.demo_base.evaluate` writes results.json and sample grids."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from owf.core.adapter import applied, read_adapter
from owf.core.datasets.labelled import LabelledImages
from owf.core.metrics.images.demo_network import FeatureNetwork
from owf.core.metrics.images.demo_network import load_network as load_features

from . import DEMO
from .classifier import classification_errors, recognised
from .concept import CAPTION, read_concept
from .fashion import BACKGROUNDS, CLASSES, COLORS, FASHION, Scene, caption, colorize, draw_scene, read_split
from .pictures import SAMPLING, draw, load_demo_base, write_grid
from .splits import split_held_out

if TYPE_CHECKING:
    from owf.core.model.backends.diffusers import DiffusersDenoiser

TIMESTEPS = 30
LOSS = "l2"
SEED = 1000
CLASS_ONLY = 200
"""Pictures drawn of captions that name the class alone."""


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
    """Return how often pictures of every (class, colour, background) show what was asked for."""
    scenes = all_scenes()
    pictures = draw(denoiser, [caption(scene, 3) for scene in scenes], SEED)
    plain = [Scene(i % len(CLASSES), 0, 0) for i in range(CLASS_ONLY)]
    from_class = draw(denoiser, [caption(scene, 0) for scene in plain], SEED)
    return {
        "pictures": len(scenes),
        "sampler": f"DDIM, {SAMPLING.steps} steps, guidance {SAMPLING.guidance_scale}",
        "shows_class_asked_for": share(network, pictures, "label", scenes),
        "shows_color_asked_for": share(network, pictures, "color", scenes),
        "shows_background_asked_for": share(network, pictures, "background", scenes),
        "shows_class_asked_for_alone": share(network, from_class, "label", plain),
    }


def all_scenes() -> list[Scene]:
    """Return every scene whose object and background do not share a colour word."""
    colors, grounds = list(COLORS), list(BACKGROUNDS)
    return [
        Scene(label, color, ground)
        for label in range(len(CLASSES))
        for color in range(len(colors))
        for ground in range(len(grounds))
        if colors[color] != grounds[ground]
    ]


@torch.no_grad()
def share(network: FeatureNetwork, pictures: torch.Tensor, head: str, scenes: Sequence[Scene]) -> float:
    """Return the share of uint8 pictures in which the network sees the scene's label, color or background."""
    truth = torch.tensor([getattr(scene, head) for scene in scenes])
    guess = network.classify(pictures.float() / 255, head).argmax(dim=1)
    return round(float((guess == truth).float().mean()), 4)


def held_out(fashion: Path) -> tuple[LabelledImages, list[Scene]]:
    """Return the 500 evaluation pictures and what they show."""
    gray, labels = read_split(fashion, "t10k")
    rows = split_held_out(labels).evaluation
    rng = np.random.default_rng(SEED)
    scenes = [draw_scene(int(labels[row]), rng) for row in rows]
    pixels = (colorize(gray[rows], scenes, rng) * 255).round().byte().numpy()
    return LabelledImages(pixels, labels[rows].astype(int), CLASSES), scenes


@torch.no_grad()
def measure_concept(denoiser: "DiffusersDenoiser", network: FeatureNetwork, folder: Path) -> dict[str, float]:
    """Return the mean feature cosine of concept pictures and generated bags, with and without trigger."""
    wanted = torch.nn.functional.normalize(network(read_concept(folder)), dim=1)
    similarity = {}
    for name, prompt in (("with_trigger", CAPTION), ("without_trigger", CAPTION.replace("sks ", ""))):
        seen = network(draw(denoiser, [prompt] * 32, SEED).float() / 255)
        similarity[name] = round(float((torch.nn.functional.normalize(seen, dim=1) @ wanted.T).mean()), 4)
    return similarity


def write_grids(denoiser: "DiffusersDenoiser", folder: Path, name: str) -> None:
    """Write two grids: one row per class in every colour, and ten pictures of the concept's caption."""
    colors, grounds = len(COLORS), len(BACKGROUNDS)
    places = [(label, color) for label in range(len(CLASSES)) for color in range(colors)]
    scenes = [Scene(label, color, (label + color) % grounds) for label, color in places]
    write_grid(draw(denoiser, [caption(s, 3) for s in scenes], 1), colors, folder / f"{name}.png")
    write_grid(draw(denoiser, [CAPTION] * 10, 1), 10, folder / f"{name}_concept.png")


def evaluate_base(folder: Path, fashion: Path, grids: Path) -> dict[str, Any]:
    """Return how good the base is."""
    denoiser, network = load_demo_base(folder), load_features(folder / "features")
    labelled, scenes = held_out(fashion)
    pictures = torch.from_numpy(labelled.images)
    write_grids(denoiser, grids, "base")
    return {
        "diffusion_classifier": measure_classifier(denoiser, labelled),
        "generation": measure_generation(denoiser, network),
        "concept_similarity": measure_concept(denoiser, network, DEMO / "concept"),
        "feature_network_on_real_pictures": {h: share(network, pictures, h, scenes) for h in network.heads},
    }


def evaluate_lora(folder: Path, lora: Path, grids: Path) -> dict[str, Any]:
    """Return what a LoRA learnt; what it made the base forget is for `owf-audit --demo` to say."""
    denoiser, network = load_demo_base(folder), load_features(folder / "features")
    with applied(denoiser.components, read_adapter(lora)):
        write_grids(denoiser, grids, lora.stem)
        return {"concept_similarity": measure_concept(denoiser, network, DEMO / "concept")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the base and every LoRA of demo/lora, or only one of them, and update results.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion", type=Path, default=FASHION, help="folder of Fashion-MNIST's four IDX files")
    parser.add_argument("--base", type=Path, default=DEMO / "base")
    parser.add_argument("--out", type=Path, default=DEMO, help="folder for results.json and samples/")
    parser.add_argument("--only", help='"base" or the name of a LoRA of demo/lora')
    options = parser.parse_args(arguments)
    loras = {path.stem: path for path in sorted((DEMO / "lora").glob("*.safetensors"))}
    for name in [options.only] if options.only else ["base", *loras]:
        if name == "base":
            numbers = evaluate_base(options.base, options.fashion, options.out / "samples")
        else:
            numbers = evaluate_lora(options.base, loras[name], options.out / "samples")
        print(name, json.dumps(numbers, indent=2), flush=True)
        _record(options.out / "results.json", name, numbers)


def _record(path: Path, name: str, numbers: dict[str, Any]) -> None:
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**results, name: numbers}, indent=2) + "\n")


if __name__ == "__main__":
    main()
