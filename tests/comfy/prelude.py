"""Runs inside a real ComfyUI process (cwd = ComfyUI): loads the pack from a folder and executes prompts.

`sys.argv`: the pack's folder, a folder for input, output, temp and user files, a file of `walks` to run, and what the
test gives to it as JSON. A walk imports from here what it takes: GIVEN, HOME, start, pack, run, answer.
"""

import asyncio
import json
import runpy
import sys
from pathlib import Path

PACK, HOME, WALK = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
GIVEN = json.loads(sys.argv[4])
sys.argv = sys.argv[:1]
sys.path.insert(0, str(Path(WALK).parent))
sys.path.insert(0, str(Path.cwd()))

from comfy.cli_args import args  # noqa: E402

args.cpu = True
import folder_paths  # noqa: E402
import utils.install_util  # noqa: E402, F401 - ComfyUI's `utils`, before another package called so

for kind in ("input", "output", "temp", "user"):
    (HOME / kind).mkdir(parents=True, exist_ok=True)
    getattr(folder_paths, f"set_{kind}_directory")(str(HOME / kind))
folder_paths.add_model_folder_path("loras", str(HOME / "output" / "loras"))

import execution  # noqa: E402, I001
import nodes  # noqa: E402


class Server:
    """What the executor asks of ComfyUI's server; keeps every message."""

    client_id = "test"
    last_node_id = None
    last_prompt_id = None

    def __init__(self):
        self.sent = []

    def send_sync(self, event, data, client=None):
        self.sent.append((event, data))


def start(extras: tuple[str, ...] = ()) -> None:
    """Load the pack as ComfyUI does."""
    for extra in extras:
        asyncio.run(nodes.load_custom_node(str(Path("comfy_extras", extra).resolve()), module_parent="comfy_extras"))
    assert asyncio.run(nodes.load_custom_node(PACK, module_parent="custom_nodes")), "the pack did not load"


def pack(name: str):
    """Return a module of the loaded pack."""
    import importlib

    root = next(m for m in sys.modules.values() if (getattr(m, "__file__", "") or "") == str(Path(PACK, "__init__.py")))
    return importlib.import_module(f"{root.__name__}.{name}")


def run(prompt: dict, server: Server | None = None):
    """Execute a prompt through ComfyUI's own executor and return it, with its outputs and messages."""
    server = server or Server()
    import server as server_module

    server_module.PromptServer.instance = server
    prompt = {key: {"class_type": node["class_type"], "inputs": node.get("inputs", {})} for key, node in prompt.items()}
    valid, error, outputs, node_errors = asyncio.run(execution.validate_prompt("test", prompt, None))
    assert valid, (error, node_errors)
    executor = execution.PromptExecutor(server, cache_type=execution.CacheType.CLASSIC, **cache_settings())
    executor.execute(prompt, "test", extra_data={"client_id": "test"}, execute_outputs=outputs)
    executor.server = server
    return executor


def cache_settings() -> dict:
    """Return what the executor wants to know of memory: nothing until 2025, sizes in GB since then."""
    import inspect

    wanted = inspect.signature(execution.PromptExecutor).parameters
    return {"cache_args": {"lru": 0, "ram": 0.0, "ram_inactive": 0.0}} if "cache_args" in wanted else {}


def answer(**values):
    """Print the values as the last line for the test that started this process."""
    print("ANSWER " + json.dumps(values, default=str))


if __name__ == "__main__":
    sys.modules["prelude"] = sys.modules["__main__"]
    runpy.run_path(WALK)
