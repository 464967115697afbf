"""CIFAR's batches for Python without unpickling: the opcodes are looked at, and nothing is built or executed.

A batch is a dictionary of `labels`, a list of numbers, and `data`, an array of bytes that lies in the pickle as one
string. Both can be read off the opcodes; whatever else the pickle would do is left undone.
"""

import pickletools
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

INTEGERS = ("BININT", "BININT1", "BININT2", "INT", "LONG1")
"""Opcodes of a label."""


def read_batch(pickled: bytes, picture: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels (N,) and the pixels (N, `picture`) uint8 of a batch.

    Raises ValueError where there are no such labels, or not one array in C order with as many pictures.
    """
    operations = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(pickled)]
    labels = _labels(operations)
    found = [
        argument
        for (before, _), (_, argument) in pairwise(operations)
        # A false before it says that its rows are not in Fortran's order.
        if before == "NEWFALSE" and isinstance(argument, str | bytes) and len(argument) == len(labels) * picture
    ]
    if not labels or len(found) != 1:
        raise ValueError(f"no array of {len(labels)} pictures of {picture} bytes is in it")
    raw = found[0].encode("latin-1") if isinstance(found[0], str) else found[0]
    return np.array(labels), np.frombuffer(raw, np.uint8).reshape(-1, picture)


def _labels(operations: Sequence[tuple[str, object]]) -> list[int]:
    """Return the numbers between the key `labels` and the next text."""
    texts = [i for i, (_, argument) in enumerate(operations) if isinstance(argument, str | bytes)]
    starts = [i for i in texts if operations[i][1] in ("labels", b"labels")]
    if not starts:
        return []
    end = next((i for i in texts if i > starts[0]), len(operations))
    inside = operations[starts[0] : end]
    return [argument for name, argument in inside if name in INTEGERS and isinstance(argument, int)]
