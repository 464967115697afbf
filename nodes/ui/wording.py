"""What `core` says, in the words of a graph: inputs of nodes instead of options of the command line."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.errors import OwfError

_WORDS = {
    "pass --allow-pickle": "load it with a LoRA loader and connect tuned_model",
    "run again with --resume": "queue the graph again",
    "--dtype float32 or bfloat16": "ComfyUI's option --force-fp32",
    "--dtype float32": "ComfyUI's option --force-fp32",
    "--dtype float16": "ComfyUI's option --force-fp16",
    "--device cpu": "ComfyUI's option --cpu",
    "in --bank FILE": "in the prompt bank",
    "--bank FILE": "a prompt bank",
    "--images DIR": "probe_folder",
    "--images": "probe_folder",
    "--class": "class_word",
    # ComfyUI often has a Python of its own, and another one's pip would change nothing.
    "pip install torch-fidelity": f'run "{sys.executable}" -m pip install torch-fidelity',
}
"""What the command line says -> what a graph does; every other option has the name of an input."""
_PATTERNS = [*sorted(map(re.escape, _WORDS), key=len, reverse=True), "--(?P<name>[a-z][a-z0-9-]*)"]
_OPTION = re.compile(rf"(?<![\w/.-])(?:{'|'.join(_PATTERNS)})(?![\w/.-]*\w)")


def in_graph(text: str) -> str:
    """Return a message with every option of the command line replaced by what a graph has for it."""
    return _OPTION.sub(lambda found: _WORDS.get(found[0]) or found["name"].replace("-", "_"), text)


@contextmanager
def graph_words() -> Iterator[None]:
    """Return a context whose OwfErrors speak of the graph."""
    try:
        yield
    except OwfError as error:
        raise type(error)(in_graph(str(error))) from error
