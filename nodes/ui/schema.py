"""What a node's schema says besides its inputs, in ways that the oldest ComfyUI takes too."""

from comfy_api.latest import io

ADVANCED = {"advanced": True}
"""`extra_dict` of an input that few people change, which new hosts fold away; 0.3.64 refuses it as a keyword."""


def found_by(schema: io.Schema, *words: str) -> io.Schema:
    """Return the schema with other words that its node is found by; hosts that know none leave them out."""
    if hasattr(schema, "search_aliases"):
        schema.search_aliases = list(words)
    return schema
