"""A stand-in for comfy_api.latest.io: records schemas and is strict about what they may say."""

import inspect
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Hidden(str, Enum):
    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"


class Socket:
    def __init__(self, kind, id, **settings):
        self.kind, self.id, self._told, self.extra_dict = kind, id, settings, {}

    @property
    def settings(self):
        return self._told | self.extra_dict


Input = Output = Socket


def kind(name, allowed=()):
    """Return a type whose Input and Output refuse settings that ComfyUI does not know."""
    common = {"display_name", "optional", "tooltip", "lazy", "default", "socketless", "force_input"}

    class Type:
        class Input(Socket):
            def __init__(self, id, **settings):
                assert set(settings) <= common | set(allowed), (name, id, settings)
                super().__init__(name, id, **settings)

        class Output(Socket):
            def __init__(self, id=None, **settings):
                assert set(settings) <= {"display_name", "tooltip", "is_output_list"}, (name, id, settings)
                super().__init__(name, id, **settings)

    return Type


Model, Clip, Vae, Image, LoraModel = (kind(n) for n in ("MODEL", "CLIP", "VAE", "IMAGE", "LORA_MODEL"))
Int = kind("INT", ("min", "max", "step", "control_after_generate"))
Float = kind("FLOAT", ("min", "max", "step", "round"))
Boolean = kind("BOOLEAN", ("label_on", "label_off"))
String = kind("STRING", ("multiline", "placeholder"))
Combo = kind("COMBO", ("options",))
Custom = kind


@dataclass
class Schema:
    node_id: str
    display_name: str
    category: str
    inputs: list
    outputs: list
    description: str = ""
    search_aliases: list = field(default_factory=list)
    hidden: list = field(default_factory=list)
    is_output_node: bool = False


class NodeOutput:
    def __init__(self, *args, ui=None):
        self.args, self.ui = args, ui


class ComfyNode:
    define_schema: Any  # class methods of each node
    execute: Any
    validate_inputs: Any = None

    class hidden:
        unique_id = "7"
        prompt = None

    @classmethod
    def GET_SCHEMA(cls):
        schema = cls.define_schema()
        given = [i.id for i in schema.inputs]
        assert len(set(given)) == len(given), given
        parameters = inspect.signature(cls.execute).parameters.values()
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
        assert takes_all or {p.name for p in parameters} == set(given), (schema.node_id, given)
        validated = inspect.signature(cls.validate_inputs).parameters.values() if cls.validate_inputs else ()
        # What it names ComfyUI does not check itself; **others would switch off every check, and any may be missing.
        assert all(p.name in given and p.default is not p.empty for p in validated), (schema.node_id, validated)
        return schema
