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


def inside(blueprint: dict) -> dict:
    """Return what is inside of a blueprint as a workflow of its own."""
    (definition,) = blueprint["definitions"]["subgraphs"]
    ends = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    own = [link for link in definition["links"] if min(link["origin_id"], link["target_id"]) > 0]
    kept = {link["id"] for link in own}
    nodes = [
        {**node, "inputs": [{**i, "link": i["link"] if i["link"] in kept else None} for i in node["inputs"]]}
        for node in definition["nodes"]
    ]
    return {"nodes": nodes, "links": [[link[end] for end in ends] for link in own]}


def on_demo(prompt: dict) -> dict:
    """Return a prompt with the demo's checkpoint, LoRA and pictures in place of what people have."""
    for id, node in prompt.items():
        if node["class_type"] == "CheckpointLoaderSimple":
            prompt[id] = DEMO | {"inputs": {}}
        else:
            node["inputs"].update(_demo_values(node["class_type"], node["inputs"]))
    return prompt


def workflow_on_demo(workflow: dict) -> dict:
    """Return a saved workflow with the same in it."""
    for node in workflow["nodes"]:
        if node["type"] == "CheckpointLoaderSimple":
            node.update(type="OWF_DemoCheckpoint", inputs=[], widgets_values=[], properties={})
        elif node["type"].startswith("OWF_"):
            names = [socket["name"] for socket in node["inputs"] if "widget" in socket]
            values = dict(zip(names, node.get("widgets_values") or [], strict=False))
            linked = {socket["name"]: socket["link"] for socket in node["inputs"] if socket.get("link") is not None}
            found = _demo_values(node["type"], {**values, **linked})
            node["widgets_values"] = [found.get(name, value) for name, value in values.items()]
    return workflow


def _demo_values(kind: str, inputs: dict) -> dict:
    """Return what a node has instead of somebody's own pictures or LoRA."""
    if kind == "OWF_TrainLoRADC" and inputs["folder"] in ("", "my_dog"):
        return {"folder": "[demo] concept", "class_word": "pullover", "steps": 6, "check_learned": False}
    if inputs.get("lora") == "none" and "tuned_model" not in inputs:
        return {"lora": DEMO_LORA}
    return {}


def blueprint_on_demo(blueprint: dict, audit_values: dict[int, object]) -> dict:
    """Return a blueprint with the demo's checkpoint inside, and these values, by their places, in its audit."""
    (definition,) = blueprint["definitions"]["subgraphs"]
    (outside,) = blueprint["nodes"]
    base = next(node for node in definition["nodes"] if node["type"] == "CheckpointLoaderSimple")
    place = next(place for place, slot in enumerate(definition["inputs"]) if slot["name"] == "ckpt_name")
    base.update(type="OWF_DemoCheckpoint", inputs=[], widgets_values=[], properties={})
    del definition["inputs"][place], outside["inputs"][place]
    definition["links"] = [link for link in definition["links"] if link["target_id"] != base["id"]]
    for link in definition["links"]:
        link["origin_slot"] -= link["origin_id"] < 0 and link["origin_slot"] > place
    (audited,) = (node for node in definition["nodes"] if node["type"] == "OWF_DriftAudit")
    for at, value in audit_values.items():
        audited["widgets_values"][at] = value
    return blueprint
