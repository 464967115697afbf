"""The inputs of the training node: the words for most of them are those of `owf-train`."""

from collections.abc import Sequence

from comfy_api.latest import io

from ...core.train.plan import ALGORITHMS, CONTROLS, TARGETS, TrainPlan
from ..prompts import Bank
from ..ui.schema import folded
from .training import DEMO_PICTURES

PRESETS = {"drift correction": ("dc",), "prior preservation": ("prior",), "plain": (), "as in preserve": None}
"""Name -> preservation terms; None takes the input `preserve`."""
_DEFAULT = TrainPlan()


def train_inputs() -> list[io.Input]:
    """Return all of them, in the order in which workflows have saved them."""
    return [*_subject(), *_course(), *_pictures(), *_form(), *_details()]


def _help(field: str) -> str:
    """Return what an option of the plan is, as the sentence that a tooltip is."""
    said = TrainPlan.__dataclass_fields__[field].metadata["help"]
    return f"{said[:1].upper()}{said[1:]}."


def _subject() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="The base that learns; it stays as it is."),
        io.Clip.Input("clip", tooltip="The base's text encoder."),
        io.Vae.Input("vae", tooltip="The base's autoencoder."),
        io.String.Input("name", default="owf_lora", tooltip="File name in output/loras; nothing is ever replaced."),
        io.String.Input("trigger", default=_DEFAULT.trigger, tooltip=_help("trigger")),
        io.String.Input("class_word", default="", tooltip=_help("class_word")),
        io.Combo.Input("preset", options=list(PRESETS), default=next(iter(PRESETS)), tooltip="What is preserved."),
    ]


def _course() -> list[io.Input]:
    return [
        io.Int.Input("steps", default=_DEFAULT.steps, min=1, max=100_000, tooltip=_help("steps")),
        folded(io.Int, "batch", default=_DEFAULT.batch, min=1, max=64, tooltip=_help("batch")),
        io.Int.Input("rank", default=_DEFAULT.rank, min=1, max=256, tooltip=_help("rank")),
        _number("rate", _DEFAULT.rate, most=1.0, step=1e-5, digits=1e-7),
        _number("dc_weight", _DEFAULT.weight("dc"), most=1e4, step=0.1, digits=0.001),
        _number("drift_budget", 0.0, most=1.0, step=0.001, digits=1e-5),
        folded(io.Int, "train_seed", default=0, min=0, max=2**31 - 1, tooltip=_help("seed")),
    ]


def _number(name: str, default: float, *, most: float, step: float, digits: float, optional: bool = False) -> io.Input:
    return folded(
        io.Float,
        name,
        optional=optional,
        default=default,
        min=0.0,
        max=most,
        step=step,
        round=digits,
        tooltip=_help(name),
    )


def _pictures() -> list[io.Input]:
    folder = f"Pictures: a folder below ComfyUI's input folder, or {DEMO_PICTURES}."
    return [
        io.Image.Input("images", optional=True, tooltip="Pictures of the concept."),
        Bank.Input("bank", optional=True, tooltip="Prompts to preserve; without it the bank that ships."),
        folded(
            io.String,
            "captions",
            optional=True,
            default="",
            multiline=True,
            tooltip="One line for each image, or one for all.",
        ),
        io.String.Input("folder", optional=True, default="", tooltip=folder),
        folded(
            io.String,
            "caption",
            optional=True,
            default=_DEFAULT.caption,
            tooltip="Caption of pictures without a .txt file; a pair of braces stands for trigger and class.",
        ),
    ]


def _form() -> list[io.Input]:
    return [
        folded(
            io.String,
            "preserve",
            optional=True,
            default="dc",
            tooltip="Preservation terms with commas between, or none; counts where preset says so.",
        ),
        _choice("algorithm", ALGORITHMS, _DEFAULT.algorithm),
        _choice("targets", TARGETS, _DEFAULT.targets),
        _number("alpha", 0.0, most=512.0, step=0.5, digits=0.01, optional=True),
    ]


def _details() -> list[io.Input]:
    return [
        _count("resolution", most=4096, step=8),
        _count("bank_prompts", most=10_000),
        _count("drift_every", 50, most=10_000),
        folded(
            io.Combo,
            "dc_control",
            optional=True,
            options=list(CONTROLS),
            default=_DEFAULT.dc_control,
            tooltip="How dc's weight is set: auto learns first and keeps the concept learned, fixed takes dc_weight.",
        ),
        folded(
            io.Boolean,
            "check_learned",
            optional=True,
            default=True,
            tooltip="Measure whether the concept was learned: draws pictures, and fetches CLIP and DINO once.",
        ),
    ]


def _count(name: str, default: int = 0, *, most: int, step: int = 1) -> io.Input:
    return folded(
        io.Int,
        name,
        optional=True,
        default=default,
        min=0,
        max=most,
        step=step,
        tooltip=_help(name),
    )


def _choice(name: str, options: Sequence[str], default: str) -> io.Input:
    return folded(
        io.Combo,
        name,
        optional=True,
        options=list(options),
        default=default,
        tooltip=_help(name),
    )
