"""What a node's schema says besides its inputs, in ways that the oldest ComfyUI takes too."""

from comfy_api.latest import io


def folded(kind: type, name: str, **settings) -> io.Input:
    """Return an input that few people change, which new hosts fold away.

    It is said afterwards: the inputs of 0.3.64 have no keyword for it, nor most of them one for what else there is.
    """
    made = kind.Input(name, **settings)
    made.extra_dict = {**made.extra_dict, "advanced": True}
    return made


def found_by(schema: io.Schema, *words: str) -> io.Schema:
    """Return the schema with other words that its node is found by; hosts that know none leave them out."""
    if hasattr(schema, "search_aliases"):
        schema.search_aliases = list(words)
    return schema


def verdict_output() -> io.Output:
    """Return the output that gives the verdict of one audit."""
    said = 'PASS, DRIFT, INCONCLUSIVE or INVALID. A PASS of some metrics only is "PASS, in part".'
    return io.String.Output("verdict", display_name="verdict", tooltip=said)
