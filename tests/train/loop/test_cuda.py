"""The loss of a training step on fake CUDA tensors: a tensor on the wrong device or of the wrong type fails here."""

from dataclasses import replace

import pytest
import torch
from fake_cuda import denoiser_of, made_on_fake_cuda, require_fake_cuda, tiny_on_fake_cuda
from owf.core.model.diffusion.denoiser import Conditioning
from owf.core.model.diffusion.encodings import Encodings
from owf.core.train.data.rows import Rows
from owf.core.train.data.text_cache import TextCache
from owf.core.train.loop.loss import LossMaker
from owf.core.train.methods.method import attach
from owf.core.train.preserve.term import Examples, Regularizer
from small_training import small_plan
from tiny_flows import TRAINED
from torch._subclasses.fake_tensor import FakeTensorMode

CUDA = torch.device("cuda")


@pytest.fixture(params=[torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
def denoiser(request):
    with tiny_on_fake_cuda(request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def layers_where_the_base_is(monkeypatch):
    # PEFT makes its layers on the CPU and moves them, which fake modules cannot do: they are made in place instead.
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *where, **how: self)


@pytest.fixture(autouse=True)
def autocast_as_with_a_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a, **k: True)


def attached(denoiser, plan):
    with CUDA:
        return attach(denoiser, plan)


class AskTheBase(Regularizer):
    """The concept's rows under another caption."""

    def examples(self, concept, draw):
        return (Examples(concept.captioned(["a bag", ""]), None),)


def rows():
    x = torch.zeros(2, 4, 8, 8, device=CUDA)
    return Rows(x, x.clone(), torch.tensor([3, 700], device=CUDA), ("a sks bag", "a sks bag"))


def _texts(denoiser):
    return TextCache(Encodings(denoiser))


@pytest.mark.parametrize(
    "options",
    [{}, {"train_text_encoder": True}, {"method": "custom_diffusion"}, {"algorithm": "loha"}, {"min_snr": 5.0}],
)
def test_the_loss_is_float32_on_the_gpu(denoiser, options):
    precision = denoiser.dtype
    plan = small_plan(**options)
    method = attached(denoiser, plan)
    assert {p.dtype for p in method.parameters.values()} == {torch.float32}
    assert {p.device.type for p in method.parameters.values()} == {"cuda"}
    losses = LossMaker(denoiser, method, _texts(denoiser), plan.min_snr, precision).losses(
        rows(), None, {"class": AskTheBase()}
    )
    for loss in (losses.concept, losses.terms["class"]):
        assert (loss.dtype, loss.device.type, loss.requires_grad) == (torch.float32, "cuda", True)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("family", TRAINED)
def test_the_loss_of_a_transformer_is_float32_on_the_gpu(family, checkpointing):
    require_fake_cuda()
    with FakeTensorMode(allow_non_fake_inputs=True):
        denoiser = denoiser_of(made_on_fake_cuda(TRAINED[family], torch.bfloat16), family)
        denoiser.checkpoint_gradients(checkpointing)
        method = attached(denoiser, small_plan(targets="all"))
        losses = LossMaker(denoiser, method, WholeTexts(denoiser), 0.0, denoiser.dtype)
        x = torch.zeros(2, *denoiser.latent_shape, device=CUDA)
        asked = Rows(x, x.clone(), torch.tensor([3, 700], device=CUDA), ("a sks bag", "a sks bag"))
        found = losses.losses(asked, None, {"class": AskTheBase()})
        for loss in (found.concept, found.terms["class"]):
            assert (loss.dtype, loss.device.type, loss.requires_grad) == (torch.float32, "cuda", True)


class WholeTexts:
    """Captions on the GPU that fill all of their rows: how long a prompt is, fake tensors do not know."""

    def __init__(self, denoiser):
        self._denoiser = denoiser

    def rows(self, captions):
        found = self._denoiser.encode_text(captions)
        return found if found.mask is None else replace(found, mask=torch.ones(found.mask.shape, device="meta"))


def test_a_tensor_left_on_the_cpu_is_noticed(denoiser):
    method = attached(denoiser, small_plan())
    wrong = Rows(torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 8, 8), torch.tensor([3]), ("a",))
    with pytest.raises(Exception, match="device"):
        LossMaker(denoiser, method, _texts(denoiser), 0.0, denoiser.dtype).losses(wrong, None, {})


def test_text_is_encoded_where_the_model_is(denoiser):
    cond = denoiser.embed_text(["a"])
    assert isinstance(cond, Conditioning)
    assert (cond.context.device.type, cond.context.dtype) == ("cuda", denoiser.dtype)
