"""Validates inputs as ComfyUI does before it runs a graph, and returns what was said and what that imported."""

import sys

from walk import ARGUMENTS, NODES, answer

node, given = ARGUMENTS
said = NODES[node].validate_inputs(**given)
answer(said=said, heavy=[name for name in ("torch", "diffusers", "transformers", "peft") if name in sys.modules])
