"""The blueprints as a real ComfyUI serves them, and ComfyUI's own nodes in them as it has them."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from comfyui.graph import COMFY, NOTE
from serve import NAME, ROOT, server

FILES = {path.stem: path.read_text() for path in (ROOT / "subgraphs").glob("*.json")}


def read(address) -> Any:
    """Return what is at an address, or None where there is nothing."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def test_comfyui_lists_the_blueprints_and_hands_them_out(tmp_path):
    with server(tmp_path) as url:
        listed = read(f"{url}/global_subgraphs")
        if listed is None:
            pytest.skip("this ComfyUI knows no blueprints of packs")
        ours = {
            key: each["name"] for key, each in listed.items() if each["info"]["node_pack"] == f"custom_nodes.{NAME}"
        }
        assert {name: read(f"{url}/global_subgraphs/{key}")["data"] for key, name in ours.items()} == FILES


def test_comfyuis_own_nodes_have_what_the_graphs_say(tmp_path):
    with server(tmp_path) as url:
        for kind in COMFY.keys() - {NOTE}:
            found = read(f"{url}/object_info/{kind}")[kind]
            inputs = [name for group in ("required", "optional") for name in found["input_order"].get(group, ())]
            assert inputs == [name for _, name, _ in COMFY[kind]["inputs"]]
            outputs = list(zip(found["output"], found["output_name"], strict=True))
            told = [(what, name) for what, name, _ in COMFY[kind]["outputs"]]
            assert outputs[: len(told)] == told  # PreviewImage passes its pictures on in new ones
