"""Returns what every node says of itself, and what loading the pack imported."""

import sys
from types import SimpleNamespace

from walk import IMPORTED, NODES, answer, pack

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
        "aliases": schema.search_aliases,
        "inputs": plain(schema.inputs),
        "outputs": plain(schema.outputs),
    }
old = vars(pack("nodes.ui.schema").found_by(SimpleNamespace(), "a word"))  # a schema of 0.3.64 has no such field
answer(nodes=found, imported=IMPORTED, heavy=heavy, old=old)
