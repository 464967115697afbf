"""A base as its shapes alone, on torch's meta device: what it weighs and what it computes, with nothing loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .. import families
from ..errors import Setting, UsageError
from ..families import Family, Part, Pipeline
from ..foreign import foreign
from .base import CONFIGS, BaseChoice, base_name, checkpoint_family, original_transformer
from .index import index_file, require_folder
from .settings import configured_parts

if TYPE_CHECKING:
    from .backends.networks import Network
    from .diffusion.denoiser import Conditioning


SHAPES = CONFIGS.parent / "shapes"
"""Configuration of the usual base of each family whose tokenizers do not ship: what it weighs and computes."""


class _Unread:
    """Stands for a tokenizer that does not ship: every text is as long as it is read, and shapes tell no more."""

    model_max_length = 77
    """Tokens where nobody says how many: only CLIP's are asked so."""

    def __call__(self, texts: str | Sequence[str], *, max_length: int = 1, **how: Any) -> SimpleNamespace:
        if how.get("return_tensors"):
            numbers = torch.zeros(len(texts), max_length, dtype=torch.long)
            return SimpleNamespace(input_ids=numbers, attention_mask=torch.ones_like(numbers))
        row = [0] * max_length
        return SimpleNamespace(input_ids=row if isinstance(texts, str) else [row for _ in texts])


@dataclass(frozen=True)
class Blueprint:
    """The parts of a base, without their weights."""

    name: str
    """How people call the base."""
    family: Family
    """Its record."""
    parts: Any
    """The parts (see `backends.parts.Parts`), their weights on the meta device."""
    network: "Network"
    """What asks them."""

    @property
    def pipeline(self) -> Pipeline:
        """Return what the base is made of."""
        return self.parts.pipeline

    @property
    def components(self) -> Mapping[str, nn.Module]:
        """Return the modules that adapters change, by name."""
        return self.network.components

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Return (C, H, W) of one image's latents."""
        return self.network.latent_shape

    @property
    def made_for(self) -> int:
        """Return the side in pixels of the images that the base was made for."""
        return self.network.made_for

    @property
    def resolution(self) -> int:
        """Return the side in pixels of those that it is asked about; `network.resize` changes it."""
        return self.network.resolution

    @cached_property
    def keeps_as_stored(self) -> bool:
        """Whether weights of its components stay in the eight bits of their files, so that no LoRA is merged."""
        from .backends.kept_as_stored import StoredLinear

        return any(isinstance(layer, StoredLinear) for root in self.components.values() for layer in root.modules())

    @cached_property
    def row_operations(self) -> int:
        """Floating-point operations of one row through the denoiser, as torch counts them."""
        from torch.utils.flop_counter import FlopCounterMode

        with torch.no_grad(), torch.device("meta"):
            cond = self.told()
            x, t = torch.zeros(1, *self.latent_shape), torch.zeros(1)
            with FlopCounterMode(display=False) as counter:
                self.network.forward(x, t, cond)
        return counter.get_total_flops()

    @torch.no_grad()
    def told(self) -> "Conditioning":
        """Return the conditioning of a prompt (one row), as shapes alone.

        Language models look at what is in their masks, which fake tensors, unlike those of the meta device, keep them
        from.
        """
        from torch._subclasses.fake_tensor import FakeTensorMode

        from .diffusion.denoiser import Conditioning

        with torch.device("meta"), FakeTensorMode(allow_non_fake_inputs=True):
            cond = self.network.embed_text([""])
        others = (None if part is None else _blank(part) for part in (cond.pooled, cond.mask))
        return Conditioning(_blank(cond.context), *others)


def _blank(like: torch.Tensor) -> torch.Tensor:
    return torch.empty(like.shape, dtype=like.dtype, device="meta")


def blueprint(choice: BaseChoice) -> Blueprint:
    """Return the blueprint of a base, from its configuration files and the names in its weights' header.

    A base of the hub that is not in the local cache is taken for what its family ships. Raises UsageError for what
    cannot be loaded either, and where a configuration is not on this machine.
    """
    from .backends.diffusers import silence
    from .backends.files.folder import require_kind
    from .backends.files.weight_files import read_object
    from .backends.networks import network_named
    from .backends.parts import Parts, SchedulerConfig

    silence()
    pipeline, root = _configuration(choice)
    index = read_object(index_file(root))
    for part in pipeline.parts:
        require_kind(index, part, pipeline, root)
    models = {part.name: _part(part, root) for part in pipeline.parts}
    if choice.kind == "file":
        _keep_as_stored(Path(choice.path), models)
    scheduler = root / "scheduler" / "scheduler_config.json"
    config = read_object(scheduler) if scheduler.is_file() or choice.kind == "folder" else {}
    parts = Parts(pipeline, models, SchedulerConfig(config), index)
    kind = network_named(pipeline.network)
    if root.parent != SHAPES:  # whose tokenizers would have to be asked
        kind.require_fit(parts, str(root))
    family = families.of_base(pipeline.name, kind.settings(parts))
    assert family is not None, "each pipeline has a family that asks for no settings"
    try:
        network = kind(parts)
        network.schedule()
    except UsageError as error:
        raise error.at(str(root)) from error
    return Blueprint(base_name(choice), family, parts, network)


def _configuration(choice: BaseChoice) -> tuple[Pipeline, Path]:
    """Return the pipeline of a base, and the folder of its configuration: its own, or what its family ships."""
    from .backends.files.folder import pipeline_of
    from .backends.files.hub import cached_folder
    from .backends.files.weight_files import read_object

    root = Path(choice.path)
    if choice.kind == "file":
        alone = original_transformer(root)
        return checkpoint_family(root)[1:] if alone is None else (alone.pipeline, alone.root)
    if choice.kind == "hub":
        root = cached_folder(choice.path) or _shipped(choice.path)
    with foreign(f"{root} cannot be opened"):
        require_folder(root, {item.name for item in root.iterdir()})
    index = index_file(root)
    return pipeline_of(read_object(index), str(root)), root


def _keep_as_stored(path: Path, models: Mapping[str, Any]) -> None:
    """Let parts keep in eight bits what a file with a transformer in original names, and those beside it, have so."""
    from .backends.files.transformer_file import files_of_parts, keep_shapes_of

    alone = original_transformer(path)
    if alone is not None:
        named = configured_parts().get(alone.family.name, {})
        files = files_of_parts(path, alone.pipeline, alone.family.name, alone.root, named)
        keep_shapes_of(files, alone.pipeline, alone.root, models)


def _shipped(hub_id: str) -> Path:
    """Return the folder of what a base looks like that is not on this machine, as far as that ships."""
    family = families.of_hub_id(hub_id)
    places = [] if family is None else [folder / family.name for folder in (CONFIGS, SHAPES)]
    for place in places:
        if place.is_dir():
            return place
    raise UsageError(
        f"{hub_id} is not in the local hub cache, so that nothing is known of its size; name a local copy.",
        Setting("base"),
    )


def _part(part: Part, root: Path) -> Any:
    """Return a part with its weights on the meta device, or what cuts prompts into tokens."""
    from .backends.files.folder import empty_part, load_tokenizer
    from .backends.files.text_encoders import shipped_tokenizer

    folder = root / part.name
    if part.prefix:
        return empty_part(part, folder)
    if root.parent == SHAPES:
        return _Unread()
    return shipped_tokenizer(folder) if root.parent == CONFIGS else load_tokenizer(folder, part)
