"""Feature networks: what KID compares. Each resizes as its authors prescribe and runs in full float32."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import nn

from ...disk.download import fetch
from ...errors import Setting, UsageError
from ...families import shipped
from ...foreign import foreign
from ...progress import SILENT, Progress
from .preparation import Embedding, Prepare

if TYPE_CHECKING:
    from ...plan.audit_plan import AuditPlan

INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

_BATCH = 16
"""Images at a time; also how often a long comparison says how far it is."""


class FeatureNetwork(Protocol):
    """Turns images into feature vectors."""

    @property
    def name(self) -> str:
        """Name that a report shows."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        ...

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        """Return float32 features (N, D) of uint8 images (N, 3, H, W)."""
        ...


@dataclass(frozen=True)
class ImageFeatures:
    """A network with its preparation of images; the FeatureNetwork of every name."""

    name: str
    """Name that a report shows."""
    digest: str
    """SHA-256 of the weights."""
    prepare: Prepare
    """uint8 images (N, 3, H, W) -> the network's input, on the CPU so that every device sees the same."""
    network: nn.Module
    """Prepared images -> features (N, D)."""
    device: torch.device
    """Where the network runs."""
    batch_size: int
    """Images at a time."""

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        """Return float32 features (N, D) of uint8 images (N, 3, H, W) on any device."""
        if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3 or not len(images):
            raise UsageError(f"Features need uint8 images (N, 3, H, W), not {images.dtype} {tuple(images.shape)}.")
        with torch.inference_mode(), _full_precision(self.device):
            batches = [self._batch(batch) for batch in images.split(self.batch_size)]
        return np.concatenate(batches)

    def _batch(self, images: torch.Tensor) -> np.ndarray:
        return self.network(self.prepare(images.cpu()).to(self.device)).float().cpu().numpy()


@dataclass(frozen=True)
class Fetching:
    """How a network comes to where it runs."""

    device: torch.device | str = "cpu"
    """Where it runs."""
    offline: bool = False
    """Whether nothing may be fetched."""
    progress: Progress = SILENT
    """Who hears of downloaded bytes."""


_ON_THE_CPU = Fetching()


def load_features(name: str | Path, fetching: Fetching = _ON_THE_CPU, batch_size: int = _BATCH) -> ImageFeatures:
    """Return a feature network, its weights fetched once unless that is forbidden.

    `name` is "inception" (Inception-v3 pool3 of torch-fidelity, 2048), "clip" (image embedding, 512), "dino"
    (class token of ViT-S/16, 384), either with another hub id or folder behind a colon ("clip:FOLDER"),
    "open_clip:MODEL/TAG" (image embedding of any network of open_clip), a family whose base ships with one, or the
    folder of a network like that. Raise UsageError, with what to do, for unknown names, missing extras, missing or
    changed weights.
    """
    from . import demo_network, openclip, towers

    kind, _, source = str(name).partition(":")
    if kind == "inception":
        prepare, network = _load_inception(fetching)
    elif kind == openclip.KIND and source:
        found = openclip.load_open_clip(source, fetching)
        prepare, network = found.prepare, found.images
    elif kind in towers.TOWERS:
        prepare, network = towers.load_tower(kind, source, fetching.offline)
    elif str(name) in shipped():
        prepare, network = demo_network.load_prepared(shipped()[str(name)].features, str(name))
    else:
        prepare, network = demo_network.load_prepared(Path(name), demo_network.FAMILY)
        name = demo_network.FAMILY
    return assemble(str(name), prepare, network, fetching.device, batch_size)


def load_for(name: str, plan: "AuditPlan", fetching: Fetching) -> ImageFeatures:
    """Return a network by its name, or, where a plan's features are those that ship for its base, these.

    What they were trained on is all of that base's world, and other networks were never shown it. Otherwise "clip" is
    the network that the plan names, if it does.
    """
    if plan.features in shipped():
        return load_features(plan.features, fetching)
    return load_features(f"open_clip:{plan.open_clip}" if name == "clip" and plan.open_clip else name, fetching)


def features_of(network: FeatureNetwork, images: torch.Tensor, progress: Progress = SILENT) -> np.ndarray:
    """Return float32 features (N, D) of uint8 images (N, 3, H, W); `progress` advances by the images of each batch.

    It does so before the batch as well, by 0, so that a run can be stopped there.
    """
    features = []
    for batch in images.split(_BATCH):
        progress.advance(0)
        features.append(network(batch))
        progress.advance(len(batch))
    return np.concatenate(features)


def _load_inception(fetching: Fetching) -> tuple[Prepare, nn.Module]:
    """Return torch-fidelity's Inception-v3, which resizes uint8 images itself, as TensorFlow 1 did."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise UsageError(
            "The feature network inception needs torch-fidelity: install it, or choose clip.",
            Setting("install", "torch-fidelity"),
            Setting("features", "clip"),
        ) from error
    # The folder that torch-fidelity itself uses, so that nobody has the file twice.
    path = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_URL.rpartition("/")[2]
    fetch(INCEPTION_URL, path, INCEPTION_SHA256, fetching.offline, fetching.progress)
    # torch-fidelity unpickles without restriction; it gets a copy of plain tensors.
    weights = io.BytesIO()
    with foreign(f"{path} cannot be read as the weights of the feature network inception"):
        torch.save(torch.load(path, map_location="cpu", weights_only=True), weights)
        weights.seek(0)
        network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=weights)
    return lambda images: images, Embedding(network, lambda outputs: outputs[0])


def assemble(
    name: str, prepare: Prepare, network: nn.Module, device: torch.device | str, batch_size: int = _BATCH
) -> ImageFeatures:
    """Return a network (prepared images -> features (N, D)) with its preparation, frozen, named by its weights."""
    network = network.requires_grad_(False).eval()
    digest, device = _digest(network), torch.device(device)
    return ImageFeatures(name, digest, prepare, network.to(device), device, batch_size)


def _digest(network: nn.Module) -> str:
    """Return the SHA-256 over names, shapes and values of all weights and buffers."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Turn off TF32 and the host's autocast, so that features do not depend on global switches."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    try:
        with flags, torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
