"""Settings that core names are inputs of nodes, or what ComfyUI has instead of them."""

import ast
import errno
import sys
from pathlib import Path

import pytest
from core_sources import named_settings
from owf import nodes
from owf.core.errors import OFF, InvalidError, Setting, UsageError
from owf.nodes.ui.wording import graph_words, in_graph

SHORT = ("_number", "_count", "_choice")
"""Functions of nodes/training/train_inputs.py that make an input of the name that they are given."""


def inputs():
    """Return the names of all inputs that the nodes' schemas have."""
    found = set()
    for path in Path(next(iter(nodes.__path__))).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", "")
            if getattr(node.func, "attr", "") == "Input" or called in (*SHORT, "folded"):
                named = node.args[1:] if called == "folded" else node.args
                found |= {name.value for name in named[:1] if isinstance(name, ast.Constant)}
    return found


@pytest.mark.parametrize(
    ("setting", "meant"),
    [
        (Setting("class_word"), "class_word"),
        (Setting("rate"), "rate"),
        (Setting("images"), "probe_folder"),
        (Setting("features", "clip"), "features clip"),
        (Setting("dtype", "float32"), "ComfyUI's option --force-fp32"),
        (Setting("device", "cpu"), "ComfyUI's option --cpu"),
        (Setting("bank"), "a prompt bank"),
        (Setting("offline", OFF), ""),
        (Setting("install", "torch-fidelity"), f'run "{sys.executable}" -m pip install torch-fidelity'),
    ],
)
def test_settings_become_inputs(setting, meant):
    assert in_graph(setting) == meant


@pytest.mark.parametrize("setting", sorted(named_settings(), key=str), ids=lambda s: f"{s.name} {s.value}".strip())
def test_every_setting_that_core_names_has_words_in_a_graph(setting):
    assert {"rate", "per_class", "images_a"} <= inputs()
    assert in_graph(setting) != f"{setting.name} {setting.value}".rstrip() or setting.name in inputs()


def test_errors_keep_their_kind_and_settings():
    with pytest.raises(InvalidError, match=r"^Lower it \(rate\)\.$") as caught, graph_words():
        raise InvalidError("Lower it.", Setting("rate"))
    assert caught.value.settings == (Setting("rate"),)
    with pytest.raises(ZeroDivisionError), graph_words():
        raise ZeroDivisionError


def test_what_the_system_refuses_is_a_sentence_with_what_to_do():
    with pytest.raises(UsageError, match=r"^/out/x: No space left on device\. Free some space there"), graph_words():
        raise OSError(errno.ENOSPC, "No space left on device", "/out/x")


def test_what_nodes_say_of_comfyui_stays_as_it_is():
    said = "ComfyUI keeps none: start it without --novram, not my--style.safetensors."
    with pytest.raises(UsageError) as caught, graph_words():
        raise UsageError(said)
    assert str(caught.value) == said
