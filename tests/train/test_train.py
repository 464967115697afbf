"""Training as a whole: the same bytes, the base untouched, the file equal to what was trained, the rows it costs."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from owf.core import families
from owf.core.adapter import LoraCard, applied, read_adapter
from owf.core.errors import InvalidError, UsageError
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.encodings import Encodings
from owf.core.progress import SILENT
from owf.core.train.data.concept import ConceptData
from owf.core.train.loop.optimizer import make_optimizer
from owf.core.train.methods.method import attach
from owf.core.train.plan import ALGORITHMS
from owf.core.train.preserve.term import all_terms
from owf.core.train.records import TrainSetting
from owf.core.train.train import train
from small_training import BANK, run, small_plan, tiny_denoiser, two_pictures

TERMS = [term.name for term in all_terms()]


def weights(denoiser):
    return {f"{c}.{n}": p for c, m in denoiser.components.items() for n, p in m.named_parameters()}


@pytest.mark.slow
@pytest.mark.parametrize("term", TERMS)
def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path, term):
    options = {"preserve": (term,), "prior_images": 2}
    files = [
        run(tmp_path / n, small_plan(**options, seed=s)).path.read_bytes() for n, s in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert files[0] == files[1]
    assert files[0] != files[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"preserve": ("dc", "prior"), "prior_images": 2, "accumulate": 2, "flip": True, "caption_dropout": 0.3},
        {"preserve": ("dc",), "drift_budget": 1e-4, "drift_every": 2, "ema": 0.9, "rate_schedule": "cosine"},
        {"preserve": ("class",), "train_text_encoder": True, "min_snr": 5.0, "noise_offset": 0.1, "warmup": 2},
        {"preserve": ("dc",), "method": "custom_diffusion", "teacher_cache": 4},
    ],
)
def test_an_interrupted_training_resumes_to_the_same_bytes(tmp_path, options):
    plan = small_plan(steps=5, **options)
    whole = run(tmp_path / "whole", plan)
    steps = []
    stopped = run(tmp_path / "parts", plan, watch=lambda r: steps.append(r.step), stop=lambda: len(steps) == 2)
    assert (stopped.steps, stopped.finished) == (2, False)
    resumed = run(tmp_path / "parts", plan, watch=lambda r: steps.append(r.step), resume=True)
    assert (resumed.steps, resumed.finished) == (5, True)
    assert steps == [1, 2, 3, 4, 5]
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    if whole.embedding is not None:
        assert resumed.embedding.read_bytes() == whole.embedding.read_bytes()


@pytest.mark.parametrize(("name", "package"), [("prodigy", "prodigyopt"), ("adamw8bit", "bitsandbytes")])
def test_optional_optimizers_train_and_resume_to_the_same_bytes(tmp_path, capsys, name, package):
    pytest.importorskip(package)
    plan = small_plan(steps=4, rank=64, optimizer=name, rate=1.0 if name == "prodigy" else 1e-2, preserve=())
    steps = []
    whole = run(tmp_path / "whole", plan, watch=lambda r: steps.append(r.step), stop=lambda: False)
    stopped = run(tmp_path / "parts", plan, watch=lambda r: steps.append(r.step), stop=lambda: len(steps) == 6)
    assert (stopped.steps, stopped.finished) == (2, False)
    assert run(tmp_path / "parts", plan, resume=True).path.read_bytes() == whole.path.read_bytes()
    assert type(make_optimizer([torch.nn.Parameter(torch.zeros(1))], plan)).__module__.startswith(package)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 1, "rate": 1e8},  # the weights of the last step, which no loss has seen
        {"steps": 1, "rate": 1e8, "drift_every": 1},
        {"steps": 3, "rate": 1e6, "clip": 0.0},
        {"steps": 2, "rate": 1e8, "preserve": ("l2",), "l2_weight": 1e8},
    ],
)
def test_a_diverged_training_is_no_result(tmp_path, options):
    with pytest.raises(InvalidError, match="rate"):
        run(tmp_path, small_plan(**{"preserve": ()} | options))
    assert not (tmp_path / "small.safetensors").exists()


def test_drawings_that_are_not_finite_are_not_kept(tmp_path, monkeypatch):
    healthy = drawings.generate_latents
    monkeypatch.setattr(drawings, "generate_latents", lambda *a: healthy(*a) * torch.nan)
    with pytest.raises(InvalidError, match="not finite"):
        run(tmp_path, small_plan(preserve=("dc",)))
    monkeypatch.setattr(drawings, "generate_latents", healthy)
    assert run(tmp_path, small_plan(preserve=("dc",))).finished


def test_a_stop_before_a_measurement_does_not_wait_for_it(tmp_path):
    options = {"steps": 4, "preserve": ("dc",), "drift_every": 2, "drift_budget": 1e-4}
    whole = run(tmp_path / "whole", small_plan(**options))
    asked, seen = [], []

    def stop():
        asked.append(len(seen))
        return len(asked) == 2  # after the first step, and before the second is measured

    stopped = run(tmp_path / "parts", small_plan(**options), watch=seen.append, stop=stop)
    assert (stopped.steps, len(seen)) == (2, 1)
    resumed = run(tmp_path / "parts", small_plan(**options), watch=seen.append, resume=True)
    assert [record.step for record in seen] == [1, 2, 3, 4]
    assert seen[1].drift is not None
    assert resumed.path.read_bytes() == whole.path.read_bytes()


def test_validation_sees_every_picture_once_as_it_is(tmp_path):
    data = ConceptData(Encodings(tiny_denoiser()), [p.pixels for p in two_pictures()], ["a", "b"], [3, 1],
                       small_plan(flip=True, caption_dropout=1.0, noise_offset=1.0, batch=1, seed=7))  # fmt: skip
    rows = list(data.sweep(0))
    assert [r.captions for r in rows] == [("a",), ("b",)]
    again = ConceptData(
        Encodings(tiny_denoiser()), [p.pixels for p in two_pictures()], ["a", "b"], [1, 1], small_plan(batch=1)
    )
    assert all(
        torch.allclose(r.x0, o.x0, atol=1e-5) and torch.equal(r.eps, o.eps)
        for r, o in zip(rows, again.sweep(0), strict=True)
    )
    assert not torch.equal(rows[0].eps, next(iter(data.sweep(1))).eps)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    run(tmp_path, small_plan(preserve=()))
    with pytest.raises(UsageError, match="other settings"):
        run(tmp_path, small_plan(preserve=(), rate=1e-3), resume=True)


@pytest.mark.parametrize("options", [{}, {"method": "custom_diffusion"}, {"train_text_encoder": True}])
def test_afterwards_the_base_holds_the_very_same_parameters(tmp_path, options):
    denoiser = tiny_denoiser()
    before = weights(denoiser)
    values = {name: p.detach().clone() for name, p in before.items()}
    run(tmp_path, small_plan(preserve=("dc",), **options), denoiser)
    after = weights(denoiser)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] and torch.equal(after[name], values[name]) for name in before)
    assert not any(p.requires_grad for p in after.values())


def test_also_after_an_exception_in_the_middle(tmp_path):
    denoiser = tiny_denoiser()
    before = weights(denoiser)

    def fail(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, small_plan(preserve=("dc",)), denoiser, watch=fail)
    after = weights(denoiser)
    assert all(after[name] is before[name] for name in before)


FORMS = [
    *({"algorithm": algorithm, "targets": "all"} for algorithm in ALGORITHMS),
    {"method": "custom_diffusion"},
    {"train_text_encoder": True, "targets": "transformer"},
    {"alpha": 1.0},
]


@pytest.mark.parametrize("options", FORMS)
def test_the_file_predicts_what_was_trained_and_off_is_the_base(options, tmp_path):
    denoiser = tiny_denoiser()
    prompts = ["a photo of a bag"]
    x, t = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([500])
    ask = lambda: denoiser.predict(x, t, denoiser.encode_text(prompts))  # noqa: E731
    base = ask()
    method = attach(denoiser, small_plan(**options))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(2)
        for parameter in method.parameters.values():
            # Rounded to what the file can hold, so that only the arithmetic differs.
            noise = 0.05 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_((parameter + noise).half().float())
    trained = ask()
    with method.off():
        assert torch.equal(ask(), base)
    assert torch.equal(ask(), trained)
    change = (trained - base).abs().max()
    assert change > 1e-3
    path = tmp_path / "x.safetensors"
    method.write(path, LoraCard("x", families.get("demo"), ("sks",)))
    method.detach()
    assert torch.equal(ask(), base)
    with applied(denoiser.components, read_adapter(path)) as report:
        assert not report.unmatched
        # Half-precision singular vectors of Custom Diffusion carry 2^-11 relative error; the others only float32's.
        tolerance = 2e-3 if "method" in options else 1e-4
        assert (ask() - trained).abs().max() <= tolerance * change + 1e-5


class Counting:
    """Counts the rows that go through the UNet with and without gradients."""

    def __init__(self, denoiser):
        self.student, self.teacher, self.calls = 0, 0, 0
        self._forward = denoiser.forward
        denoiser.forward, denoiser.predict = self.forward, torch.no_grad()(self.forward)

    def forward(self, x_t, t, cond):
        self.calls += 1
        if torch.is_grad_enabled():
            self.student += len(x_t)
        else:
            self.teacher += len(x_t)
        return self._forward(x_t, t, cond)


@pytest.mark.parametrize(
    ("options", "student", "teacher", "calls"),
    [
        ({"preserve": ()}, 2, 0, 1),
        ({"preserve": ("class",)}, 4, 2, 2),
        ({"preserve": ("blank",)}, 4, 2, 2),
        ({"preserve": ("prior",), "prior_images": 1}, 4, 0, 1),
        ({"preserve": ("dc",)}, 4, 2, 2),
        ({"preserve": ("dc", "prior"), "prior_images": 1}, 6, 2, 2),
        ({"preserve": ("dc",), "preserve_rows": 1}, 3, 1, 2),
        ({"preserve": ("l2",)}, 2, 0, 1),
    ],
)
def test_a_batch_of_b_costs_b_concept_rows_and_b_student_and_teacher_rows_a_term(
    tmp_path, options, student, teacher, calls
):
    options = {"dc_control": "fixed", **options}
    run(tmp_path, small_plan(steps=1, **options))  # draws what the base has to draw
    denoiser = tiny_denoiser()
    denoiser.digest()
    counting = Counting(denoiser)
    run(tmp_path, small_plan(steps=1, **options), denoiser)
    assert (counting.student, counting.teacher, counting.calls) == (student, teacher, calls)


def test_a_cached_teacher_is_not_asked_in_training(tmp_path):
    plan = small_plan(steps=4, preserve=("dc",), dc_control="fixed", teacher_cache=3)
    run(tmp_path, plan)
    denoiser = tiny_denoiser()
    counting = Counting(denoiser)
    run(tmp_path, plan, denoiser)
    assert (counting.student, counting.teacher) == (4 * 4, 3)


def test_preserving_every_second_step(tmp_path):
    records = []
    run(tmp_path, small_plan(steps=4, preserve=("dc",), dc_control="fixed", preserve_every=2), records=records)
    assert [set(r.terms) for r in records] == [{"dc"}, set(), {"dc"}, set()]


def test_the_first_step_finds_no_drift_and_later_ones_do(tmp_path):
    records = []
    run(tmp_path, small_plan(preserve=("dc",), dc_control="fixed", drift_every=1, steps=2), records=records)
    # The second factor of a LoRA starts at zero, so student and teacher agree in the first step.
    assert records[0].terms["dc"] == pytest.approx(0, abs=1e-9)
    assert records[1].terms["dc"] > 0
    assert 0 < records[0].drift < records[1].drift


def test_a_loss_that_is_not_a_number_is_invalid(tmp_path):
    with pytest.raises(InvalidError, match="loss is nan"):
        run(tmp_path, small_plan(preserve=(), rate=1e8, clip=0, steps=20, optimizer="adamw"))


def test_metadata_says_how_it_was_made(tmp_path):
    trained = run(tmp_path, small_plan(preserve=("dc",), drift_every=3))
    adapter = read_adapter(trained.path)
    assert adapter.family == "demo"
    assert dict(trained.facts)["owf.preserve"] == "dc"
    assert float(dict(trained.facts)["owf.watched_drift"]) == pytest.approx(trained.drift, rel=1e-4)


def test_two_shapes_train_side_by_side(tmp_path):
    pictures = two_pictures()
    wide = replace(pictures[0], pixels=torch.zeros(3, 64, 128, dtype=torch.uint8))
    records = []
    setting = TrainSetting("x", tmp_path, tmp_path, SILENT, Batching(4), watch=records.append)
    plan = small_plan(steps=4, preserve=("dc",), teacher_cache=4)
    assert train(tiny_denoiser(), [wide, pictures[1]], BANK, plan, setting).finished
    assert all(record.loss > 0 for record in records)


def test_slow_checkpoints_are_written_less_often(tmp_path, monkeypatch):
    """A wish to save after every step costs two percent of the time, not most of it, where saving is slow."""
    from owf.core.train.loop import checkpoint

    clock, saves = [0.0], []

    def slow(path, content):
        clock[0] += 3.0
        saves.append(clock[0])

    def watch(record):
        clock[0] += 20.0

    monkeypatch.setattr(checkpoint, "save_checkpoint", slow)
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    run(tmp_path, small_plan(steps=40, preserve=(), batch=1), save_every=0.0, watch=watch)
    # The last checkpoint comes with the last step, whenever that is.
    gaps = [later - earlier - 3.0 for earlier, later in pairwise(saves[:-1])]
    assert len(saves) > 2 and min(gaps) >= 3.0 / 0.02


def test_a_torch_that_cannot_train_is_named(tmp_path, monkeypatch):
    denoiser = tiny_denoiser()
    monkeypatch.delattr(torch.amp, "GradScaler")
    with pytest.raises(UsageError, match=r"torch 2\.3 or newer"):
        run(tmp_path, small_plan(), denoiser)
