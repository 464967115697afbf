"""Networks of open_clip_torch by model and tag, such as "ViT-B-16-SigLIP/webli": its towers, as it prepares pictures.

Its own loading reads any pickle that a tag names and asks the hub without being told to; here weights come through
`hub` or `fetch`, and are read as plain tensors.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...disk.download import fetch
from ...errors import OFF, Setting, UsageError
from ...foreign import NONE, Advice, foreign
from ...text import inert
from .hub import HubFiles, hub_folder

if TYPE_CHECKING:
    from .features import Fetching
    from .preparation import Prepare

KIND = "open_clip"
"""What names of these networks begin with."""
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""Files that a repository of the hub may hold, the one without pickles first."""
_FEW = 8
"""Names that are told where one is not known: open_clip has hundreds."""


@dataclass(frozen=True)
class OpenClip:
    """A network of open_clip."""

    prepare: "Prepare"
    """uint8 images (N, 3, H, W) -> its input."""
    images: nn.Module
    """Its input -> features (N, D)."""
    texts: Callable[[Sequence[str]], torch.Tensor]
    """P texts -> features (P, D)."""


class _Images(nn.Module):
    """The image side of a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network.encode_image(images)


def load_open_clip(source: str, fetching: "Fetching") -> OpenClip:
    """Return the network "MODEL/TAG", in float32 on the CPU; a tag may also be the path of a file of safetensors.

    Raises UsageError, with what to do, where open_clip is not installed, does not know the network, or has no weights.
    """
    library = _library()
    model, _, tag = source.partition("/")
    _require_known(model, library.list_models(), "open_clip has no model")
    settings = _settings(library, model, tag)
    weights = _file(tag) if _is_file(tag) else _weights(settings, model, tag, fetching)
    text_tower = _text_tower(library, model, fetching.offline)
    with foreign(f"{inert(source, 200)} cannot be loaded by open_clip"):
        network = library.create_model(
            model,
            pretrained=str(weights),
            # A model of this name that was trained with the other activation would answer, and answer wrongly.
            force_quick_gelu=bool(settings.get("quick_gelu")),
            force_preprocess_cfg=settings,
            pretrained_text=False,
            **text_tower,
        )
    network = network.float().requires_grad_(False).eval()
    return OpenClip(
        _preparation(network), _Images(network), lambda texts: _texts(library, network, model, texts, fetching)
    )


def _library() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise UsageError(
            f"Networks of open_clip need open_clip_torch ({error}).", Setting("install", "'owf[metrics]'")
        ) from error
    return open_clip


def _require_known(name: str, known: Sequence[str], said: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, _FEW, 0.5) or sorted(known)[:_FEW]
    listed = f"It has {', '.join(near)}" if near else "It has none"
    more = " and others" if len(known) > len(near) else ""
    raise UsageError(f"{said} {inert(name, 80)!r}. {listed}{more}.", Setting("open_clip"))


def _is_file(tag: str) -> bool:
    return "/" in tag or "\\" in tag or tag.endswith(".safetensors")


def _file(tag: str) -> Path:
    path = Path(tag)
    if path.suffix != ".safetensors" or not path.is_file():
        raise UsageError(
            f"{inert(tag, 400)} is no file of safetensors with the weights of a network.", Setting("open_clip")
        )
    return path


def _settings(library: Any, model: str, tag: str) -> dict[str, Any]:
    """Return how a tag was trained: mean, deviation, size and activation; those of the model's first tag for a file."""
    tags = library.list_pretrained_tags_by_model(model)
    if not _is_file(tag):
        _require_known(re.sub("-", "_", tag.lower()), tags, f"open_clip's {model} has no tag")
        return dict(library.get_pretrained_cfg(model, tag))
    return dict(library.get_pretrained_cfg(model, tags[0])) if tags else {}


def _text_tower(library: Any, model: str, offline: bool) -> dict[str, Any]:
    """Return what makes a text tower of transformers from a folder; open_clip would ask the hub for it in any case."""
    described = library.get_model_config(model)["text_cfg"]
    if not (name := described.get("hf_model_name")):
        return {}
    folder = hub_folder(HubFiles(name, {"config.json": ""}), offline)
    return {"text_cfg": {**described, "hf_model_name": str(folder), "hf_model_pretrained": False}}


def _weights(settings: dict[str, Any], model: str, tag: str, fetching: "Fetching") -> Path:
    """Return the file of a tag's weights."""
    if place := settings.get("hf_hub", ""):
        repository, _, name = place.rpartition("/")
        names = (name,) if name else _WEIGHTS
        return _first(repository, names, fetching.offline)
    url: str = settings.get("url", "")
    if not url:
        raise UsageError(f"open_clip does not say where the weights of {model}/{tag} are.", Setting("open_clip"))
    stated = re.search(r"/([0-9a-f]{64})/[^/]+$|-([0-9a-f]{8,64})\.pt$", url)
    sha256 = next(filter(None, stated.groups())) if stated else ""
    # The folder of open_clip itself, so that nobody has the file twice.
    path = Path.home() / ".cache" / "clip" / url.rpartition("/")[2]
    return fetch(url, path, sha256, fetching.offline, fetching.progress)


def _first(repository: str, names: Sequence[str], offline: bool) -> Path:
    """Return the first of some files that a repository has; the error is about the first."""
    refused: UsageError | None = None
    for name in names:
        try:
            return hub_folder(HubFiles(repository, {name: ""}), offline) / name
        except UsageError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _preparation(network: Any) -> "Prepare":
    """Return open_clip's own preparation, which works on one Pillow image at a time."""
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    transform: Any = image_transform_v2(PreprocessCfg(**network.visual.preprocess_cfg), is_train=False)

    def prepare(images: torch.Tensor) -> torch.Tensor:
        pictures = images.movedim(1, -1).contiguous().numpy()
        return torch.stack([transform(Image.fromarray(picture)) for picture in pictures])

    return prepare


def _texts(library: Any, network: Any, model: str, texts: Sequence[str], fetching: "Fetching") -> torch.Tensor:
    """Return features (P, D) of texts, cut by the model's own tokenizer, which some have at the hub."""
    source = library.get_model_config(model)["text_cfg"].get("hf_tokenizer_name", "")
    advice = NONE
    if source and fetching.offline:
        advice = Advice(
            f"If https://huggingface.co/{source} is not in the cache of the hub, let it be fetched once.",
            (Setting("offline", OFF),),
        )
    kept = {"local_files_only": True} if source and fetching.offline else {}
    with foreign(f"The tokenizer of open_clip's {model} cannot be loaded", advice):
        tokens = library.get_tokenizer(model, **kept)(list(texts))
    with torch.inference_mode():
        return network.encode_text(tokens).float()
