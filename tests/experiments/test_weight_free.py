"""Methods that change no weights: what they touch while they are on, and that nothing is left of them."""

import pytest
import torch
from owf.core.experiments.lab.inversion import EmbeddingChange, TextualInversion, invert
from owf.core.experiments.lab.reference import ReferenceChange
from owf.core.metrics.images.features import load_features
from owf.core.model.diffusion.batch import Batching
from owf.core.progress import SILENT
from owf.core.train.methods.embedding import KEY
from owf.core.train.records import TrainSetting
from owf.core.train.session import Training
from safetensors.torch import load_file, save_file
from small_training import BANK, small_plan, tiny_denoiser, two_pictures
from torch_that_trains import torch_that_trains

__all__ = ["torch_that_trains"]


def predict(denoiser, prompts=("a red shirt", "a sks bag"), steps=(10, 700)):
    """Return what the model predicts for two rows of noise."""
    x = torch.randn(len(prompts), *denoiser.latent_shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return denoiser.predict(x, torch.tensor(steps), denoiser.encode_text(prompts))


@pytest.mark.slow
def test_an_embedding_is_learned_alone_and_leaves_other_prompts_as_they_are(tmp_path):
    denoiser = tiny_denoiser()
    weights = {n: p.detach().clone() for m in denoiser.components.values() for n, p in m.named_parameters()}
    before = predict(denoiser)
    plan = small_plan(preserve=(), rate=0.1)
    training = Training(denoiser, plan, BANK, tuple(two_pictures()), (), ())
    path, networks = tmp_path / "e.safetensors", lambda: (load_features("demo"),)
    setting = TrainSetting("e", tmp_path, tmp_path, SILENT, Batching(32), networks=networks)
    learning = invert(training, path, setting)
    assert learning.decision and torch.equal(predict(denoiser), before)
    after = {n: p for m in denoiser.components.values() for n, p in m.named_parameters()}
    assert all(torch.equal(after[name], weight) for name, weight in weights.items())
    learned = load_file(path)[KEY]
    token = denoiser.token("sks")
    assert learned.shape == (1, 32) and not torch.equal(learned[0], token.embedding.weight[token.number])


def test_an_embedding_moves_the_prompts_that_name_it_and_no_other(tmp_path):
    denoiser = tiny_denoiser()
    before = predict(denoiser)
    save_file({KEY: torch.full((1, 32), 0.5)}, tmp_path / "e.safetensors")
    change = EmbeddingChange(denoiser, tmp_path / "e.safetensors", "sks")
    assert change.refusal() is None and change.record().delta_norm == 0
    assert torch.equal(predict(denoiser), before)
    for _ in range(2):  # twice on is once on
        change.on()
    tuned = predict(denoiser)
    assert torch.equal(tuned[0], before[0]) and not torch.equal(tuned[1], before[1])
    change.off()
    change.off()
    assert torch.equal(predict(denoiser), before)


def test_a_trained_embedding_is_put_aside_and_taken_off():
    denoiser = tiny_denoiser()
    before = predict(denoiser)
    method = TextualInversion(denoiser, small_plan(preserve=()))
    assert torch.equal(predict(denoiser), before)  # it starts where the base's is
    method.parameters["embedding"].data += 1
    assert not torch.equal(predict(denoiser)[1], before[1])
    with method.off():
        assert torch.equal(predict(denoiser), before)
    method.detach()
    assert torch.equal(predict(denoiser), before)


def test_a_reference_is_looked_at_under_every_prompt_and_leaves_nothing():
    denoiser = tiny_denoiser()
    before = predict(denoiser)
    change = ReferenceChange(denoiser, two_pictures()[0].pixels)
    assert torch.equal(predict(denoiser), before) and change.record().matched > 0
    change.on()
    tuned = predict(denoiser)
    assert not torch.equal(tuned[0], before[0]) and not torch.equal(tuned[1], before[1])
    # A row does not depend on what else is in its batch, so that rows may be asked in any order and on any thread.
    alone = torch.cat([predict(denoiser, (p, p), (t, t))[i : i + 1] for i, (p, t) in
                       enumerate((("a red shirt", 10), ("a sks bag", 700)))])  # fmt: skip
    torch.testing.assert_close(alone, tuned, rtol=1e-4, atol=1e-5)
    with change.without():
        assert torch.equal(predict(denoiser), before)
    assert torch.equal(predict(denoiser), tuned)
    change.off()
    assert torch.equal(predict(denoiser), before)


def test_a_picture_that_looks_at_itself_changes_nothing():
    """Where the reference is what is drawn, each key and value is there twice, and attention is a mean over them."""
    denoiser = tiny_denoiser()
    change = ReferenceChange(denoiser, two_pictures()[0].pixels)
    step = torch.tensor([400])
    x = denoiser.schedule.noise(change._latents[None], change._noise(400)[None], step)
    cond = denoiser.encode_text(["a red shirt"])
    with torch.no_grad():
        plain = denoiser.predict(x, step, cond)
        change.on()
        doubled = denoiser.predict(x, step, cond)
        change.off()
    torch.testing.assert_close(doubled, plain, rtol=1e-4, atol=1e-5)


def test_other_pictures_and_other_files_have_other_keys(tmp_path):
    denoiser, pictures = tiny_denoiser(), two_pictures()
    keys = {ReferenceChange(denoiser, picture.pixels).key for picture in pictures}
    for i in range(2):
        save_file({KEY: torch.full((1, 32), float(i))}, tmp_path / f"{i}.safetensors")
        keys.add(EmbeddingChange(denoiser, tmp_path / f"{i}.safetensors", "sks").key)
    assert len(keys) == 4
