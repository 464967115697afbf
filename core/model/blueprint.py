"""A base as its shapes alone, on torch's meta device: what it weighs and what it computes, with nothing loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .. import families
from ..errors import Setting, UsageError
from ..families import Family, Part, Pipeline
from ..foreign import foreign
from .base import CONFIGS, BaseChoice, base_name, checkpoint_family, original_transformer
from .index import index_file

if TYPE_CHECKING:
    from .backends.networks import Network
    from .diffusion.denoiser import Conditioning


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
    def resolution(self) -> int:
        """Return the side of an image in pixels."""
        return self.network.resolution

    @cached_property
    def row_operations(self) -> int:
        """Floating-point operations of one row through the denoiser, as torch counts them."""
        from torch.utils.flop_counter import FlopCounterMode

        with torch.no_grad(), torch.device("meta"):
            cond = self._told()
            x, t = torch.zeros(1, *self.latent_shape), torch.zeros(1)
            with FlopCounterMode(display=False) as counter:
                self.network.forward(x, t, cond)
        return counter.get_total_flops()

    def _told(self) -> "Conditioning":
        """Return the conditioning of a prompt, as shapes alone.

        Language models look at what is in their masks, which fake tensors, unlike those of the meta device, keep them
        from.
        """
        from torch._subclasses.fake_tensor import FakeTensorMode

        from .diffusion.denoiser import Conditioning

        with FakeTensorMode(allow_non_fake_inputs=True):
            cond = self.network.embed_text([""])
        others = (None if part is None else _blank(part) for part in (cond.pooled, cond.mask))
        return Conditioning(_blank(cond.context), *others)


def _blank(like: torch.Tensor) -> torch.Tensor:
    return torch.empty(like.shape, dtype=like.dtype)


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
    parts = Parts(pipeline, models, SchedulerConfig({}), index)
    kind = network_named(pipeline.network)
    kind.require_fit(parts, str(root))
    family = families.of_base(pipeline.name, kind.settings(parts))
    assert family is not None, "each pipeline has a family that asks for no settings"
    return Blueprint(base_name(choice), family, parts, kind(parts))


def _configuration(choice: BaseChoice) -> tuple[Pipeline, Path]:
    """Return the pipeline of a base, and the folder of its configuration: its own, or what its family ships."""
    from .backends.files.folder import pipeline_of
    from .backends.files.hub import cached_folder
    from .backends.files.weight_files import read_object

    root = Path(choice.path)
    if choice.kind == "file":
        alone = original_transformer(root)
        return checkpoint_family(root)[1:] if alone is None else alone
    if choice.kind == "hub":
        root = cached_folder(choice.path) or _shipped(choice.path)
    index = index_file(root)
    if not index.is_file():
        raise UsageError(f"{root} is not a diffusers folder of a model: it has no {index.name}.")
    return pipeline_of(read_object(index), str(root)), root


def _shipped(hub_id: str) -> Path:
    for family in families.audited():
        if family.hub_id == hub_id and (CONFIGS / family.name).is_dir():
            return CONFIGS / family.name
    raise UsageError(
        f"{hub_id} is not in the local hub cache, so that nothing is known of its size; name a local copy.",
        Setting("base"),
    )


def _part(part: Part, root: Path) -> Any:
    """Return a part with its weights on the meta device, or what cuts prompts into tokens."""
    from .backends.files.folder import class_of, load_tokenizer, require_sane
    from .backends.files.text_encoders import shipped_tokenizer
    from .backends.files.weight_files import read_object

    folder = root / part.name
    if not part.prefix:
        return shipped_tokenizer(folder) if root.parent == CONFIGS else load_tokenizer(folder, part)
    config = read_object(folder / "config.json")
    require_sane(config, folder / "config.json")
    kind = class_of(part)
    with foreign(f"{folder} cannot be read as a {part.title}"), torch.device("meta"):
        if part.library == "diffusers":
            return kind.from_config(config).eval()
        return kind(kind.config_class.from_pretrained(str(folder))).eval()
