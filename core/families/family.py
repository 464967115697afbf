"""What is known of a family of base models, and how its LoRA files are told apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import Setting, UsageError
from ..registry import records
from .layers import Layer
from .prompt_form import IN_SENTENCES, IN_TAGS, SENTENCES, TAGS, Child, PromptForm, by_name
from .targets import U_NET, Targets
from .variants import USUAL, Drawing, drawn_as

OTHER_INPUTS: Mapping[int, str] = {
    5: "a depth-to-image model",
    7: "an upscaler",
    8: "an instruct-pix2pix model",
    9: "an inpainting model",
}
"""Input channels of UNets over four latent ones -> what such models are: the rest is a picture, a mask or a depth."""


@dataclass(frozen=True)
class Part:
    """One model of a pipeline, or what cuts its prompts into tokens."""

    name: str
    """Its folder in a diffusers folder, and what adapters call it: `unet`, `text_encoder_2`, `tokenizer`."""
    library: str
    """`diffusers` or `transformers`."""
    classes: tuple[str, ...]
    """Classes of that library that it may be of: others do not answer the questions that audits ask."""
    title: str = ""
    """Name for people."""
    prefix: str = ""
    """How the names of its weights begin in a single file; empty for what has no weights."""
    overflows: bool = False
    """Whether its numbers are beyond float16 unless its configuration says that they are not."""
    is_open_clip: bool = False
    """Whether a single file has it under the names of OpenCLIP."""
    is_inner: bool = False
    """Whether the original code counts it to the denoiser, behind whose prefix its own then stands in a single file."""


@dataclass(frozen=True)
class Lookalike:
    """Models with the same layers that are asked for something else than a picture from text."""

    named: str
    """Regular expression of something in the names of their files, which are searched in small words."""
    what: str
    """What they are."""


EDITING = Lookalike(r"\bedit(?![a-z])", "a model that edits pictures")
"""Nothing but its name tells one from the model that it was trained from."""


@dataclass(frozen=True)
class Pipeline:
    """How the bases of a family are kept on disk, and who asks them."""

    name: str
    """Class that a diffusers folder names."""
    title: str
    """Name for people of the models that have it."""
    checkpoint: str
    """Name for people of those that come as a single file and are read; empty where none is."""
    network: str
    """File of `core/model/backends/networks` that runs it."""
    parts: tuple[Part, ...]
    """What it is made of, besides its scheduler."""
    layers: tuple[Layer, ...] = ()
    """How the original code calls the layers of its transformer; empty where diffusers converts names."""
    lookalikes: tuple[Lookalike, ...] = ()
    """What transformers alone in a file may be besides, with the same layers."""
    half: str = "float16"
    """Type of 16 bits that its networks run in: those of transformers are beyond float16 here and there."""
    targets: Targets = U_NET
    """Which of its denoiser's layers trainings change."""
    multiple: int = 8
    """Pixels of which the sides of pictures are multiples: those of a latent, or of a patch of them."""
    learns_words: bool = False
    """Whether a word of its prompts has one embedding, in the one CLIP that reads them, so that it can be learned."""

    @property
    def denoiser(self) -> str:
        """Name of the part that predicts, and of its component."""
        return self.parts[0].name

    @property
    def weighted(self) -> tuple[Part, ...]:
        """Return the parts that have weights."""
        return tuple(part for part in self.parts if part.prefix)

    @property
    def is_read_by_clip(self) -> bool:
        """Return whether CLIP alone reads its prompts: it is fast, and trained for a few pictures."""
        readers = [part for part in self.weighted if part.library == "transformers"]
        return all(name.startswith("CLIPText") for part in readers for name in part.classes)


@dataclass(frozen=True)
class Shipped:
    """What of a family ships with the project, so that it is audited and trained on offline."""

    base: Path
    """Diffusers folder of its base."""
    features: Path
    """Folder of a feature network for what it draws."""
    probes: Path
    """Labelled pictures that it was not trained on; see `datasets/shipped.py`."""
    concept: tuple[str, Path] | None = None
    """Class word and folder of pictures of something that it does not know, to be taught; None where none ship."""


RECIPES = ("quick", "standard")
"""Names of recipes, the shorter training first."""


@dataclass(frozen=True)
class Recipe:
    """Length and speed of a training that learns five pictures on a base."""

    steps: int
    """Optimizer steps."""
    batch: int
    """Concept rows of one UNet batch."""
    rate: float
    """Learning rate of AdamW."""
    rate_schedule: str = "constant"
    """Its course, as plans call it."""
    bank_prompts: int = 0
    """Prompts of the bank to correct on; 0 takes all."""
    accumulate: int = 1
    """UNet batches of a step."""


@dataclass(frozen=True)
class Family:
    """One family of base models that share an architecture."""

    name: str
    """Short name used in settings and reports, such as `sd15`; that of its file."""
    title: str
    """Name for people."""
    hub_id: str | None
    """Hugging Face repository of the usual base model; None where there is none."""
    prediction_type: str
    """What the denoiser predicts by default: `epsilon`, `v_prediction` or `flow`."""
    resolution: int
    """Side of the training images in pixels."""
    smaller: int = 0
    """Side of smaller images that its bases learned as well, at which presets ask that are to be fast; 0 for none."""
    context_width: int | None = None
    """Width of the text features entering the cross-attention of a U-Net; None for transformers."""
    markers: tuple[tuple[str, ...], ...] = ()
    """Alternatives of parts of `^path:inputs>outputs` (dots as underscores) that together only this family has.

    A part after `!` must be absent. Inputs and outputs are "None" where the factors do not show them.
    """
    shared: tuple[tuple[str, ...], ...] = ()
    """The same of parts that others have too: they count where the metadata names this family."""
    base_versions: tuple[str, ...] = ()
    """Beginnings of `ss_base_model_version` in its LoRA files."""
    architectures: tuple[str, ...] = ()
    """Beginnings of `modelspec.architecture` in its LoRA files."""
    text_widths: tuple[tuple[str, int], ...] = ()
    """Pairs of component and hidden width of its text encoders."""
    ships: Shipped | None = None
    """Its usual base and what belongs to it, where these ship with the project."""
    pipeline: Pipeline | None = None
    """How its bases are loaded and run; None where audits do not run on them."""
    layers: tuple[Layer, ...] = ()
    """How the original code calls the layers of its transformer, where there is no pipeline that says it."""
    of_its_size: tuple[str, ...] = ()
    """Hugging Face repositories of other bases whose parts have the same sizes, such as distilled ones."""
    settings: tuple[tuple[str, int], ...] = ()
    """Settings of the denoiser that tell its bases from those of other families with the same pipeline."""
    trains: bool = False
    """Whether the training that loads its bases itself was shown to run on them."""
    recipes: tuple[tuple[str, Recipe], ...] = ()
    """Pairs of a name in `RECIPES` and the training that it stands for; none where nobody knows one."""
    drawings: tuple[Drawing, ...] = ()
    """How people draw with its bases; of several that fit, the first, and the one for all names after the others."""
    children: tuple[Child, ...] = ()
    """What is trained from its bases and asked in a language of its own; of several that fit, the first."""
    first_layers: tuple[str, ...] = ()
    """Paths of the layer of a transformer that reads latents, in files of every dialect."""
    other_inputs: tuple[tuple[int, str], ...] = ()
    """Inputs of that layer in models with more to read than latents -> what such models are."""
    knows_tags: bool = True
    """Whether its bases may be asked in tags."""
    skips_layers: bool = False
    """Whether people choose the layer of the text encoder at which its prompts are read, for a LoRA's training too."""

    def prompt_form(self, asked: str, names: Iterable[str]) -> PromptForm:
        """Return the form in which a base of this family is asked, known by its names, the surest first.

        `asked` is one of `ASKED_FORMS`. Names are hub ids, file names, and what a checkpoint's metadata say of it.
        Raises UsageError for tags where none are known.
        """
        if asked == SENTENCES:
            return IN_SENTENCES
        if asked == TAGS and not self.knows_tags:
            said = f"{self.title} knows no tags: it learned from sentences alone."
            raise UsageError(said, Setting("prompt_form", SENTENCES))
        child, usual = self._child(names), IN_TAGS if asked == TAGS else IN_SENTENCES
        return usual if child is None else child.form

    def clip_skip(self, names: Iterable[str]) -> int:
        """Return the layer of the text encoder, counted from its last, at which a base of such names is asked."""
        child = self._child(names)
        return 1 if child is None else child.clip_skip

    def _child(self, names: Iterable[str]) -> Child | None:
        return by_name(self.children, (*names, ""))  # a base without a name is one of those that fit all names

    def drawing(self, names: Iterable[str]) -> Drawing:
        """Return how people draw with a base of this family, known by its names, the surest first."""
        known = tuple(names)
        usual = by_name(self.drawings, ("",)) or USUAL
        return drawn_as(self.drawings, known) or self.drawing_named(known) or usual

    def drawing_named(self, names: Iterable[str]) -> Drawing | None:
        """Return the same where names say it; None where they do not."""
        return by_name((drawing for drawing in self.drawings if drawing.named), names)


@cache
def all_families() -> tuple[Family, ...]:
    """Return every family, sorted by name."""
    return records(__name__, "FAMILY", Family, helpers=("layers", "prompt_form", "targets", "variants"))


def shipped() -> dict[str, Shipped]:
    """Return what ships with the project, by the name of its family."""
    return {family.name: family.ships for family in all_families() if family.ships is not None}


def get(name: str) -> Family:
    """Return the family called `name`; raises UsageError that lists the known names."""
    for family in all_families():
        if family.name == name:
            return family
    known = ", ".join(family.name for family in all_families())
    raise UsageError(f"unknown base family {name!r}; choose one of: {known}")


def audited() -> tuple[Family, ...]:
    """Return the families whose usual bases audits run on, sorted by name."""
    return tuple(family for family in all_families() if family.pipeline is not None and family.hub_id is not None)


def of_hub_id(hub_id: str) -> Family | None:
    """Return the family that is audited whose bases have the sizes of a repository's; None where none is known."""
    return next((known for known in audited() if hub_id in (known.hub_id, *known.of_its_size)), None)


def tag_forms() -> tuple[PromptForm, ...]:
    """Return every form in tags, each once."""
    known = (child.form for family in all_families() for child in family.children)
    return tuple(dict.fromkeys(form for form in (IN_TAGS, *known) if form.name == TAGS))


def pipelines() -> tuple[Pipeline, ...]:
    """Return the pipelines that audits run on, sorted by name."""
    found = {family.pipeline.name: family.pipeline for family in all_families() if family.pipeline is not None}
    return tuple(found[name] for name in sorted(found))


def what_bases_are() -> str:
    """Return the sentence, without its stop, that says what may be given as a base, of every family that is audited."""
    whole = [pipeline.checkpoint for pipeline in pipelines() if pipeline.checkpoint]
    alone = sorted(pipeline.title for pipeline in pipelines() if pipeline.layers)
    return (
        f"A base is a diffusers folder, a hub id, a checkpoint of {' or '.join(whole)} in one file, or a file with the "
        f"transformer of {', '.join(alone[:-1])} or {alone[-1]}"
    )


def layers_of(transformer: str) -> tuple[Layer, ...]:
    """Return the layers of a class of diffusers' transformers in the names of its original code; () where not known."""
    known = (pipeline.layers for pipeline in pipelines() if transformer in pipeline.parts[0].classes)
    return next(known, ())


def of_base(pipeline: str, settings: Mapping[str, object]) -> Family | None:
    """Return the family of a base by its pipeline and the settings of its denoiser, None where there is none.

    Of several that fit, the one with the most settings of its own.
    """
    own = [family for family in all_families() if family.pipeline is not None and family.pipeline.name == pipeline]
    fit = [family for family in own if all(settings.get(name) == value for name, value in family.settings)]
    return max(fit, key=lambda family: len(family.settings), default=None)
