# pyright: reportAttributeAccessIssue=false
"""Coverage-guided fuzzing of tensor names; docs/adapter.md has the command.

Sound files in many dialects get some of their names changed: other endings, prefixes, wrappers, adapter names, dots for
underscores, single letters. A file may be refused, or be a problem. Where it is neither, every tensor must count: the
change of the base has to become another one when the values of any single tensor do.

Some files are long: what is changed in them is less than 1 % of the tensors and bytes. There a tensor that does not
count may be told instead, unless its name holds that of a module or of a scale: that must be a problem.
"""

import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import atheris
import torch
from safetensors.torch import save_file

from .. import checkout  # noqa: F401 - binds owf

with atheris.instrument_imports(include=["owf"]):
    from owf.core.adapter.apply.match import deltas, match_modules
    from owf.core.adapter.apply.match_report import ReportBuilder
    from owf.core.adapter.naming.names import _ENDINGS
    from owf.core.adapter.naming.prefixes import PREFIXES
    from owf.core.adapter.reader import read_adapter
    from owf.core.adapter.summary import summarise
    from owf.core.errors import AdapterError

OUT, IN, RANK = 6, 4, 2
LAYERS = {
    "unet": ("mid_block.attentions.0.proj_in", "mid_block.attentions.0.transformer_blocks.0.attn1.to_k"),
    "text_encoder": ("text_model.encoder.layers.0.mlp.fc1", "text_model.encoder.layers.0.self_attn.q_proj"),
}
PADDING = tuple(
    f"text_model.encoder.layers.{level}.self_attn.{leaf}_proj"
    for level in range(1, 36)
    for leaf in ("q", "k", "v", "out")
)
"""Layers that only long files change."""
STEMS = {
    "kohya": lambda part, name: ("lora_unet_" if part == "unet" else "lora_te_") + name.replace(".", "_"),
    "diffusers": lambda part, name: f"{part}.{name}",
    "peft": lambda part, name: f"base_model.model.{part}.{name}",
    "comfy": lambda part, name: (
        f"diffusion_model.{name.replace('mid_block.attentions.0', 'middle_block.1')}"
        if part == "unet"
        else f"text_encoders.clip_l.transformer.{name}"
    ),
    "omi": lambda part, name: f"clip_l.{name}" if part == "text_encoder" else f"unet.{name}",
}
RECIPES = {
    "kohya": {".lora_down.weight": (RANK, IN), ".lora_up.weight": (OUT, RANK), ".alpha": ()},
    "dora": {
        ".lora_down.weight": (RANK, IN),
        ".lora_up.weight": (OUT, RANK),
        ".dora_scale": (OUT, 1),
        ".alpha": (),
    },
    "peft": {
        ".lora_A.weight": (RANK, IN),
        ".lora_B.weight": (OUT, RANK),
        ".lora_magnitude_vector": (OUT,),
        ".lora_B.bias": (OUT,),
    },
    "loha": {
        ".hada_w1_a": (OUT, RANK),
        ".hada_w1_b": (RANK, IN),
        ".hada_w2_a": (OUT, RANK),
        ".hada_w2_b": (RANK, IN),
        ".alpha": (),
    },
}
INVENTED = (
    ".magnitudes",
    ".scale",
    ".m",
    ".lora_up",
    ".lora_C.weight",
    ".lora_mid",
    ".dora",
    ".gate.weight",
    "_extra",
    "",
)
WRAPPERS = ("base_model.model.", "_orig_mod.", "module.", "model.", "unet.", "x_", "lora_")
ADAPTERS = (".default", ".a_b", ".0", ".weight", ".A")
LETTERS = "abkqtvABL._0129-"
FOLDER = Path(tempfile.mkdtemp(prefix="fuzz_names_"))


def tiny_base(padding: tuple[str, ...] = ()) -> dict:
    """Return live modules of a U-Net and a text encoder with the layers that the names reach, and further ones."""
    roots = {"unet": torch.nn.Module(), "text_encoder": torch.nn.Module()}
    generator = torch.Generator().manual_seed(1)
    for part, names in LAYERS.items():
        for name in (*names, *(padding if part == "text_encoder" else ())):
            node = roots[part]
            *levels, leaf = name.removeprefix("text_model.").split(".")
            for level in levels:
                if level not in node._modules:
                    node.add_module(level, torch.nn.Module())
                node = node._modules[level]
            layer = torch.nn.Linear(IN, OUT)
            layer.weight.data = torch.randn(OUT, IN, generator=generator)
            node.add_module(leaf, layer)
    return {part: root.requires_grad_(False) for part, root in roots.items()}


BASES = {False: tiny_base(), True: tiny_base(PADDING)}
"""For short files, and for long ones."""


@dataclass(frozen=True)
class Described:
    """A file."""

    tensors: dict[str, torch.Tensor]
    asked: list[str]
    """Tensors of which each must count."""
    long: bool
    known: list[str]
    """Names of modules in the spelling of the file."""


def described(give: atheris.FuzzedDataProvider) -> Described:
    """Return the tensors of a file, some of them renamed."""
    stem = give.PickValueInList(list(STEMS.values()))
    recipe = give.PickValueInList(list(RECIPES.values()))
    generator = torch.Generator().manual_seed(give.ConsumeIntInRange(0, 3))
    names, values = [], []
    for part, layers in LAYERS.items():
        for layer in layers:
            for ending, shape in recipe.items():
                names.append((stem(part, layer), ending))
                values.append(torch.rand(shape, generator=generator) + 0.5)
    renamed = [head + ending for head, ending in names]
    for _ in range(give.ConsumeIntInRange(1, 3)):
        index = give.ConsumeIntInRange(0, len(names) - 1)
        renamed[index] = changed(give, *names[index])
    if give.ConsumeIntInRange(0, 3) == 0:  # all of one kind, as a trainer that nobody knows would write them
        ending = give.PickValueInList(list(recipe))
        new = give.PickValueInList([*INVENTED, *(known for known, _, _ in _ENDINGS)])
        renamed = [head + new if own == ending else name for name, (head, own) in zip(renamed, names, strict=True)]
    tensors = dict(zip(renamed, values, strict=True))
    long = give.ConsumeIntInRange(0, 3) == 0
    padding = {
        stem("text_encoder", layer) + ending: torch.rand(shape, generator=generator) + 0.5
        for layer in (PADDING if long else ())
        for ending, shape in recipe.items()
    }
    asked = [name for name in tensors if not long or name in set(renamed) - {head + end for head, end in names}]
    return Described({**padding, **tensors}, asked, long, [head for head, _ in names])


def changed(give: atheris.FuzzedDataProvider, stem: str, ending: str) -> str:
    """Return another name for a tensor."""
    way = give.ConsumeIntInRange(0, 7)
    if way == 0:
        return stem + give.PickValueInList([*INVENTED, *(known for known, _, _ in _ENDINGS)])
    if way == 1:
        return give.PickValueInList([prefix for prefix, _, _ in PREFIXES]) + stem.partition("_")[2] + ending
    if way == 2:
        return give.PickValueInList(list(WRAPPERS)) + stem + ending
    if way == 3:
        head, dot, leaf = ending.rpartition(".")
        return stem + head + give.PickValueInList(list(ADAPTERS)) + dot + leaf
    if way == 4:
        return stem + ending + give.PickValueInList(list(ADAPTERS))
    name, at = stem + ending, give.ConsumeIntInRange(0, len(stem + ending) - 1)
    if way == 5:
        return name[:at] + name[at:].replace("_", ".", 1)
    if way == 6:
        return name[:at] + give.PickValueInList(list(LETTERS)) + name[at + 1 :]
    return name[:at] + give.ConsumeUnicodeNoSurrogates(3) + name[at:]


def effect(tensors: dict[str, torch.Tensor], base: dict) -> "tuple[list[torch.Tensor], set[str]] | None":
    """Return the change of every layer of the base and the tensors that are said to have no part in it.

    None where the file is refused or a problem.
    """
    path = FOLDER / "x.safetensors"
    save_file(tensors, path)
    try:
        adapter = read_adapter(path)
    except AdapterError as error:
        if not str(error).isprintable():
            raise
        return None
    matching = match_modules(adapter, base)
    builder, found = ReportBuilder(matching), []
    for pair, change in deltas(matching):
        builder.add(pair, change)
        found += [change.weight, torch.zeros(OUT) if change.bias is None else change.bias]
    problems = builder.report().problems
    assert all(problem.isprintable() for problem in problems)
    if problems:
        return None
    summary = summarise(adapter)
    assert not summary.problems
    assert not adapter.unknown or any("not understood" in warning for warning in summary.warnings)
    bound = {id(pair.module) for pair in matching.matched}
    idle = {slot.name for module in adapter.modules if id(module) not in bound for slot in module.slots.values()}
    assert len(idle) == sum(item.tensors for item in matching.unmatched)
    return found, idle | {entry.name for entry in adapter.unknown}


def names_one(name: str, modules: list[str]) -> bool:
    """Return whether a name holds that of a module, or ends as a scale's does; written apart from what is tested."""
    if re.search("[^!-~]", name) or re.search(r"(^|[._])(alpha|scale|gate|magnitudes?)$", name):
        return True
    flat = f"_{re.sub('[^a-z0-9]+', '_', name.lower())}_"
    paths = [name.removeprefix("text_model.") for names in LAYERS.values() for name in names]
    return any(f"_{re.sub('[^a-z0-9]+', '_', path.lower())}_" in flat for path in [*modules, *paths])


def check(data: bytes) -> None:
    """Read one file; raises where a tensor of a file that is scored does not count."""
    file = described(atheris.FuzzedDataProvider(data))
    start = time.process_time()
    base = BASES[file.long]
    before = effect(file.tensors, base)
    if before is None:
        return
    for name in file.asked:
        if name in before[1]:
            assert file.long, f"{name!r} does not count"
            assert not names_one(name, file.known), f"{name!r} names a module or a scale"
            continue
        after = effect({**file.tensors, name: file.tensors[name] * 1.5}, base)
        assert after is None or not all(map(torch.equal, before[0], after[0])), f"{name!r} does not count"
    assert time.process_time() - start < 4


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
