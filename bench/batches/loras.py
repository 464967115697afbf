"""LoRAs for `bench/batch.py`: of varied rank, strength and algorithm on the demo base; one in ten broken or hostile.

Names and shapes are those of the LoRA that ships with the base, whatever its edition.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import checkout  # noqa: F401 - binds owf
import numpy as np
from owf.core.demo import DEMO_LORAS
from safetensors.numpy import load_file, save_file

GOOD, BAD = "good", "bad"
Tensors = dict[str, np.ndarray]
Shapes = dict[str, tuple[np.ndarray, np.ndarray]]
"""Module -> its factors (out, r) and (r, in) in the LoRA that ships, of two-dimensional layers."""
RANKS = (1, 2, 4, 8, 16)
BROKEN_ONE_IN = 10
"""Of so many files one is broken, as folders of strangers' files have some."""


def make(folder: Path, count: int, seed: int = 0) -> dict[str, str]:
    """Write what is missing of `count` LoRAs; return name -> `GOOD` or `BAD`, what a run must make of each."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes, kinds = _shapes(), {}
    for number in range(count):
        broken = number % BROKEN_ONE_IN == BROKEN_ONE_IN - 1
        makers = list((BREAKERS if broken else MAKERS).items())
        kind, maker = makers[(number // BROKEN_ONE_IN if broken else number) % len(makers)]
        name = f"{number:04}-{kind}.safetensors"
        kinds[name] = BAD if broken else GOOD
        if not (folder / name).exists():
            partial = folder / f".{name}"
            maker(partial, shapes, np.random.default_rng([seed, number]))
            partial.replace(folder / name)
    return kinds


def _shapes() -> Shapes:
    tensors = load_file(DEMO_LORAS[0])
    ends = ".lora_down.weight", ".lora_up.weight"
    stems = [name.removesuffix(ends[0]) for name in tensors if name.endswith(ends[0]) and tensors[name].ndim == 2]
    return {stem: (tensors[stem + ends[1]], tensors[stem + ends[0]]) for stem in stems}


def _targets(shapes: Shapes, rng: np.random.Generator) -> Iterator[tuple[str, int, int, float]]:
    """Yield module, outputs, inputs and the norm that its change is to have: a share of what ships, from 1 % to 3x."""
    share, kept = 10 ** rng.uniform(-2, 0.5), rng.uniform(0.3, 1)
    for stem, (up, down) in shapes.items():
        if rng.uniform() < kept or stem == next(iter(shapes)):
            size = float(np.linalg.norm(up.astype(np.float32) @ down.astype(np.float32)))
            yield stem, up.shape[0], down.shape[1], share * size


def _noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def _lora(path: Path, shapes: Shapes, rng: np.random.Generator, spoil: Callable[[Tensors], None] | None = None) -> None:
    tensors: Tensors = {}
    for stem, out, inputs, size in _targets(shapes, rng):
        rank = int(rng.choice(RANKS))
        up, down = _noise(rng, out, rank), _noise(rng, rank, inputs)
        up *= size / np.linalg.norm(up @ down)
        tensors |= {f"{stem}.lora_up.weight": up, f"{stem}.lora_down.weight": down}
        tensors[f"{stem}.alpha"] = np.array(rank, np.float32)
    if spoil is not None:
        spoil(tensors)
    save_file(tensors, path)


def _loha(path: Path, shapes: Shapes, rng: np.random.Generator) -> None:
    tensors: Tensors = {}
    for stem, out, inputs, size in _targets(shapes, rng):
        rank = int(rng.choice(RANKS[1:]))
        sides = (("a", (out, rank)), ("b", (rank, inputs)))
        parts = {f"hada_w{n}_{side}": _noise(rng, *shape) for n in "12" for side, shape in sides}
        whole = (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"])
        parts["hada_w1_a"] *= size / np.linalg.norm(whole)
        tensors |= {f"{stem}.{name}": part for name, part in parts.items()}
        tensors[f"{stem}.alpha"] = np.array(rank, np.float32)
    save_file(tensors, path)


def _lokr(path: Path, shapes: Shapes, rng: np.random.Generator) -> None:
    tensors: Tensors = {}
    for stem, out, inputs, size in _targets(shapes, rng):
        small, large = _noise(rng, 4, 4), _noise(rng, out // 4, inputs // 4)
        large *= size / (np.linalg.norm(small) * np.linalg.norm(large))  # the norm of a Kronecker product
        tensors |= {f"{stem}.lokr_w1": small, f"{stem}.lokr_w2": large}
    save_file(tensors, path)


def _half_precision(path: Path, shapes: Shapes, rng: np.random.Generator) -> None:
    _lora(path, shapes, rng, lambda t: t.update({k: v.astype(np.float16) for k, v in t.items() if v.ndim}))


MAKERS = {"lora": _lora, "loha": _loha, "lokr": _lokr, "half": _half_precision}


def _raw(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + body


def _bytes(content: bytes) -> Callable[[Path, Shapes, np.random.Generator], None]:
    def write(path: Path, shapes: Shapes, rng: np.random.Generator) -> None:
        path.write_bytes(content)

    return write


def _cut(path: Path, shapes: Shapes, rng: np.random.Generator) -> None:
    _lora(path, shapes, rng)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _spoiled(spoil: Callable[[Tensors], None]) -> Callable[[Path, Shapes, np.random.Generator], None]:
    return lambda path, shapes, rng: _lora(path, shapes, rng, spoil)


def _nan(tensors: Tensors) -> None:
    tensors[next(iter(tensors))].flat[0] = np.nan


def _zero(tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if name.endswith("lora_up.weight"):
            tensor[:] = 0


def _renamed(tensors: Tensors) -> None:
    for name in list(tensors):
        tensors[name.replace("down_blocks_0", "down_blocks_9").replace("to_", "not_")] = tensors.pop(name)


_HUGE = json.dumps({"a.lora_up.weight": {"dtype": "F32", "shape": [2**31, 2**31], "data_offsets": [0, 16]}}).encode()
BREAKERS = {
    "empty": _bytes(b""),
    "cut": _cut,
    "text": _bytes(b"<html>404 not found</html>" * 50),
    "long-header": _bytes(_raw(b"{}", length=2**60)),
    "deep-header": _bytes(_raw(b'{"a":' * 100_000)),
    "huge-shape": _bytes(_raw(_HUGE, bytes(16))),
    "pickle": _bytes(b"\x80\x04cposix\nsystem\n(S'touch owned'\ntR."),
    "nan": _spoiled(_nan),
    "zero": _spoiled(_zero),
    "other-names": _spoiled(_renamed),
}
