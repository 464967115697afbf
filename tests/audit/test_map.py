"""The damage map as part of an audit, on a base whose predictions are closed form: paired, counted, resumed."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from gaussian_denoiser import GaussianDenoiser
from owf.core.audit.audit import AuditSetting, audit_change
from owf.core.audit.evidence.cost import audit_cost
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.denoiser import Conditioning
from owf.core.plan.audit_plan import Prompt
from owf.core.plan.presets import preset_plan
from owf.core.plan.screening.screening import TIMESTEPS, asked_instead, plan_concepts, with_vocabulary
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from owf.core.verdict.report import AdapterRecord, read_report, to_json, write_report
from owf.core.verdict.verdict import DRIFT, INCONCLUSIVE, NO_ALARM, PASS
from progress_log import Heard

WORDS = ("red car", "my dog", "castle", "an apple")


class Worded(GaussianDenoiser):
    """Knows a Gaussian for each of a few prompts."""

    def __init__(self, prompts: list[str]) -> None:
        means = torch.randn(len(prompts), 3, 8, 8, generator=torch.Generator().manual_seed(0))
        super().__init__(means, spread=0.5)
        self.places = {prompt: i for i, prompt in enumerate(prompts)}

    def encode_text(self, prompts) -> Conditioning:
        return super().encode_text([str(self.places[prompt]) for prompt in prompts])


class Moved:
    """A change of what one prompt means."""

    is_repeatable, reads_as_base, key, claimed = True, True, ("moved",), ()

    def __init__(self, denoiser: Worded, prompt: str, by: float | torch.Tensor) -> None:
        self._row, self._by = denoiser.means.weight.data[denoiser.places[prompt]], by
        self._before = self._row.clone()

    def refusal(self) -> None:
        return None

    def record(self) -> AdapterRecord:
        return AdapterRecord("moved", "0" * 64, "kohya", "lora", "gaussian", 1.0, 1, 0, 0.1)

    def on(self) -> None:
        self._row += self._by

    def off(self) -> None:
        self._row.copy_(self._before)


class Taken(Moved):
    """A change that gives one prompt the meaning of another."""

    def __init__(self, denoiser: Worded, prompt: str, meaning: str) -> None:
        means = denoiser.means.weight.data
        super().__init__(denoiser, prompt, 0.0)
        self._by = means[denoiser.places[meaning]] - self._before


class Exchanged(Moved):
    """A change that gives every prompt the meaning of the one before."""

    def __init__(self, denoiser: Worded) -> None:
        super().__init__(denoiser, "", 0.0)
        self._row = denoiser.means.weight.data
        self._before = self._row.clone()
        self._by = self._before.roll(1, 0) - self._before


@pytest.fixture
def plan():
    prompts = tuple(Prompt(f"a {c} bag", "colours", c) for c in ("red", "green", "blue"))
    plan = dataclasses.replace(preset_plan("quick"), metrics=("map",), prompts=prompts, sampling_steps=2)
    return with_vocabulary(plan, "", WORDS)


@pytest.fixture
def denoiser(plan):
    concepts = (*plan_concepts(plan), *asked_instead(plan))
    return Worded(list(dict.fromkeys(["", *(p.text for p in plan.prompts), *(c.prompt for c in concepts)])))


def setting(folder, progress=SILENT) -> AuditSetting:
    return AuditSetting(folder, folder / "cache", default_policy(), progress, Batching(16), {}, None)


def test_the_one_prompt_that_means_something_else_is_named(denoiser, plan, tmp_path):
    heard = Heard()
    report = audit_change(denoiser, Moved(denoiser, "a photo of my dog", 3.0), plan, setting(tmp_path, heard))
    cost = audit_cost(plan, 0)
    assert cost.tuned == cost.screened == len(WORDS) * 32
    assert sum(heard.rows) == heard.length == cost.base + cost.tuned
    found = report.measurements["map"]
    assert [part.label for part in found.breakdowns["damaged"]] == ["my dog"]
    assert found.facts["damaged"] == "my dog"
    assert report.verdict.decision == DRIFT
    assert report.verdict.reasons[0].startswith("my dog: ")
    assert len(str(found.facts["timesteps"]).split(", ")) == TIMESTEPS
    write_report(report, tmp_path / "report.json")
    assert to_json(read_report(tmp_path / "report.json")) == to_json(report)
    schema = Path(__file__).parents[2] / "core" / "verdict" / "report.schema.json"
    jsonschema.validate(json.loads(to_json(report)), json.loads(schema.read_text()))


def test_a_model_that_did_not_change_drifts_nowhere(denoiser, plan, tmp_path):
    report = audit_change(denoiser, Moved(denoiser, "a photo of my dog", 0.0), plan, setting(tmp_path))
    found = report.measurements["map"]
    assert found.estimates["worst_damage"].value == pytest.approx(0, abs=1e-6)
    assert found.estimates["damaged_share"].high == 0
    _holds_every_limit(report)


def _holds_every_limit(report):
    """An untrained base has nothing to forget, so that this is no PASS."""
    decisions = {judgement.decision for judgement in report.verdict.judgements}
    assert PASS in decisions <= {PASS, NO_ALARM}
    assert report.verdict.decision == INCONCLUSIVE
    assert "no better than the trivial predictor" in report.verdict.reasons[0]


def test_what_every_prompt_lost_to_another_is_confusion(denoiser, plan, tmp_path):
    report = audit_change(denoiser, Exchanged(denoiser), plan, setting(tmp_path))
    found = report.measurements["map"]
    assert found.estimates["confusion"].low > 0.5
    assert report.verdict.decision == DRIFT


class Stop(Exception):
    """What a host raises to end a run."""


class Stopping(Heard):
    """Stops at the second batch of the tuned model."""

    tuned, batches = False, 0

    def stage(self, title: str) -> None:
        self.tuned = title.startswith("LoRA")

    def advance(self, rows: int) -> None:
        self.batches += self.tuned
        if self.batches == 2:
            raise Stop
        super().advance(rows)


def test_an_interrupted_map_goes_on_where_it_was(denoiser, plan, tmp_path):
    change = Moved(denoiser, "a photo of my dog", 3.0)
    with pytest.raises(Stop):
        audit_change(denoiser, change, plan, setting(tmp_path / "a", Stopping()))
    heard = Heard()
    again = audit_change(denoiser, change, plan, setting(tmp_path / "a", heard))
    assert sum(heard.rows) == audit_cost(plan, 0).tuned - 32  # those of the first concept are kept
    whole = audit_change(denoiser, change, plan, setting(tmp_path / "b"))
    assert again.measurements == whole.measurements


def test_rows_of_a_concept_are_at_its_own_cells(denoiser):
    from owf.core.model.diffusion.predictions import cell_predictions
    from owf.core.model.diffusion.schedule import asked_timesteps
    from owf.core.plan.screening.block_design import Cells, block_design

    cells = block_design(4, 8, 8, 3, seed=0)
    pictures, prompts = torch.randn(3, 3, 8, 8), [f"a photo of {w}" for w in ("a red car", "my dog")]
    both = Cells(cells.timestep[:2], cells.picture[:2])
    asked, timesteps = [[prompt] * 8 for prompt in prompts], asked_timesteps(8, denoiser.schedule)
    found = cell_predictions(denoiser, pictures, asked, prompts, both, timesteps, 0, Batching(5))
    for i, prompt in enumerate(prompts):
        alone = Cells(cells.timestep[i : i + 1], cells.picture[i : i + 1])
        one = cell_predictions(denoiser, pictures, [[prompt] * 8], [prompt], alone, timesteps, 0, Batching(64))
        assert np.allclose(found[i], one[0], atol=1e-6)
    assert found.shape == (2, 8, 3, 8, 8)


def test_noise_goes_with_the_item_and_not_with_the_prompt(denoiser):
    """So another prompt is compared on the same noised picture."""
    from owf.core.model.diffusion.predictions import cell_predictions
    from owf.core.plan.screening.block_design import block_design

    cells, pictures = block_design(1, 8, 8, 3, seed=0), torch.randn(3, 3, 8, 8)
    timesteps = [(t, 0) for t in range(0, 800, 100)]
    asked = [["a photo of my dog"] * 8]
    own, again, other = (
        cell_predictions(denoiser, pictures, asked, [item], cells, timesteps, 0, Batching(size))
        for item, size in (("a photo of my dog", 64), ("a photo of my dog", 3), ("a photo of a red car", 64))
    )
    assert np.allclose(own, again, atol=1e-6)
    assert not np.allclose(own, other, atol=1e-3)


class Skipping(Heard):
    """Counts the rows that need not be computed."""

    skipped = 0

    def skip(self, rows: int) -> None:
        self.skipped += rows


@pytest.fixture
def confirming(plan):
    return dataclasses.replace(plan, metrics=("map", "confirmed"))


def test_what_a_prompt_draws_instead_is_confirmed_and_told(denoiser, confirming, tmp_path):
    heard = Skipping()
    change = Taken(denoiser, "a photo of my dog", "a photo of a castle")
    report = audit_change(denoiser, change, confirming, setting(tmp_path, heard))
    found = report.measurements["confirmed"]
    assert found.facts["worst_confirmed"] == "my dog"
    [told] = [part.label for part in found.breakdowns["confirmed"] if part.label.startswith("my dog: ")]
    assert told.endswith("-> 0 %, now castle")
    assert report.verdict.decision == DRIFT
    assert sum(heard.rows) == heard.length - heard.skipped
    assert report.pairs and all(
        (tmp_path / path).is_file() for pair in report.pairs for path in (pair.base, pair.tuned)
    )
    again = audit_change(denoiser, change, confirming, setting(tmp_path, Heard()))
    assert again.measurements == report.measurements


def test_nothing_is_confirmed_of_a_model_that_did_not_change(denoiser, confirming, tmp_path):
    report = audit_change(denoiser, Moved(denoiser, "a photo of my dog", 0.0), confirming, setting(tmp_path))
    assert report.measurements["confirmed"].estimates["confirmed_drop"].value == 0
    _holds_every_limit(report)
