"""OWF_TrainLoRADC: a LoRA trained inside the graph, with drift correction."""

from importlib.util import find_spec
from typing import Any

from comfy_api.latest import io

from ..core.errors import UsageError
from ..core.text import file_stem
from ..core.train.plan import TrainPlan
from ..core.train.preserve.term import find_term
from .auditing.request import NOT_LINKED, wrong
from .backend import places
from .training.train_inputs import PRESETS, train_inputs
from .training.training import (
    DEMO_PICTURES,
    PictureInputs,
    learned_networks,
    require_pictures,
    run_training,
    training_report,
)
from .ui.curves import Watcher
from .ui.progress import NodeProgress
from .ui.schema import found_by
from .ui.wording import graph_words

if find_spec("peft") is None:
    raise ModuleNotFoundError("training needs the package peft", name="peft")


class TrainLoraDC(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_TrainLoRADC",
            display_name="Train LoRA with drift correction (OWF)",
            category="OWF/train",
            description="Teaches a concept and keeps the model's answers about everything else. The file loads in "
            "ComfyUI, A1111, Forge and diffusers, and the same seed gives the same bytes.",
            inputs=train_inputs(),
            outputs=[
                io.LoraModel.Output("lora", display_name="LORA_MODEL", tooltip="For ComfyUI's own LoRA model loader."),
                io.Model.Output("trained", display_name="model", tooltip="MODEL with the LoRA at strength 1."),
                io.String.Output("path", display_name="path", tooltip="Where the file lies."),
                io.Image.Output("curves", display_name="curves", tooltip="The training's curves as a picture."),
                io.String.Output("report", display_name="report", tooltip="What was learned and kept, as text."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )
        return found_by(schema, "LoRA trainer", "fine-tune", "DreamBooth", "prior preservation", "regularization")

    @classmethod
    def fingerprint_inputs(cls, folder: str = "", **others: Any) -> str:
        """Return what makes the node run again: other pictures in the folder."""
        return "" if folder == DEMO_PICTURES else places.input_mark(folder)

    @classmethod
    def validate_inputs(
        cls, images: Any = NOT_LINKED, folder: str | None = "", preset: str | None = None, preserve: str | None = ""
    ) -> bool | str:
        """Return what is wrong before anything is loaded; the value of a linked input is None, for it is not known."""
        return wrong(
            lambda: None if folder is None else require_pictures(images is not NOT_LINKED, folder),
            lambda: None if preset is None else terms_of(preset, preserve or ""),
        )

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
    terms = terms_of(preset, preserve)
    if "dc" not in terms:
        options = {**options, "drift_budget": 0.0}
    # A graph that was saved before there was a choice says what the weight of dc is, and keeps it.
    return TrainPlan(preserve=terms, seed=seed, **{"dc_control": "fixed", **options})


def terms_of(preset: str, preserve: str) -> tuple[str, ...]:
    """Return the preservation terms of the two inputs; raise UsageError for one that is not known."""
    if preset not in PRESETS:
        raise UsageError(f"Unknown preset {preset!r}; use one of {', '.join(PRESETS)}.")
    terms = PRESETS[preset]
    if terms is None:
        terms = tuple(term.strip() for term in preserve.split(",") if term.strip() not in ("", "none"))
    for term in terms:
        find_term(term)
    return terms


def _answer(base: Any, trained: Any, watcher: Watcher) -> io.NodeOutput:
    from .backend.change import patched
    from .backend.images import from_pictures
    from .backend.lora_file import lora_weights

    weights = lora_weights(trained.path)
    model = patched(base, weights, 1.0).model
    pictures = from_pictures([watcher.picture()])
    notes, report = training_report(trained, watcher)
    return io.NodeOutput(
        weights, model, str(trained.path), pictures, report, ui={"owf": [watcher.panel(notes, trained.learning)]}
    )
