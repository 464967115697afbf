"""What `core` says, in the words of a graph: inputs of nodes, and what ComfyUI has for other settings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.errors import OFF, OwfError, Setting

_WORDS = {
    Setting("allow_pickle"): "load it with a LoRA loader and connect tuned_model",
    Setting("bank"): "a prompt bank",
    Setting("base"): "model",
    Setting("cache"): "",  # a graph's lies in ComfyUI's folder
    Setting("device"): "",
    Setting("device", "cpu"): "ComfyUI's option --cpu",
    Setting("dtype", "float16"): "ComfyUI's option --force-fp16",
    Setting("dtype", "float32"): "ComfyUI's option --force-fp32",
    Setting("images"): "probe_folder",
    Setting("offline", OFF): "",  # a graph always fetches
    Setting("resume"): "queue the graph again",
    Setting("seed"): "train_seed",  # an audit's is checked by its input
}
"""Settings that no input is called like -> what a graph does about them; "" where it can do nothing."""


def in_graph(setting: Setting) -> str:
    """Return what a graph has for a setting: an input of that name, unless it is called otherwise."""
    if setting.name == "install":
        # ComfyUI often has a Python of its own, and another one's pip would change nothing.
        return f'run "{sys.executable}" -m pip install {setting.value}'
    return _WORDS.get(setting, f"{setting.name} {setting.value}".rstrip())


@contextmanager
def graph_words() -> Iterator[None]:
    """Return a context whose OwfErrors speak of the graph."""
    try:
        yield
    except OwfError as error:
        raise type(error)(error.worded(in_graph), *error.settings) from error
