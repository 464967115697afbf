"""`owf-experiment` on a tiny FLUX.1 and Z-Image: dry runs that load nothing, and runs to their end, again as before."""

import dataclasses

import pytest
import torch
from owf.cli import experiment
from owf.cli import session as session_module
from owf.core.experiments.jobs.job import Lesson
from owf.core.experiments.jobs.study import Asked, Study, read_concepts
from owf.core.experiments.lab import foresee, workshop
from owf.core.experiments.lab.bench import Bench
from owf.core.experiments.lab.workshop import LORAS, Workshop
from owf.core.metrics.images.features import Fetching
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.train.metadata import read_metadata
from owf.core.train.plan import TrainPlan
from tiny_flows import PARTS, save_folder
from torch_that_trains import torch_that_trains

__all__ = ["torch_that_trains"]


@pytest.fixture(scope="module", params=("flux", "z_image"))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def base(family, tmp_path_factory):
    return save_folder(family, PARTS[family](), tmp_path_factory.mktemp(family) / "tiny")


@pytest.mark.parametrize(("name", "trainings", "audits"), [("first3", 4, 4), ("table1", 6, 6), ("sequence", 6, 8)])
def test_a_dry_run_names_rows_time_and_memory(called, tmp_path, monkeypatch, name, trainings, audits):
    monkeypatch.setattr(session_module, "load_base", lambda *_, **__: pytest.fail("a base was loaded"))
    code, text = called(name, "--dry-run")
    assert code == 0 and not (tmp_path / "out").exists(), text
    for part in (
        f"Trains {trainings} LoRAs of 2 concepts",
        f"Audits {audits} changes",
        "This machine (cpu, float32)",
        "Card of 8",
    ):
        assert part in text, part


def test_methods_without_a_meaning_there_are_refused_before_anything_is_loaded(called, monkeypatch):
    monkeypatch.setattr(session_module, "load_base", lambda *_, **__: pytest.fail("a base was loaded"))
    for more in ((), ("--dry-run",)):
        code, text = called("weightless", *more)
        assert code == 2 and "reference attention lets the self-attentions of a U-Net look" in text, text
    code, text = called("table1", "--dry-run", "--only", "CD")
    assert code == 2 and "no row 'CD'; there are DB, DB-DC" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "only", "loras", "shown"),
    [
        ("first3", "DreamBooth with drift correction", 2, "CDI"),
        ("table1", "DB", 2, "Not made: CD, CD-DC, CD-DC\\pr."),
        ("sequence", "continued,stacked", 3, "after 2"),
    ],
)
def test_they_run_to_their_end_and_are_done_then(
    called, brief, family, tmp_path, monkeypatch, name, only, loras, shown
):
    code, text = called(name, "--only", only, *brief)
    assert code == 0, text
    page = (tmp_path / "out" / "experiments.md").read_text()
    assert shown in page and all(f"| {row} |" in page for row in only.split(","))
    files = list((tmp_path / "out" / LORAS).glob("*.safetensors"))
    assert len(files) == loras
    assert {read_metadata(file)["modelspec.prediction_type"] for file in files} == {"flow"}
    monkeypatch.setattr(workshop, "train", lambda *_: pytest.fail("it was trained again"))
    assert called(name, "--only", only, *brief)[0] == 0
    assert (tmp_path / "out" / "experiments.md").read_text() == page


def made(folder, what):
    return {path.name for path in (folder / "out" / what).iterdir() if path.suffix in (".safetensors", ".json")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "library", "shared", "said"),
    [
        # The first LoRA is the same bytes; the second is taught with the first beside the weights.
        (("--offload", "model"), None, 1, "offload model"),
        (("--quantize", "int8", "--checkpointing"), "torchao", 0, "int8 weights"),
        (("--quantize", "nf4", "--offload", "model"), "bitsandbytes", 0, "offload model, nf4 weights"),
    ],
)
def test_what_is_made_on_a_base_kept_in_another_way_is_kept_apart(called, brief, tmp_path, more, library, shared, said):
    if library:
        pytest.importorskip(library)
    found = []
    for how in ((), more):
        code, text = called("sequence", "--only", "continued", *brief, *how)
        assert code == 0, text
        found.append((made(tmp_path, LORAS), made(tmp_path, "results")))
    (loras, results), (more_loras, more_results) = found
    files = [{name for name in names if name.endswith(".safetensors")} for names in (loras, more_loras)]
    assert len(files[0]) == 2 and len(files[1]) == 4 - shared
    assert len(more_results) == 2 * len(results) > 0
    page = (tmp_path / "out" / "experiments.md").read_text()
    assert f", {said}), preset quick" in page
    again = called("sequence", "--only", "continued", *brief, *more)
    assert again[0] == 0 and made(tmp_path, "results") == more_results


def test_a_lora_whose_base_drew_in_another_way_is_another(concepts, tmp_path):
    denoiser = DiffusersDenoiser(PARTS["flux"](), "tiny", "flux")
    study = Study("flux", read_concepts(concepts), 1, TrainPlan(class_word="bag", preserve=()), Asked(), tmp_path)
    lesson = Lesson("bag", study.plan)

    def key(*names):
        bench = Bench(denoiser, names, Batching(4), tmp_path, Fetching(torch.device("cpu"), True), lambda: None)
        return Workshop(bench, study)._key(lesson, ())

    assert key() == key("FLUX.1-dev") != key("FLUX.1-schnell")


def test_pictures_are_drawn_and_counted_as_people_draw_with_the_base(base, family, concepts, tmp_path):
    """Of Z-Image Turbo, which a folder is taken for that does not say otherwise, in eight steps without guidance."""
    from owf.cli.experimenting import study_of
    from owf.core.model.base import BaseChoice
    from owf.core.model.blueprint import blueprint

    known = blueprint(BaseChoice(str(base), "folder"))
    options = experiment.parser().parse_args(
        ["table2", "--base", str(base), "--concepts", str(concepts), "--out", str(tmp_path)]
    )
    study = study_of(options, known.family)
    (job, *_) = experiment.find_experiment("table2").jobs(study)
    each = {"flux": 20, "z_image": 8}[family]
    plain = dataclasses.replace(job, draws=0)
    one, none = (foresee.foresee(study, [asked], known, ("tiny",)) for asked in (job, plain))
    assert one.tuned - none.tuned == job.draws * each
