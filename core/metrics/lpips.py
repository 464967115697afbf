"""Do pictures of the same prompt and noise look alike to people? LPIPS with VGG16 (Zhang et al., 2018), of each pair.

The network is torch-fidelity's, with the weights of version 0.1: 0 is the same picture, above about 0.5 two pictures
share little.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidError, UsageError
from ..foreign import foreign
from ..plan.audit_plan import AuditPlan
from ..progress import Progress
from .evidence import Drawings
from .measurement import Measurement
from .metric import Metric, Quantity, Tools
from .statistics import DISTANCE, mean_estimate

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .images.features import FeatureNetwork, Fetching, ImageFeatures

VERSION = 1
"""Version of the definition in this file."""

VGG_URL, VGG_SHA256 = "https://download.pytorch.org/models/vgg16-397923af.pth", "397923af"
"""The network that compares, and the beginning of its hash, which torchvision's file name states."""
WEIGHTS_SHA256 = "14ead4c37707e19fc980129228902e4d432a228fe71b34e15c82de92e27efc6c"
"""Of the values of the weights that its authors published as version 0.1 (vgg.pth of the package lpips 0.1.4)."""

_PAIRS = 4
"""Pairs at a time: VGG16 keeps 64 channels of full size, 67 MB for each picture of 512 px."""


def load_network(plan: AuditPlan, fetching: "Fetching") -> "ImageFeatures":
    """Return LPIPS as a network on pairs: a picture (N, 3, 2 * H, W), one above the other, gives a distance (N, 1)."""
    import torch
    from torch_fidelity.sample_similarity_lpips import URL_VGG16_LPIPS, SampleSimilarityLPIPS

    from ..disk.download import fetch
    from .images.features import assemble

    # The folder where torch-fidelity and torchvision look, so that nobody has the files twice.
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    fetch(VGG_URL, folder / VGG_URL.rpartition("/")[2], VGG_SHA256, fetching.offline, fetching.progress)
    weights = folder / URL_VGG16_LPIPS.rpartition("/")[2]
    fetch(URL_VGG16_LPIPS, weights, "", fetching.offline, fetching.progress)
    _require_published(weights)
    with foreign("LPIPS cannot be loaded"):
        network = _pairwise(SampleSimilarityLPIPS("lpips"))
    return assemble("lpips", lambda images: images, network, fetching.device, _PAIRS)


def _pairwise(lpips: "nn.Module") -> "nn.Module":
    from torch import nn

    class Halves(nn.Module):
        """Compares the upper half of each image with its lower half."""

        def __init__(self) -> None:
            super().__init__()
            self.lpips = lpips

        def forward(self, images: "torch.Tensor") -> "torch.Tensor":
            upper, lower = images.chunk(2, dim=2)
            return self.lpips(upper, lower).reshape(-1, 1)

    return Halves()


def _require_published(path: Path) -> None:
    """Raise UsageError unless a file holds the published weights and nothing but tensors: it is unpickled later."""
    import torch

    with foreign(f"{path} cannot be read as the weights of LPIPS"):
        weights = torch.load(path, map_location="cpu", weights_only=True)
        digest = hashlib.sha256()
        for name, value in sorted(weights.items()):
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
            digest.update(value.contiguous().numpy().tobytes())
    if digest.hexdigest() != WEIGHTS_SHA256:
        raise UsageError(f"{path} does not hold the published weights of LPIPS: delete it and run again.")


def distances(network: "FeatureNetwork", progress: Progress, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return LPIPS of each pair of uint8 images (N, 3, H, W) as (N,); raise InvalidError for NaN and infinite ones."""
    import torch

    from .images.features import features_of

    pairs = torch.from_numpy(np.concatenate([a, b], axis=2))
    found = features_of(network, pairs, progress).astype(np.float64).reshape(-1)
    if not np.isfinite(found).all():
        raise InvalidError("LPIPS returned NaN or infinite values.")
    return found


def measure_lpips(plan: AuditPlan, tools: Tools, seen: Drawings) -> Measurement:
    """Return the mean distance of the pairs; the prompt is the independent unit, other noise the floor."""
    shape = len(plan.prompts), plan.images_per_prompt
    network = tools.networks["lpips"]
    changed, rolled = (
        distances(network, tools.progress, seen.base, after).reshape(shape).mean(1)
        for after in (seen.tuned, seen.other)
    )
    tools.progress.advance(len(seen.base))  # of the third stack, each picture was seen along with one of the others
    estimate = replace(mean_estimate(changed, within=DISTANCE), floor=float(rolled.mean()))
    facts: dict[str, str | int | float] = {"network": "VGG16, weights 0.1", "prompts": len(plan.prompts)}
    by_prompt = {"lpips": tuple(changed.tolist())}
    return Measurement("lpips", VERSION, "lpips", {"lpips": estimate}, facts=facts, prompts=by_prompt)


METRIC = Metric(
    name="lpips",
    order=60,
    title="Look",
    question="Do pictures of the same prompt and seed look alike to people?",
    reading="LPIPS of both pictures: how different people find them, learned from their judgements. 0 is the same "
    "picture. The floor is what another seed alone does.",
    needs=(Drawings,),
    measure=measure_lpips,
    # No limit: what is harm depends on the composition, which a harmless change re-rolls too.
    quantities={"lpips": Quantity("LPIPS", "perceptual distance of the pairs (LPIPS)", metadata="lpips")},
    network=load_network,
)
