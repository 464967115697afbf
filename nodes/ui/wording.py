"""What `core` says, in the words of a graph: inputs of nodes, and what ComfyUI has for other settings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.disk.refusals import described
from ...core.errors import OFF, OwfError, Setting, UsageError

_WORDS = {
    Setting("allow_pickle"): "load it with a LoRA loader and connect tuned_model",
    Setting("bank"): "a prompt bank",
    Setting("base"): "model",
    Setting("cache"): "ComfyUI's option --output-directory",
    Setting("device", "cpu"): "ComfyUI's option --cpu",
    Setting("dtype", "auto"): "",  # of a base that ComfyUI has loaded the type is known
    Setting("dtype", "float16"): "ComfyUI's option --force-fp16",
    Setting("dtype", "float32"): "ComfyUI's option --force-fp32",
    Setting("images"): "probe_folder",
    Setting("out"): "ComfyUI's option --output-directory",
    Setting("resume"): "queue the graph again",
    Setting("resume", OFF): "",  # other settings are another training, which starts from its own beginning
    Setting("seed"): "train_seed",  # an audit's is checked by its input
}
"""Settings that no input is called like -> what a graph does about them; "" where there is nothing to do."""
_NOT_OFFERED = frozenset({"bank_share", "bucket", "checkpointing", "class_prompt", "clip_skip", "concepts",
                           "dataset", "device", "ema", "loss", "method", "offline", "offload", "only", "prompt_form",
                           "quantize", "ratings", "reports", "stages", "train_text_encoder", "validation", "warmup",
                           "words", "write"})  # fmt: skip
"""Settings of the command line alone."""


def in_graph(setting: Setting) -> str:
    """Return what a graph has for a setting: an input of that name, unless it is called otherwise."""
    if setting.name == "install":
        # ComfyUI often has a Python of its own, and another one's pip would change nothing.
        return f'run "{sys.executable}" -m pip install {setting.value}'
    by_name = "" if setting.name in _NOT_OFFERED else f"{setting.name} {setting.value}".rstrip()
    return _WORDS.get(setting, by_name)


@contextmanager
def graph_words() -> Iterator[None]:
    """Return a context whose OwfErrors speak of the graph; what the system refuses is one of them."""
    try:
        yield
    except OwfError as error:
        raise type(error)(error.worded(in_graph), *error.settings) from error
    except OSError as error:
        raise UsageError(described(error)) from error
