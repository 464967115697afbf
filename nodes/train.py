"""OWF_TrainLoRADC: a LoRA trained inside the graph, with drift correction."""

from importlib.util import find_spec
from typing import Any

from comfy_api.latest import io

from ..core.text import file_stem
from ..core.train.plan import ALGORITHMS, CONTROLS, TARGETS, TERMS, TrainPlan
from .backend import places
from .prompts import Bank
from .training import DEMO_PICTURES, PictureInputs, learned_networks, run_training, training_report
from .ui.curves import Watcher
from .ui.progress import NodeProgress
from .ui.wording import graph_words

if find_spec("peft") is None:
    raise ModuleNotFoundError("training needs the package peft", name="peft")

PRESETS = {"drift correction": ("dc",), "prior preservation": ("prior",), "plain": (), "as in preserve": None}
"""Name -> preservation terms; None takes the input `preserve`."""
_DEFAULT = TrainPlan()


class TrainLoraDC(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="OWF_TrainLoRADC",
            display_name="Train LoRA with drift correction (OWF)",
            category="OWF",
            description="Teaches a concept and keeps the model's answers about everything else. The file loads in "
            "ComfyUI, A1111, Forge and diffusers, and the same seed gives the same bytes.",
            inputs=[*_subject(), *_course(), *_more()],
            outputs=[
                io.LoraModel.Output("lora", display_name="LORA_MODEL"),
                io.Model.Output("trained", display_name="model"),
                io.String.Output("path", display_name="path"),
                io.Image.Output("curves", display_name="curves"),
                io.String.Output("report", display_name="report"),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **others: Any) -> str:
        """Return what makes the node run again: other pictures in the folder."""
        return "" if folder in ("", DEMO_PICTURES) else places.folder_mark(places.input_folder(folder))

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        name: str,
        preset: str,
        images: Any = None,
        bank: tuple[str, ...] | None = None,
        captions: str = "",
        folder: str = "",
        preserve: str = "",
        train_seed: int = 0,
        check_learned: bool = True,
        **options: Any,
    ) -> io.NodeOutput:
        """Train."""
        import torch

        from .backend.model.denoiser import Pair
        from .backend.model.trainer import ComfyTrainer, gradients

        progress, base = NodeProgress(cls.hidden.unique_id), Pair(model, clip)
        title = file_stem(name, "owf_lora")
        with graph_words(), gradients():
            plan = plan_from(preset, preserve, train_seed, options)
            watcher = Watcher(plan, cls.hidden.unique_id, progress, title)
            inputs = PictureInputs(None if images is None else torch.clone(images), captions, folder)
            progress.stage("Reading the base")
            trainer = ComfyTrainer(base, vae, plan.resolution or None, progress)
            networks = learned_networks(trainer, watcher) if check_learned else None
            trained = run_training(trainer, inputs, bank, plan, title, watcher, networks)
        return _answer(base, trained, watcher)


def plan_from(preset: str, preserve: str, seed: int, options: dict[str, Any]) -> TrainPlan:
    """Return the plan that `owf-train` would make of the same settings."""
    terms = PRESETS[preset]
    if terms is None:
        terms = tuple(term.strip() for term in preserve.split(",") if term.strip() not in ("", "none"))
    if "dc" not in terms:
        options = {**options, "drift_budget": 0.0}
    # A graph that was saved before there was a choice says what the weight of dc is, and keeps it.
    return TrainPlan(preserve=terms, seed=seed, **{"dc_control": "fixed", **options})


def _answer(base: Any, trained: Any, watcher: Watcher) -> io.NodeOutput:
    from .backend.change import lora_weights, patched
    from .backend.images import from_pictures

    weights = lora_weights(trained.path)
    model = patched(base, weights, 1.0).model
    pictures = from_pictures([watcher.picture()])
    notes, report = training_report(trained, watcher)
    return io.NodeOutput(
        weights, model, str(trained.path), pictures, report, ui={"owf": [watcher.panel(notes, trained.learning)]}
    )


def _help(field: str) -> str:
    return TrainPlan.__dataclass_fields__[field].metadata["help"]


def _subject() -> list[io.Input]:
    return [
        io.Model.Input("model"),
        io.Clip.Input("clip"),
        io.Vae.Input("vae"),
        io.String.Input("name", default="owf_lora", tooltip="File name in output/loras; nothing is ever replaced."),
        io.String.Input("trigger", default=_DEFAULT.trigger, tooltip=_help("trigger")),
        io.String.Input("class_word", default="", tooltip=_help("class_word")),
        io.Combo.Input("preset", options=list(PRESETS), default=next(iter(PRESETS)), tooltip="What is preserved."),
    ]


def _course() -> list[io.Input]:
    number, dc_weight = io.Float.Input, _DEFAULT.weight("dc")
    return [
        io.Int.Input("steps", default=_DEFAULT.steps, min=1, max=100_000, tooltip=_help("steps")),
        io.Int.Input("batch", default=_DEFAULT.batch, min=1, max=64, tooltip=_help("batch")),
        io.Int.Input("rank", default=_DEFAULT.rank, min=1, max=256, tooltip=_help("rank")),
        number("rate", default=_DEFAULT.rate, min=0.0, max=1.0, step=1e-5, round=1e-7, tooltip=_help("rate")),
        number("dc_weight", default=dc_weight, min=0.0, max=1e4, step=0.1, round=0.001, tooltip=_help("dc_weight")),
        number("drift_budget", default=0.0, min=0.0, max=1.0, step=0.001, round=1e-5, tooltip=_help("drift_budget")),
        io.Int.Input("train_seed", default=0, min=0, max=2**31 - 1, tooltip=_help("seed")),
    ]


def _more() -> list[io.Input]:
    number = io.Float.Input
    folder = f"Pictures: a folder below ComfyUI's input folder, or {DEMO_PICTURES}."
    return [
        io.Image.Input("images", optional=True, tooltip="Pictures of the concept."),
        Bank.Input("bank", optional=True, tooltip="Prompts to preserve; without it the bank that ships."),
        io.String.Input("captions", optional=True, default="", multiline=True, tooltip="One line for each image."),
        io.String.Input("folder", optional=True, default="", tooltip=folder),
        io.String.Input("caption", optional=True, default=_DEFAULT.caption, tooltip=_help("caption")),
        io.String.Input("preserve", optional=True, default="dc", tooltip=f"Some of {', '.join(TERMS)}, or none."),
        io.Combo.Input("algorithm", optional=True, options=list(ALGORITHMS), default=_DEFAULT.algorithm),
        io.Combo.Input("targets", optional=True, options=list(TARGETS), default=_DEFAULT.targets),
        number("alpha", optional=True, default=0.0, min=0.0, max=512.0, step=0.5, round=0.01, tooltip=_help("alpha")),
        io.Int.Input("resolution", optional=True, default=0, min=0, max=4096, step=8, tooltip=_help("resolution")),
        io.Int.Input("bank_prompts", optional=True, default=0, min=0, max=10_000, tooltip=_help("bank_prompts")),
        io.Int.Input("drift_every", optional=True, default=50, min=0, max=10_000, tooltip=_help("drift_every")),
        io.Combo.Input(
            "dc_control",
            optional=True,
            options=list(CONTROLS),
            default=_DEFAULT.dc_control,
            tooltip=_help("dc_control"),
        ),
        io.Boolean.Input(
            "check_learned",
            optional=True,
            default=True,
            tooltip="Measure whether the concept was learned: draws pictures, and fetches CLIP and DINO once.",
        ),
    ]
