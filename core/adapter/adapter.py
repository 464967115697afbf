"""What a LoRA file says about itself, after validation."""

from dataclasses import dataclass
from pathlib import Path

from .containers.hashes import Hashes
from .containers.source import Entry
from .module import AdapterModule, BrokenModule
from .naming.stated.metadata import Training

READING = 2
"""Raised whenever a release reads the same file as another change of the base: what was measured of it is not its own
any more."""


@dataclass(frozen=True)
class Adapter:
    """A LoRA file that has been read and checked; its tensors are still on disk.

    Every text in it comes from a stranger and has passed through `inert`, except `AdapterModule.stem`,
    `BrokenModule.stem` and the names of `Entry`, which are needed as they are.
    """

    path: Path
    """The file, or the PEFT folder."""
    hashes: Hashes
    """sha256 and the public short hashes."""
    format: str
    """Who writes such names, such as `kohya` or `diffusers PEFT`."""
    algorithms: tuple[str, ...]
    """Every algorithm in it, most frequent first."""
    family: str | None
    """Name of the base family; None when shapes and metadata do not tell."""
    modules: tuple[AdapterModule, ...]
    """The usable modules."""
    broken: tuple[BrokenModule, ...]
    """The modules that cannot be used, with reasons."""
    twice: tuple[tuple[AdapterModule, AdapterModule], ...]
    """Modules of which the file has two complete accounts: the one that counts, and the one that was set aside."""
    unknown: tuple[Entry, ...]
    """Tensors whose names are not understood."""
    bundled: tuple[Entry, ...]
    """Tensors that are known to change no weight, such as bundled embeddings."""
    ranks: tuple[int, ...]
    """Distinct ranks, ascending."""
    alphas: tuple[float, ...]
    """Distinct alphas, ascending; empty without any."""
    dtypes: tuple[str, ...]
    """Distinct element types of the weights."""
    trigger_words: tuple[str, ...]
    """Words that probably call the concept, most certain first."""
    resolution: tuple[int, int] | None
    """Width and height of the training images in pixels; None where the file does not say."""
    prediction_type: str | None
    """`epsilon` or `v_prediction` where the metadata names it."""
    training: Training
    """How it was trained, as far as the metadata says."""
    warnings: tuple[str, ...]
    """What a user should know before trusting a score."""

    @property
    def sha256(self) -> str:
        """Return the sha256 of the file, or over the files of a folder, as 64 hexadecimal digits."""
        return self.hashes.sha256

    @property
    def key(self) -> str:
        """Return what names the change that this release reads in the file."""
        return f"{self.sha256} as read by {READING}"

    @property
    def components(self) -> tuple[str, ...]:
        """Return the parts of the pipeline that it changes, sorted."""
        return tuple(sorted({module.component for module in self.modules}))


@dataclass(frozen=True)
class Below:
    """A LoRA that is applied besides the one that is audited, as on a stack of several."""

    adapter: Adapter
    strength: float

    @property
    def key(self) -> str:
        """Return what names the change."""
        return f"below: {self.adapter.key} at {float(self.strength)!r}"
