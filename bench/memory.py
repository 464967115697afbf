"""Memory of bases in every way of keeping them, from shapes: `python bench/memory.py [--only PART]`.

Prints the tables of docs/memory.md: rows and memory of a `quick` audit on every family, and memory where its files hold
eight bits; an audit on Stable Diffusion XL with four rows of 1024 px at once; and a training step on large bases, whose
activations are counted by what is allocated on fake tensors. LoRAs have rank 16.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence

import checkout  # noqa: F401
import torch
from footprints.eight_bits import eight_bits_table
from footprints.families import memory_table, rows_table, short
from footprints.loras import lora_bytes
from footprints.steps import KIND, TRAINED, needed, step_on
from owf.core import families
from owf.core.model.base import BaseChoice
from owf.core.model.blueprint import Blueprint, blueprint
from owf.core.model.footprint import GIB, footprint
from owf.core.model.memory import TILE, Keeping

ROWS = 4
"""As many rows at once as small cards hold."""
WAYS = (
    Keeping(),
    Keeping(tile=TILE),
    Keeping("model"),
    Keeping("group", tile=TILE),
    Keeping(quantize="int8"),
    Keeping(quantize="int8", tile=TILE),
    Keeping("model", "int8"),
    Keeping(quantize="nf4", tile=TILE),
    Keeping("model", "nf4", TILE),
)
STEPPED = ("sdxl", "flux", "flux2_klein", "flux2_klein_9b", "z_image")
"""Families whose training steps are counted."""


def base_of(family: str) -> Blueprint:
    """Return the usual base of a family, which is only looked at."""
    hub_id = families.get(family).hub_id
    assert hub_id is not None
    return blueprint(BaseChoice(hub_id, "hub"))


def audit_bytes(base: Blueprint, keeping: Keeping, dtype: torch.dtype = KIND) -> float:
    """Return what an audit takes of a card."""
    return footprint(base, dtype, ROWS, keeping, lora_bytes(base)).needed


def audits() -> Iterator[str]:
    """Yield the lines of the table of an audit on Stable Diffusion XL."""
    base = base_of("sdxl")
    for keeping in WAYS:
        needed = [audit_bytes(base, keeping, t) / GIB for t in (torch.float32, torch.bfloat16, torch.float16)]
        yield f"| {keeping.words()} | " + " | ".join(f"{value:.1f}" for value in needed) + " |"


def trainings(stepped: Sequence[str] = STEPPED) -> Iterator[str]:
    """Yield the lines of the table of a training step, a base each: what a row takes, then the card of every way.

    C is checkpointing.
    """
    heads = [f"C, {short(way.keeping)}" if way.checkpointing else short(way.keeping) for way in TRAINED]
    yield f"| base | a row | a row, C | trained, M | {' | '.join(heads)} |"
    yield "|---" * (len(TRAINED) + 4) + "|"
    for family in stepped:
        memory = step_on(lambda family=family: base_of(family))
        rows = " | ".join(f"{memory.step.row(checkpointing) / GIB:.2f}" for checkpointing in (False, True))
        cells = " | ".join(f"{needed(memory, way):.1f}" for way in TRAINED)
        yield f"| {memory.base.family.title} | {rows} | {memory.step.trained / 1e6:.0f} | {cells} |"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "rows": rows_table,
    "families": memory_table,
    "eight_bits": eight_bits_table,
    "audits": audits,
    "trainings": trainings,
}
"""Name -> what prints it; a training step of each base takes minutes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(TABLES), help="one of the tables")
    parser.add_argument("--families", nargs="+", choices=STEPPED, default=STEPPED, help="whose training is counted")
    options = parser.parse_args()
    tables = {**TABLES, "trainings": lambda: trainings(options.families)}
    for name, lines in tables.items():
        if options.only in (None, name):
            for line in lines():
                print(line, flush=True)
            print()


if __name__ == "__main__":
    main()
