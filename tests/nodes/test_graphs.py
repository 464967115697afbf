"""Blueprints and the examples on ordinary checkpoints: what is described makes them, and all of it hangs together."""

import dataclasses
import json
from pathlib import Path

import pytest
from comfyui.graph import COMFY, NOTE, Node, Schemas
from comfyui.graphs import AUDIT, BLUEPRINTS, CHECKPOINTS, EXAMPLES, LOADER, files
from comfyui.saved import INPUTS, OUTPUTS, blueprint

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "subgraphs").glob("*.json"))


@pytest.fixture(scope="module")
def pack(shared_stub):
    return shared_stub.run("schemas")["nodes"]


def test_the_files_are_what_is_described(pack):
    # Otherwise: python -m bench.comfyui.graphs
    made = dict(files(pack))
    assert {name: (ROOT / name).read_text() for name in made} == made
    assert {path.relative_to(ROOT).as_posix() for path in FILES} == {n for n in made if n.startswith("subgraphs/")}
    assert {path.stem for path in FILES} == {"Audit this LoRA", "Train and prove"}


def sockets(pack, kind):
    """Return the inputs of a type of node by name, and its outputs, as the pack or ComfyUI says."""
    node = pack.get(kind) or COMFY[kind]
    outputs = [(kind, settings.get("display_name", kind)) for kind, _, settings in node["outputs"]]
    return {name: kind for kind, name, _ in node["inputs"]}, outputs


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_node_input_and_link_of_a_blueprint_exists(pack, path):
    saved = json.loads(path.read_text())
    (inside,) = saved["definitions"]["subgraphs"]
    (outside,) = saved["nodes"]
    nodes = {node["id"]: node for node in inside["nodes"]}
    assert outside["id"] not in nodes and outside["type"] == inside["id"]
    assert inside["name"] == outside["title"] == path.stem
    for node in nodes.values():
        inputs, outputs = sockets(pack, node["type"])
        assert {socket["name"]: socket["type"] for socket in node["inputs"]} == inputs
        assert [(socket["type"], socket["name"]) for socket in node["outputs"]] == outputs
    used = set()
    for link in inside["links"]:
        ends = [inside["inputs"], inside["outputs"]]
        if link["origin_id"] != INPUTS:
            ends[0] = nodes[link["origin_id"]]["outputs"]
        if link["target_id"] != OUTPUTS:
            ends[1] = nodes[link["target_id"]]["inputs"]
        origin, target = ends[0][link["origin_slot"]], ends[1][link["target_slot"]]
        assert origin["type"] == target["type"] == link["type"], link
        assert link["id"] in (origin.get("links") or origin.get("linkIds"))
        assert link["id"] in (target.get("linkIds") or [target.get("link")])
        used.add(link["id"])
    told = {socket["link"] for node in nodes.values() for socket in node["inputs"]} - {None}
    told |= {number for slot in (*inside["inputs"], *inside["outputs"]) for number in slot["linkIds"]}
    assert told == used and len(used) == len(inside["links"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_blueprint_shows_outside_what_it_takes_and_gives(pack, path):
    saved = json.loads(path.read_text())
    (inside,), (outside,) = saved["definitions"]["subgraphs"], saved["nodes"]
    for side in ("inputs", "outputs"):
        inner = [(slot["name"], slot["type"]) for slot in inside[side]]
        assert [(slot["name"], slot["type"]) for slot in outside[side]] == inner
        assert len(dict(inner)) == len(inner) and len({slot["id"] for slot in inside[side]}) == len(inner)
    # What is a widget inside is one outside.
    shown = {slot["name"] for slot in outside["inputs"] if "widget" in slot}
    assert {"ckpt_name", "preset", "stop_graph"} < shown and "images" not in shown
    assert len(inside["description"]) > 40


def test_a_description_that_no_longer_fits_the_nodes_is_refused(pack):
    known, described = Schemas(pack), BLUEPRINTS[0]
    for inputs in ({"lora": "audit.lost"}, {"lora": "base.lora"}):
        with pytest.raises(KeyError, match=r"has no (lost|lora)"):
            blueprint(dataclasses.replace(described, inputs=inputs), known)
    with pytest.raises(KeyError, match="has no gone"):
        blueprint(dataclasses.replace(described, outputs={"x": "audit.gone"}), known)
    with pytest.raises(KeyError, match="has no colour"):
        known.values(Node(AUDIT, (1, 1), values={"colour": "red"}))
    columns = ({"base": Node(LOADER, (1, 1))}, {"audit": Node(AUDIT, (1, 1), {"model": "base.CLIP"})})
    with pytest.raises(KeyError, match=r"base.CLIP is CLIP, and OWF_DriftAudit wants MODEL"):
        blueprint(dataclasses.replace(described, graph=dataclasses.replace(described.graph, columns=columns)), known)


def test_there_is_a_set_on_ordinary_checkpoints_with_comfyuis_own_loader():
    found = {}
    for path in (ROOT / "example_workflows").glob("*.json"):
        for node in json.loads(path.read_text())["nodes"]:
            if node["type"] == LOADER:
                found.setdefault(node["widgets_values"][0], set()).add(path.stem)
                (offered,) = node["properties"]["models"]
                assert offered["name"] == node["widgets_values"][0] and offered["url"].endswith(f"/{offered['name']}")
    assert set(found) == set(CHECKPOINTS) and all(len(names) >= 2 for names in found.values())
    assert {name for names in found.values() for name in names} == {graph.name for graph in EXAMPLES}
    assert all(NOTE in {node.type for node in graph.nodes.values()} for graph in EXAMPLES)
