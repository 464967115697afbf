"""What a call of `owf-train` says besides the plan. No torch."""

from dataclasses import dataclass

from ...core.errors import UsageError
from ...core.families import RECIPES
from ...core.model.device import DEVICES, DTYPES
from ...core.model.memory import QUANTIZED, TRAINING_OFFLOADS, Keeping
from ...core.plan.option import option
from ...core.text import file_stem


@dataclass(frozen=True)
class RunOptions:
    """Where things are, and how the run goes; like the plan, every field is a flag and a key of TOML files."""

    pictures: str = option("", "folder of training pictures; a .txt file beside a picture is its caption")
    validation: str = option(
        "", "folder of held-out pictures of the concept: its loss is watched, and what was learned seen"
    )
    bank: str = option("", "text file with one concept-free prompt a line, instead of the bank that ships")

    base: str = option("", "diffusers folder, hub id, or .safetensors checkpoint")
    demo_base: bool = option(False, "train on the small base model that ships with the project")
    preset: str = option("", "steps, batch and rate for five pictures on the base; flags go before", RECIPES)
    clip_skip: int = option(
        0,
        "layer of the text encoder, from its last, at which prompts are read; 0: 2 for anime bases of SD 1.5, by "
        "their names, else 1",
    )
    offline: bool = option(False, "never fetch anything")
    device: str = option("auto", "where the model runs", DEVICES)
    dtype: str = option("auto", "type of the base's weights; what is trained is float32", DTYPES)
    offload: str = option(
        "none", "model: text encoders and VAE wait in main memory while the denoiser trains", TRAINING_OFFLOADS
    )
    quantize: str = option(
        "none", "round the base's linear layers, which stay frozen (QLoRA): less memory; needs owf[quantize]", QUANTIZED
    )

    out: str = option("owf-loras", "folder of the LoRA and everything beside it")
    name: str = option("", "name of the LoRA; empty takes trigger and class")
    cache: str = option("", "where latents drawn by the base are kept; empty takes the user's cache folder")
    save_every: float = option(60.0, "seconds between checkpoints")
    audit: bool = option(True, "audit the finished LoRA and write the verdict into its file")
    progress: str = option(
        "auto", "auto draws a bar on a terminal; json writes a line per step to stdout", ("auto", "bar", "json", "none")
    )

    def __post_init__(self) -> None:
        if not 0 <= self.save_every < float("inf"):
            raise UsageError("--save-every is a number of seconds, at least 0.")
        for name in ("preset", "device", "dtype", "offload", "quantize", "progress"):
            choices = self.__dataclass_fields__[name].metadata["choices"]
            if name == "preset" and not self.preset:
                continue
            if getattr(self, name) not in choices:
                raise UsageError(f"--{name} {getattr(self, name)}: choose from {', '.join(choices)}.")

    @property
    def keeping(self) -> Keeping:
        """Return how the base is kept."""
        return Keeping(self.offload, self.quantize)

    def require_subject(self) -> None:
        """Raise UsageError where nobody said what to train on."""
        if not self.pictures:
            raise UsageError("Name a folder of training pictures. See owf-train --help.")
        if self.demo_base and self.base:
            raise UsageError("Both --base and --demo-base are given: leave one out.")
        if not self.demo_base and not self.base:
            raise UsageError("Name the base model with --base PATH_OR_ID, or use --demo-base.")

    def file_name(self, phrase: str) -> str:
        """Return the LoRA's name as files are called; `phrase` stands in for a missing name."""
        return file_stem(self.name or phrase)
