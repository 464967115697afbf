"""Trains the demo base from Fashion-MNIST: `python -m bench.demo_base.train_base`; repeat the command to resume."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from . import DEMO
from .stages.autoencoder import Pictures, finish_decoder, train_autoencoder
from .stages.diffusion import train_diffusion
from .stages.export import export_base, export_probes
from .stages.features import save_features, train_features
from .stages.latents import encode_train
from .stages.stage import Run
from .stages.text import load_tokenizer
from .stages.tokenizer import write_tokenizer
from .stages.workers import PARTS, Workers, run_workers
from .world.concept import CONCEPT, VIEWS, draw_views, write_concept
from .world.drawing import FASHION, read_split
from .world.splits import split_held_out


def train_base(workers: Workers, fashion: Path, out: Path, work: Path, logs: Path, share: float) -> None:
    """Run every stage that `work` does not hold as finished, then write the model folder `out / "base"`."""
    run = Run(work, logs, share, workers)
    images, labels = read_split(fashion, "train")
    pictures = Pictures(images, labels)
    vae = train_autoencoder(pictures, run)
    latents = encode_train(vae, images, labels, run)
    tokenizer = load_tokenizer(out / "base" / "tokenizer")
    unet, text = train_diffusion(latents, vae.config["scaling_factor"], tokenizer, run)
    finish_decoder(vae, pictures, run)
    features = train_features(pictures, run)
    if workers.first:
        export_base(vae, unet, text, out / "base")
        save_features(features, out / "base" / "features")
        write_held_out(fashion, out)
    workers.wait()


def write_held_out(fashion: Path, out: Path) -> None:
    """Write the probes and the concept's pictures, none of which is trained on."""
    gray, labels = read_split(fashion, "t10k")
    splits = split_held_out(labels)
    export_probes(gray[splits.probes], labels[splits.probes], out / "probes.npz")
    write_concept(draw_views(CONCEPT, VIEWS, gray, labels, splits.concept), out / "concept")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion", type=Path, default=FASHION, help="folder of Fashion-MNIST's four IDX files")
    parser.add_argument("--out", type=Path, default=DEMO, help="folder that receives base/, probes.npz, concept/")
    parser.add_argument("--work", type=Path, default=DEMO / "work", help="folder of checkpoints and latents")
    parser.add_argument("--logs", type=Path, default=DEMO / "logs")
    parser.add_argument("--merge-list", type=Path, help="bpe_simple_vocab_16e6.txt.gz, to write base/tokenizer anew")
    parser.add_argument("--processes", type=int, default=PARTS, choices=(1, PARTS), help="of one thread each")
    parser.add_argument("--share", type=float, default=1, help="share of the steps to train, to try the command")
    options = parser.parse_args(arguments)
    if options.merge_list:
        write_tokenizer(options.merge_list, options.out / "base" / "tokenizer")
    places = (options.fashion, options.out, options.work, options.logs)
    run_workers(options.processes, options.work, train_base, *places, options.share)


if __name__ == "__main__":
    main()
