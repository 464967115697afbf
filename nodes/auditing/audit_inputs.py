"""The inputs that several nodes share: a LoRA and what to do with it, a base, what is asked of it, and limits."""

from comfy_api.latest import io

from ...core.metrics.images.network_names import FEATURES
from ...core.plan.presets import PRESETS
from ..backend import places
from ..ui.schema import folded
from .gate import GATES
from .request import AUTO

_PRESET = "How much is measured; glance looks for damage in a minute, and draws no picture."
MOST_STRENGTH = 10.0
"""Largest strength either way, ten times what a LoRA was trained for."""


def lora_input(tooltip: str) -> io.Input:
    """Return the input that names a LoRA."""
    return io.Combo.Input("lora", options=places.lora_choices()[1:], default=places.DEMO, tooltip=tooltip)


def strength_input(tooltip: str) -> io.Input:
    """Return the input of one strength."""
    return io.Float.Input(
        "strength", default=1.0, min=-MOST_STRENGTH, max=MOST_STRENGTH, step=0.01, round=0.001, tooltip=tooltip
    )


def gate_input() -> io.Input:
    """Return the input that says when the graph stops."""
    return io.Combo.Input(
        "stop_graph",
        options=list(GATES),
        default=GATES[0],
        tooltip="When the outputs model and clip stop whatever is connected to them.",
    )


def base_inputs() -> list[io.Input]:
    """Return the inputs of the base."""
    return [
        io.Model.Input("model", tooltip="The base: what is compared against."),
        io.Clip.Input("clip", tooltip="The base's text encoder."),
        io.Vae.Input("vae", tooltip="The base's autoencoder."),
    ]


def plan_inputs() -> list[io.Input]:
    """Return the inputs that say how much is measured."""
    return [
        io.Combo.Input("preset", options=list(PRESETS), default="quick", tooltip=_PRESET),
        folded(io.Int, "audit_seed", default=0, min=0, max=2**31 - 1, tooltip="Seed of all noise."),
    ]


def probe_folder_input() -> io.Input:
    """Return the input that names a folder of labelled images."""
    return folded(
        io.String,
        "probe_folder",
        optional=True,
        default="",
        tooltip="Labelled images: a folder below ComfyUI's input folder, such as one with a subfolder for each class.",
    )


def limit_inputs() -> list[io.Input]:
    """Return the inputs that say what is judged, and by which limits."""
    return [
        folded(
            io.String,
            "policy",
            optional=True,
            default="",
            multiline=True,
            tooltip="Limits as in a policy file: [[limit]] tables in TOML. Empty: the default limits.",
        ),
        folded(
            io.String,
            "metrics",
            optional=True,
            default="",
            tooltip="Metrics to run, with commas between; the help page names them. Empty: those of the preset.",
        ),
    ]


def concept_inputs() -> list[io.Input]:
    """Return the inputs that say what a LoRA was trained to change, and what shows it."""
    return [
        folded(
            io.String,
            "concept",
            optional=True,
            default="",
            tooltip="Words for what the LoRA was trained to change, with commas between. Empty: what its file says.",
        ),
        folded(
            io.String,
            "references",
            optional=True,
            default="",
            tooltip="Pictures of that, which the LoRA's are compared with: a folder below ComfyUI's input folder.",
        ),
        folded(
            io.String,
            "open_clip",
            optional=True,
            default="",
            tooltip="Network of open_clip that stands for CLIP in metrics, as MODEL/TAG. Empty: CLIP ViT-B/32.",
        ),
    ]


def detail_inputs() -> list[io.Input]:
    """Return the inputs that overrule single settings of a preset."""
    return [
        folded(
            io.Int,
            "per_class",
            optional=True,
            default=0,
            min=0,
            max=10000,
            tooltip="Labelled images of each class. 0: as the preset says.",
        ),
        folded(
            io.Int,
            "resolution",
            optional=True,
            default=0,
            min=0,
            max=4096,
            tooltip="Side of the images in pixels. 0: what the base was made for, or less with quick.",
        ),
        folded(
            io.Float,
            "guidance_scale",
            optional=True,
            default=0.0,
            min=0.0,
            max=30.0,
            step=0.1,
            round=0.01,
            tooltip="0: as usual for the model. 1 turns guidance off, as distilled models want it.",
        ),
        folded(
            io.Combo,
            "features",
            optional=True,
            options=[AUTO, *FEATURES],
            default=AUTO,
            tooltip="Feature network of KID; auto takes the one that fits the base.",
        ),
    ]
