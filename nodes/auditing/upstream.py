"""What loader nodes of a graph name: the file of a base, and the LoRAs between it and what is audited."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...core.text import file_stem, inert

TUNED, BASE = ("tuned_model", "tuned_clip"), ("model", "clip")
"""Inputs of the audit node for what is audited, and for what it is compared with."""
_BASES = ("ckpt_name", "unet_name", "model_name", "model_path", "gguf_name")
"""Inputs of loader nodes, ComfyUI's and others', that name the file of a MODEL."""
_NONE = frozenset({"", "none", "None"})
"""What loader nodes call no LoRA."""


@dataclass(frozen=True)
class Loaded:
    """A LoRA that a node of the graph loads."""

    name: str
    """Choice among ComfyUI's LoRA files, as the node names it."""
    strength: float
    """Strength on MODEL."""

    @property
    def title(self) -> str:
        """Return how a report calls it."""
        stem = file_stem(self.name.replace("\\", "/").rpartition("/")[2].removesuffix(".safetensors"), "lora")
        return stem if self.strength == 1 else f"{stem} at {self.strength:g}"


def loras_between(graph: Mapping[str, Any] | None, node: str) -> tuple[Loaded, ...]:
    """Return the LoRAs between an audit node's base and what it audits, in the order in which they are put on.

    `graph` is the prompt as ComfyUI runs it: node -> its class and inputs, a linked one being [node, output]. What
    other nodes do to a model is not told.
    """
    if graph is None or node not in graph:
        return ()
    base = {source for _, source in _links(graph, node, BASE)}
    order: list[str] = []
    seen = {node, *base}
    waiting = [(source, False) for _, source in reversed(list(_links(graph, node, TUNED)))]
    while waiting:
        current, is_done = waiting.pop()
        if is_done:
            order.append(current)
        elif current not in seen:
            seen.add(current)
            waiting.append((current, True))
            waiting += [(source, False) for _, source in _links(graph, current)]
    return tuple(lora for current in order for lora in _loaded(graph[current].get("inputs", {})))


def base_of(graph: Mapping[str, Any] | None, node: str) -> str:
    """Return the file of an audit node's base without its folders; "" where the graph names none, or several.

    It tells how people draw with a base and ask it: in few steps with a Turbo, in tags with an anime model.
    """
    if graph is None or node not in graph:
        return ""
    waiting, seen = [source for _, source in _links(graph, node, BASE[:1])], {node}
    found: set[str] = set()
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += [source for _, source in _links(graph, current)]
            named = (graph[current].get("inputs", {}).get(name) for name in _BASES)
            found |= {name for name in named if isinstance(name, str) and name not in _NONE}
    return inert(found.pop().replace("\\", "/").rpartition("/")[2], 200) if len(found) == 1 else ""


def _links(graph: Mapping[str, Any], node: str, only: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield inputs of a node that are linked, and the nodes that they come from."""
    for name, value in graph[node].get("inputs", {}).items():
        if isinstance(value, list) and value and (not only or name in only) and str(value[0]) in graph:
            yield name, str(value[0])


def _loaded(inputs: Mapping[str, Any]) -> Iterator[Loaded]:
    """Yield what a node loads: by ComfyUI's inputs, by those of this pack, and in rgthree's rows that are on."""
    rows = [value for value in inputs.values() if isinstance(value, Mapping) and value.get("on")]
    single = {} if inputs.get("bypass") is True else inputs
    for names, row in (("lora_name", single), ("lora", single), *(("lora", row) for row in rows)):
        name = row.get(names)
        if isinstance(name, str) and name not in _NONE:
            yield Loaded(name, _number(row.get("strength_model", row.get("strength"))))


def _number(value: object) -> float:
    """Return a strength; one that is linked is known to the run alone, and called 1."""
    return float(value) if isinstance(value, int | float) else 1.0
