"""Errors say what to change without knowing which program shows them."""

import copy
import pickle
import re

import pytest
from core_sources import literals, modules, named_settings
from owf.core.errors import AdapterError, InvalidError, Setting, UsageError, naming

DTYPE, BASE = Setting("dtype", "float32"), Setting("base")


def word(setting):
    return f"<{setting.name}>" if setting.name != "silent" else ""


@pytest.mark.parametrize("kind", [UsageError, InvalidError, AdapterError])
def test_copies_keep_kind_message_and_settings(kind):
    error = kind("Too large; use the type float32.", DTYPE, BASE)
    for same in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(same), str(same), same.settings) == (kind, str(error), (DTYPE, BASE))


def test_what_is_added_on_the_way_up_keeps_the_rest():
    at = AdapterError("broken", DTYPE).at("x.safetensors")
    assert (type(at), str(at), at.settings) == (AdapterError, "x.safetensors: broken", (DTYPE,))
    with pytest.raises(InvalidError) as caught, naming(BASE):
        raise at
    assert (str(caught.value), caught.value.settings) == (str(at), (DTYPE, BASE))


@pytest.mark.parametrize(
    ("message", "settings", "meant"),
    [
        ("Name one.", (BASE,), "Name one (<base>)."),
        ("name one", (BASE,), "name one (<base>)"),
        ("Name one.", (BASE, Setting("silent"), DTYPE), "Name one (<base>, <dtype>)."),
        ("Name one.", (Setting("silent"),), "Name one."),
        ("{} of {base}.", (), "{} of {base}."),
    ],
)
def test_words_stand_in_brackets_before_the_full_stop(message, settings, meant):
    assert UsageError(message, *settings).worded(word) == meant


def test_core_names_no_option_and_no_command_of_a_command_line():
    theirs = re.compile(r"(?<![\w-])--([a-z]|$)|pip install|\bowf-(audit|train|experiment)\b")
    found = [f"{path.name}: {text}" for path, tree in modules() for text in literals(tree) if theirs.search(text)]
    assert found == []


def test_the_settings_that_core_names_are_found():
    assert {DTYPE, BASE, Setting("install", "torch-fidelity")} <= named_settings()
