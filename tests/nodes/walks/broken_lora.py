"""Reads a file that is no whole LoRA in every way that nodes do, and returns what each says and what became of it."""

import comfy.utils
from safetensors.torch import load_file
from walk import ARGUMENTS, NODES, answer, pack

(name,) = ARGUMENTS
comfy.utils.load_torch_file = lambda path, safe_load: load_file(path)  # pyright: ignore[reportAttributeAccessIssue]
files, places, errors = pack("nodes.backend.lora_file"), pack("nodes.backend.places"), pack("core.errors")
path = places.lora_path(name)


def gone():
    with files.reading(path):
        raise FileNotFoundError(2, "No such file or directory")


def named():
    with files.reading(path):
        raise errors.AdapterError(f"{path.name}: it is broken", errors.Setting("lora"))


said = []
for act in (
    lambda: files.read_lora(name),
    lambda: files.lora_weights(path),
    lambda: NODES["OWF_InspectLoRA"].execute(name),
    gone,
    named,
):
    try:
        act()
    except errors.OwfError as error:
        said.append([type(error).__name__, str(error), len(error.settings)])
answer(said=said)
