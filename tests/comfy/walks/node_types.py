"""Returns the inputs of these nodes."""

from prelude import GIVEN, answer, nodes, start

start(("nodes_preview_any.py",))
known = nodes.NODE_CLASS_MAPPINGS
answer(**{name: known[name].INPUT_TYPES() for name in GIVEN["names"] if name in known})
