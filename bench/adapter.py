"""Times of the LoRA reader on files of real size: `python bench/adapter.py`; numbers in docs/adapter.md."""

import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import checkout  # noqa: F401 - binds owf
from owf.core.adapter import prepare, read_adapter
from owf.core.adapter.summary import summarise

ATTENTION = ("attn1_to_q", "attn1_to_k", "attn1_to_v", "attn1_to_out_0", "attn2_to_q", "attn2_to_k", "attn2_to_v")


@dataclass(frozen=True)
class Times:
    """The median of several runs, in seconds: on the clock, and of processor time over all threads."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.3f} s ({self.cpu:.3f} s of processor time)"


def typical(action, times=9) -> Times:
    """Return the median times of several runs."""
    return _median([once(action) for _ in range(times)])


def alternating(first, second, times=9) -> tuple[Times, Times]:
    """Return the median times of two actions that take turns, so that both see the machine in the same moods."""
    pairs = [(once(first), once(second)) for _ in range(times)]
    return _median([pair[0] for pair in pairs]), _median([pair[1] for pair in pairs])


def once(action) -> Times:
    """Return the times of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Times(time.perf_counter() - wall, time.process_time() - cpu)


def _median(runs: list[Times]) -> Times:
    return Times(statistics.median(run.wall for run in runs), statistics.median(run.cpu for run in runs))


def sdxl_like(path: Path) -> None:
    """Write about 200 MB of kohya LoRA in half precision, 700 modules as in SDXL."""
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for block in range(10):
        for layer in range(10):
            for leaf in ATTENTION:
                stem = f"lora_unet_input_blocks_{7 + block % 2}_1_transformer_blocks_{10 * block + layer}_{leaf}"
                inputs = 2048 if leaf in ("attn2_to_k", "attn2_to_v") else 1280
                tensors[f"{stem}.lora_down.weight"] = torch.randn(51, inputs).half()
                tensors[f"{stem}.lora_up.weight"] = torch.randn(1280, 51).half()
                tensors[f"{stem}.alpha"] = torch.tensor(32.0).half()
    save_file(tensors, path)


def sd1_like(path: Path, rank: int = 32) -> tuple[dict, dict]:
    """Write an SD1-like LoRA of 236 modules; return the live modules and their weights by name."""
    import torch
    from safetensors.torch import save_file

    root, tensors, weights = torch.nn.Module(), {}, {}
    blocks = torch.nn.ModuleList()
    root.add_module("down_blocks", blocks)
    for index in range(236):
        width = (320, 640, 1280, 1280)[index % 4]
        blocks.append(torch.nn.Linear(width, width, bias=False).requires_grad_(False))
        stem = f"lora_unet_down_blocks_{index}"
        tensors[f"{stem}.lora_down.weight"] = torch.randn(rank, width) * 0.01
        tensors[f"{stem}.lora_up.weight"] = torch.randn(width, rank) * 0.01
        tensors[f"{stem}.alpha"] = torch.tensor(16.0)
        weights[stem] = blocks[index].weight
    save_file(tensors, path)
    return {"unet": root}, weights


def plain_merge(path: Path, weights: dict) -> list:
    """Load with safetensors and merge once: what any loader has to do."""
    from safetensors.torch import load_file

    tensors = load_file(path)
    merged = []
    for stem, weight in weights.items():
        down, up = tensors[f"{stem}.lora_down.weight"], tensors[f"{stem}.lora_up.weight"]
        scale = float(tensors[f"{stem}.alpha"]) / down.shape[0]
        merged.append(weight + scale * (up @ down))
    return merged


def main() -> None:
    """Print every number of docs/adapter.md."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "sdxl.safetensors", Path(folder) / "sd1.safetensors"
        sdxl_like(large)
        print(f"inspect {large.stat().st_size / 1e6:.0f} MB: {typical(lambda: summarise(read_adapter(large)))}")
        components, weights = sd1_like(small)
        plain, load = alternating(lambda: plain_merge(small, weights), lambda: prepare(components, read_adapter(small)))
        print(f"load and prepare: {load}")
        print(f"plain load_file and one merge: {plain}; ratio of processor times {load.cpu / plain.cpu:.2f}")
        switch = prepare(components, read_adapter(small))

        def toggle() -> None:
            switch.on()
            switch.off()

        print(f"toggle on and off, {switch.report.matched} modules: {typical(toggle, 50).wall * 1e3:.3f} ms")
        weights = sum(parameter.numel() * 4 for parameter in components["unet"].parameters()) / 2**20
        layer = 1280 * 1280 * 4 / 2**20
        print(f"second set of weights: {weights:.0f} MiB swapped, one layer ({layer:.1f} MiB) on the fly")
        print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
