"""Returns what every node says of itself, and what loading the pack imported."""

import sys

from walk import IMPORTED, NODES, answer

HEAVY = ("torch", "diffusers", "transformers", "peft", "scipy", "jinja2", "comfy.utils")
heavy = [name for name in HEAVY if name in sys.modules]


def plain(sockets):
    return [[socket.kind, socket.id, socket.settings] for socket in sockets]


found = {}
for name, node in NODES.items():
    schema = node.GET_SCHEMA()
    found[name] = {
        "category": schema.category,
        "name": schema.display_name,
        "about": schema.description,
        "inputs": plain(schema.inputs),
        "outputs": plain(schema.outputs),
    }
answer(nodes=found, imported=IMPORTED, heavy=heavy)
