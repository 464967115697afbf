"""LPIPS against its formula on a network of random weights, and what is refused instead of its weights."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from owf.core.errors import InvalidError, UsageError
from owf.core.metrics import lpips
from owf.core.metrics.evidence import Drawings
from owf.core.metrics.images.features import Fetching
from owf.core.metrics.metric import Tools
from owf.core.plan.presets import preset_plan
from progress_log import Heard

CHANNELS = (64, 128, 256, 512, 512)
LAST_OF_SLICE = (3, 8, 15, 22, 29)
"""Layers of VGG16 whose outputs are compared: the last ReLU before each pooling, and the last of all."""


@pytest.fixture(scope="module")
def vgg():
    from torchvision.models import vgg as models

    torch.manual_seed(0)
    return models.make_layers(models.cfgs["D"]).eval()


@pytest.fixture
def weights(tmp_path, monkeypatch, vgg):
    """Return random weights of LPIPS, in the files and with the hashes that are looked for."""
    from torch_fidelity import sample_similarity_lpips as theirs

    generator = torch.Generator().manual_seed(1)
    found = {
        f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1, generator=generator) for i, width in enumerate(CHANNELS)
    }
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    torch.save(found, folder / theirs.URL_VGG16_LPIPS.rpartition("/")[2])
    (folder / lpips.VGG_URL.rpartition("/")[2]).touch()
    monkeypatch.setattr(lpips, "VGG_SHA256", "e3b0c442")  # of nothing
    monkeypatch.setattr(theirs, "torchvision_load_pretrained_vgg16", lambda: SimpleNamespace(features=vgg))
    return found


def trust(monkeypatch, weights) -> None:
    import hashlib

    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode() + value.numpy().tobytes())
    monkeypatch.setattr(lpips, "WEIGHTS_SHA256", digest.hexdigest())


def pictures(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 40, 48), np.uint8)


def formula(vgg, weights, a: np.ndarray, b: np.ndarray) -> list[float]:
    """Return Zhang et al.'s equation 1 in float64: unit-normalised channels, weighted squares, mean over places."""
    vgg = vgg.double()
    shift, scale = (torch.tensor(v).double().view(3, 1, 1) for v in ((-0.03, -0.088, -0.188), (0.458, 0.448, 0.45)))
    total = torch.zeros(len(a), dtype=torch.float64)
    x = [((torch.from_numpy(side).double() / 127.5 - 1) - shift) / scale for side in (a, b)]
    with torch.no_grad():
        for i, layer in enumerate(vgg):
            x = [layer(side.clone()) for side in x]
            if i in LAST_OF_SLICE:
                unit = [side / side.norm(dim=1, keepdim=True) for side in x]
                weight = weights[f"lin{LAST_OF_SLICE.index(i)}.model.1.weight"].double()
                total += ((unit[0] - unit[1]).square() * weight).sum(1).mean((1, 2))
    vgg.float()
    return total.tolist()


def tools(network, looked) -> Tools:
    return Tools(torch.device("cpu"), {"lpips": network}, looked)


def test_distances_follow_the_formula_and_their_mean_is_measured(weights, vgg, monkeypatch):
    trust(monkeypatch, weights)
    plan = preset_plan("quick")
    plan = dataclasses.replace(plan, prompts=plan.prompts[:5], images_per_prompt=1)
    network = lpips.load_network(plan, Fetching(offline=True))
    base, other = pictures(5, 0), pictures(5, 1)
    tuned = base.copy()
    tuned[3:] = pictures(2, 2)
    looked = Heard()
    seen = lpips.measure_lpips(plan, tools(network, looked), Drawings(base, tuned, other)).estimates["lpips"]
    changed, rolled = formula(vgg, weights, base, tuned), formula(vgg, weights, base, other)
    assert changed[:3] == [0, 0, 0] and min(changed[3:]) > 0.01
    assert seen.value == pytest.approx(np.mean(changed), rel=1e-4)
    assert seen.floor == pytest.approx(np.mean(rolled), rel=1e-4)
    assert (seen.n, seen.low) == (5, 0.0)
    assert sum(looked.rows) == 15


def test_other_weights_and_pickles_that_call_something_are_refused(weights):
    plan = preset_plan("quick")
    with pytest.raises(UsageError, match="published weights"):
        lpips.load_network(plan, Fetching(offline=True))
    path = lpips.Path(torch.hub.get_dir()) / "checkpoints" / "weights-vgg16-lpips.pth"
    torch.save({"x": SimpleNamespace()}, path)
    with pytest.raises(UsageError, match=r"weights-vgg16-lpips\.pth cannot be read"):
        lpips.load_network(plan, Fetching(offline=True))


def test_numbers_that_are_none_are_invalid():
    broken = lambda images: np.full((len(images), 1), np.nan)  # noqa: E731
    with pytest.raises(InvalidError, match="LPIPS"):
        lpips.distances(broken, Heard(), pictures(1, 0), pictures(1, 1))
