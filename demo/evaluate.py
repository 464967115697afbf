"""Measures the demo base and its LoRA: `python -m owf.demo.evaluate` writes results.json and sample grids."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .classifier import accuracy, classification_errors
from .concept import CAPTION, read_concept
from .fashion import BACKGROUNDS, CLASSES, COLORS, Scene, article, caption, colorize, draw_scene, read_split
from .features import FeatureNetwork, load_features
from .pictures import GUIDANCE, STEPS, generate, load_pipeline, write_grid
from .splits import split_held_out

if TYPE_CHECKING:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

HERE = Path(__file__).parent
FASHION = Path("/usr/share/datasets/fashion-mnist")
TIMESTEPS = 40
SEED = 1000
CLASS_PROMPTS = tuple(f"a photo of {article(name)}" for name in CLASSES)


def measure_classifier(
    pipeline: "StableDiffusionPipeline", pictures: torch.Tensor, labels: torch.Tensor
) -> dict[str, object]:
    """Return the zero-shot accuracy under both losses, the one per class, and what it was measured on."""
    absolute, squared = classification_errors(pipeline, pictures, CLASS_PROMPTS, TIMESTEPS, SEED)
    guess = squared.mean(dim=1).argmin(dim=1)
    by_class = {name: float((guess == i)[labels == i].float().mean()) for i, name in enumerate(CLASSES)}
    return {
        "pictures": len(pictures),
        "timesteps": TIMESTEPS,
        "accuracy_squared_error": accuracy(squared, labels),
        "accuracy_absolute_error": accuracy(absolute, labels),
        "accuracy_by_class_squared_error": {name: round(share, 3) for name, share in by_class.items()},
    }


def measure_generation(pipeline: "StableDiffusionPipeline", network: FeatureNetwork) -> dict[str, object]:
    """Return how often pictures of every (class, colour, background) show what was asked for."""
    scenes = all_scenes()
    pictures = generate(pipeline, [caption(scene, 3) for scene in scenes], SEED)
    plain = [Scene(i % len(CLASSES), 0, 0) for i in range(500)]
    from_class = generate(pipeline, [caption(scene, 0) for scene in plain], SEED)
    return {
        "pictures": len(scenes),
        "sampler": f"DDIM, {STEPS} steps, guidance {GUIDANCE}",
        "shows_class_asked_for": share(network, pictures, "label", scenes),
        "shows_color_asked_for": share(network, pictures, "color", scenes),
        "shows_background_asked_for": share(network, pictures, "background", scenes),
        "shows_class_asked_for_by_class_only_prompts": share(network, from_class, "label", plain),
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


def share(network: FeatureNetwork, pictures: torch.Tensor, head: str, scenes: Sequence[Scene]) -> float:
    """Return the share of pictures in which the network sees the scene's class, colour or background."""
    truth = torch.tensor([getattr(scene, head) for scene in scenes])
    with torch.no_grad():
        return round(float((network.classify(pictures, head).argmax(dim=1) == truth).float().mean()), 4)


def measure_network(network: FeatureNetwork, pictures: torch.Tensor, scenes: list[Scene]) -> dict[str, float]:
    """Return the feature network's accuracy on real held-out pictures: the ruler of the generated ones."""
    return {head: share(network, pictures, head, scenes) for head in network.heads}


def held_out(fashion: Path) -> tuple[torch.Tensor, list[Scene]]:
    """Return the 500 evaluation pictures and what they show."""
    gray, labels = read_split(fashion, "t10k")
    rows = split_held_out(labels).evaluation
    rng = np.random.default_rng(SEED)
    scenes = [draw_scene(int(labels[row]), rng) for row in rows]
    return colorize(gray[rows], scenes, rng), scenes


def measure_concept(pipeline: "StableDiffusionPipeline", network: FeatureNetwork, folder: Path) -> dict[str, float]:
    """Return the mean feature cosine of concept pictures and generated bags, with and without trigger."""
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(network(read_concept(folder)), dim=1)
        similarity = {}
        for name, prompt in (("with_trigger", CAPTION), ("without_trigger", CAPTION.replace("sks ", ""))):
            seen = torch.nn.functional.normalize(network(generate(pipeline, [prompt] * 32, SEED)), dim=1)
            similarity[name] = round(float((seen @ wanted.T).mean()), 4)
    return similarity


def write_grids(pipeline: "StableDiffusionPipeline", folder: Path, name: str) -> None:
    """Write two grids: one row per class in mixed colours, and eight pictures of the concept's caption."""
    folder.mkdir(parents=True, exist_ok=True)
    colors, grounds = len(COLORS), len(BACKGROUNDS)
    scenes = [Scene(i // colors, i % colors, (i // colors + i) % grounds) for i in range(len(CLASSES) * colors)]
    write_grid(generate(pipeline, [caption(s, 3) for s in scenes], 1), colors, folder / f"{name}.png")
    write_grid(generate(pipeline, [CAPTION] * 8, 1), 8, folder / f"{name}_concept.png")


def evaluate(base: Path, lora: Path | None, fashion: Path, grids: Path) -> dict[str, object]:
    """Return all numbers of the base, or of the base with a LoRA on it."""
    pipeline, network = load_pipeline(base), load_features(base / "features")
    if lora is not None:
        pipeline.load_lora_weights(str(lora.parent), weight_name=lora.name)
    pictures, scenes = held_out(fashion)
    write_grids(pipeline, grids, "base" if lora is None else lora.stem)
    return {
        "feature_network_on_real_pictures": measure_network(network, pictures, scenes),
        "generation": measure_generation(pipeline, network),
        "concept_similarity": measure_concept(pipeline, network, HERE / "concept"),
        "diffusion_classifier": measure_classifier(pipeline, pictures, torch.tensor([s.label for s in scenes])),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the base and every LoRA of demo/lora, and write results.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion", type=Path, default=FASHION, help="folder of Fashion-MNIST's four IDX files")
    parser.add_argument("--base", type=Path, default=HERE / "base")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for results.json and samples/")
    options = parser.parse_args(arguments)
    results = {}
    for lora in (None, *sorted((HERE / "lora").glob("*.safetensors"))):
        name = "base" if lora is None else lora.stem
        results[name] = evaluate(options.base, lora, options.fashion, options.out / "samples")
        print(name, json.dumps(results[name], indent=2), flush=True)
    (options.out / "results.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
