"""Claim: OFT of the inputs, as OneTrainer trains it, gives what its layers compute; what it cannot be is refused."""

import pytest
import torch
from owf.core.adapter import applied, match, read_adapter
from owf.core.errors import AdapterError
from safetensors.torch import save_file
from torch.nn.functional import conv2d, linear

LINEAR, CONV = "lora_unet_input_blocks_1_0_emb_layers_1", "lora_unet_input_blocks_1_0_in_layers_2"


class Resnet(torch.nn.Module):
    """A linear layer and a convolution under names of a U-Net."""

    def __init__(self):
        super().__init__()
        self.time_emb_proj = torch.nn.Linear(6, 5)
        self.conv1 = torch.nn.Conv2d(4, 3, 3, padding=1)


@pytest.fixture
def live():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = torch.nn.Module()
        unet.down_blocks = torch.nn.ModuleList([torch.nn.Module()])
        unet.down_blocks[0].resnets = torch.nn.ModuleList([Resnet()])
    return unet.requires_grad_(False)


def turn_of_two(angle):
    """Return the turn of a block of two: Q = [[0, a], [-a, 0]] has the square -a^2, so the series is this."""
    cos, sin = 1 - 2 * angle**2 + angle**4, 2 * angle - 2 * angle**3
    return torch.stack([torch.stack([cos, sin]), torch.stack([-sin, cos])])


def turns(angles):
    return torch.block_diag(*map(turn_of_two, angles))


def written(tmp_path, tensors):
    save_file(tensors, tmp_path / "x.safetensors")
    return read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("is_shared", [False, True])
def test_the_layers_compute_what_they_computed_in_training(is_scaled, is_shared, live, tmp_path):
    generator = torch.Generator().manual_seed(1)
    angles = {name: 0.3 * torch.randn(1 if is_shared else n, 1, generator=generator) for name, n in FULL.items()}
    tensors = {f"{name}.oft_R.weight": weight for name, weight in angles.items()}
    if is_scaled:  # by 2 sqrt(side - 1), which is 2 for blocks of two
        tensors |= {f"{name}.oft_R.scaled_oft": torch.tensor(True) for name in angles}
    used = {name: weight.flatten() / (2 if is_scaled else 1) for name, weight in angles.items()}
    resnet = live.down_blocks[0].resnets[0]
    x, image = torch.randn(7, 6, generator=generator), torch.randn(1, 4, 5, 5, generator=generator)
    turned = x @ turns(used[LINEAR].expand(3))
    weight = (resnet.conv1.weight.reshape(3, 36) @ turns(used[CONV].expand(18))).reshape(3, 4, 3, 3)
    expected = linear(turned, resnet.time_emb_proj.weight, resnet.time_emb_proj.bias)
    expected_image = conv2d(image, weight, resnet.conv1.bias, padding=1)
    before = resnet.time_emb_proj(x)
    with applied({"unet": live}, written(tmp_path, tensors)) as report:
        assert (report.problems, report.matched) == ((), 2)
        torch.testing.assert_close(resnet.time_emb_proj(x), expected, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(resnet.conv1(image), expected_image, atol=1e-6, rtol=1e-5)
    assert (before - expected).abs().max() > 0.1
    assert torch.equal(resnet.time_emb_proj(x), before)


FULL = {LINEAR: 3, CONV: 18}
"""Blocks of two that turn all inputs of each layer."""


def test_larger_blocks_are_the_cayley_transform_up_to_the_fifth_power(live, tmp_path):
    """(I + Q)(I - Q)^-1 is I + 2 (Q + Q^2 + Q^3 + ...): what is cut off is of the fourth power, once, and above."""
    weight = 0.02 * torch.randn(1, 15, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rows, columns = torch.triu_indices(6, 6, 1)
    half = torch.zeros(6, 6, dtype=torch.float64)
    half[rows, columns] = weight[0]
    skew, identity = half - half.T, torch.eye(6, dtype=torch.float64)
    turn = (identity + skew) @ torch.linalg.inv(identity - skew)
    layer = live.down_blocks[0].resnets[0].time_emb_proj.double()
    expected = layer.weight @ turn.T
    with applied({"unet": live}, written(tmp_path, {f"{LINEAR}.oft_R.weight": weight})) as report:
        assert report.problems == ()
        error = float((layer.weight - expected).abs().max())
    assert error < 3 * float(torch.linalg.matrix_norm(skew, 2)) ** 4
    assert float((expected - layer.weight).abs().max()) > 10 * error


@pytest.mark.parametrize(
    ("tensors", "match_text"),
    [
        ({f"{LINEAR}.oft_R.weight": torch.ones(2, 4)}, "above a square's diagonal"),
        ({f"{LINEAR}.oft_R.weight": torch.ones(3)}, "a matrix is needed"),
        ({f"{LINEAR}.oft_R.scaled_oft": torch.tensor(True)}, "missing|no known algorithm"),
        (
            {f"{LINEAR}.oft_R.weight": torch.ones(3, 1), f"{LINEAR}.oft_R.scaled_oft": torch.tensor(2.0)},
            "0 or 1 is needed",
        ),
    ],
)
def test_what_cannot_be_is_refused(tensors, match_text, tmp_path):
    with pytest.raises(AdapterError, match=match_text):
        written(tmp_path, tensors)


@pytest.mark.parametrize(("shape", "reason"), [((4, 1), "weights per output"), ((1, 6), "groups of 4")])
def test_blocks_that_do_not_divide_the_inputs_do_not_fit(shape, reason, live, tmp_path):
    report = match(written(tmp_path, {f"{LINEAR}.oft_R.weight": torch.ones(shape)}), {"unet": live})
    assert reason in report.problems[0]
