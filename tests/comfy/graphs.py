"""Small graphs in ComfyUI's API format."""

DEMO_LORA = "[demo] owf_demo_plain.safetensors"
DEMO = {"class_type": "OWF_DemoCheckpoint"}


def audit(**inputs):
    """Return an audit node on the demo checkpoint "1"."""
    given = {"lora": DEMO_LORA, "strength": 1.0, "preset": "quick", "audit_seed": 0, "stop_graph": "never"}
    models = {"model": ["1", 0], "clip": ["1", 1], "vae": ["1", 2]}
    return {"class_type": "OWF_DriftAudit", "inputs": {**models, **given, **inputs}}


def show(node: str, output: int):
    """Return a node of ComfyUI that shows any value as text."""
    return {"class_type": "PreviewAny", "inputs": {"source": [node, output]}}


def from_interface(workflow: dict, information: dict) -> dict:
    """Return a saved workflow in API format, by the schemas of `nodes.NODE_CLASS_MAPPINGS` (class -> INPUT_TYPES)."""
    sources = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        if node["type"] not in information:
            continue
        inputs = dict(zip(_widgets(information[node["type"]]), node.get("widgets_values") or [], strict=False))
        inputs = {name: value for name, value in inputs.items() if not name.startswith("control ")}
        for socket in node.get("inputs", ()):
            if socket.get("link") is not None:
                inputs[socket["name"]] = sources[socket["link"]]
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def _widgets(types: dict) -> list[str]:
    """Return the names of a node's widgets in the order that a workflow saves their values."""
    names = []
    for group in ("required", "optional"):
        for name, (kind, *options) in types.get(group, {}).items():
            settings = options[0] if options else {}
            if (isinstance(kind, list) or kind in ("COMBO", "INT", "FLOAT", "STRING", "BOOLEAN")) and not settings.get(
                "forceInput"
            ):
                names.append(name)
                if settings.get("control_after_generate") or name in ("seed", "noise_seed"):
                    names.append(f"control {name}")
    return names
