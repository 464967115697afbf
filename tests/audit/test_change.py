"""An audit takes any change that can be switched on and off, not only a LoRA file."""

import dataclasses
from pathlib import Path

import pytest
from owf.core.adapter import read_adapter
from owf.core.adapter.adapter import Below
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.change import AdapterChange
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.plan.audit_plan import Prompt
from owf.core.plan.presets import preset_plan
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from owf.core.verdict.report import AdapterRecord
from tiny_sd import tiny_parts, write_tiny_lora


class Louder:
    """A change that no LoRA file describes: every output of the UNet is multiplied."""

    reads_as_base, claimed = True, ()

    def __init__(self, denoiser, factor: float, refused: str | None = None):
        self.key, self._factor, self._refused = ("louder", repr(factor)), factor, refused
        self._layer = denoiser.components["unet"].conv_out
        self._handle = None

    def refusal(self):
        return self._refused

    def record(self):
        return AdapterRecord("louder", "", "patches", "patches", "demo", 1.0, 0, 0, 0.0)

    def on(self):
        self._handle = self._layer.register_forward_hook(lambda module, inputs, output: output * self._factor)

    def off(self):
        if self._handle is not None:
            self._handle.remove()
            self._handle = None


@pytest.fixture(scope="module")
def denoiser():
    return DiffusersDenoiser(tiny_parts(), "tiny", "demo")


@pytest.fixture
def plan():
    prompts = tuple(Prompt(f"a {c} bag", "colours", c) for c in ("red", "green", "blue"))
    return dataclasses.replace(
        preset_plan("quick"), metrics=("denoiser_drift",), prompts=prompts, sampling_steps=2, drift_timesteps=3
    )


def run(denoiser, change, plan, folder: Path):
    setting = AuditSetting(folder, folder / "cache", default_policy(), SILENT, Batching(8), {}, None)
    return audit_change(denoiser, change, plan, setting)


def test_drift_of_a_change_without_a_file(denoiser, plan, tmp_path):
    report = run(denoiser, Louder(denoiser, 1.1), plan, tmp_path)
    # The tuned prediction is 1.1 times the base's, so its change is 0.1 of it: 0.1^2, up to float32 rounding.
    assert report.measurements["denoiser_drift"].estimates["drift"].value == pytest.approx(0.01, rel=1e-4)
    assert report.adapter.name == "louder"


def test_a_refused_change_is_invalid_and_not_measured(denoiser, plan, tmp_path):
    report = run(denoiser, Louder(denoiser, 1.1, "it changes nothing."), plan, tmp_path)
    assert report.verdict.decision == "INVALID"
    assert report.verdict.reasons == ("it changes nothing.",)
    assert report.measurements == {}


def test_the_change_is_off_after_an_exception(denoiser, plan, tmp_path, monkeypatch):
    change = Louder(denoiser, 1.1)

    def broken(*arguments, **named):
        raise RuntimeError("broken")

    monkeypatch.setattr("owf.core.audit.audit.gather_tuned", broken)
    with pytest.raises(RuntimeError, match="broken"):
        run(denoiser, change, plan, tmp_path)
    assert change._handle is None
    assert not denoiser.components["unet"].conv_out._forward_hooks


@pytest.mark.parametrize(("strength", "below", "same_as"), [(1.0, -1.0, 0.0), (0.5, 0.5, 1.0), (0.0, 1.0, 1.0)])
def test_with_itself_below_a_lora_is_itself_at_the_sum_of_strengths(denoiser, plan, tmp_path, strength, below, same_as):
    adapter = read_adapter(write_tiny_lora(tmp_path / "a.safetensors"))
    stack = AdapterChange(denoiser.components, adapter, strength, below=(Below(adapter, below),))
    alone = AdapterChange(denoiser.components, adapter, same_as)
    found, wanted = (
        run(denoiser, change, plan, tmp_path / str(i)).measurements["denoiser_drift"].estimates["drift"].value
        for i, change in enumerate((stack, alone))
    )
    # Multiples of one change by powers of two add up without rounding.
    assert found == wanted
    assert (found == 0) == (same_as == 0)


def test_a_stack_is_named_and_has_a_key_of_its_own_whatever_the_order(denoiser, tmp_path):
    paths = [write_tiny_lora(tmp_path / f"{name}.safetensors", scale) for name, scale in (("a", 0.1), ("b", 0.2))]
    a, b = map(read_adapter, paths)
    made = [
        AdapterChange(denoiser.components, a, 1.0, below=below)
        for below in ((), (Below(b, 0.6),), (Below(b, 0.6), Below(a, 0.1)), (Below(a, 0.1), Below(b, 0.6)))
    ]
    assert len({change.key for change in made}) == 3
    assert made[2].key == made[3].key
    assert made[0].key == (a.key, "1.0")
    record = made[1].record()
    assert record.details["applied with"] == f"b.safetensors ({b.hashes.autov2}) at 0.6"
    assert record.details["applied with"] in record.warnings[0]
    assert "applied with" not in made[0].record().details


def test_a_stack_of_which_one_does_not_fit_is_refused(denoiser, tmp_path):
    good, bad = (tmp_path / name for name in ("good.safetensors", "bad.safetensors"))
    write_tiny_lora(good)
    write_tiny_lora(bad, modules={"lora_unet_nothing_like_it_to_q": (16, 16)})
    change = AdapterChange(denoiser.components, read_adapter(good), 1.0, below=(Below(read_adapter(bad), 0.5),))
    assert "bad.safetensors" in (change.refusal() or "")
