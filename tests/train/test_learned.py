"""That a training asks whether its concept was learned, counts that, writes it into its file and repeats it."""

import pytest
from owf.core.audit.learned.evidence import HELD_OUT
from owf.core.errors import Setting, UsageError
from owf.core.model.diffusion import drawings
from owf.core.model.diffusion.batch import Batching
from owf.core.model.diffusion.sample import Sampling
from owf.core.progress import SILENT
from owf.core.train.metadata import read_metadata
from owf.core.train.records import Picture, TrainSetting
from owf.core.train.train import train
from owf.core.verdict.learning import NOT_SHOWN
from progress_log import Heard
from small_training import BANK, run, small_plan, tiny_denoiser, two_pictures


class Colours:
    """A network whose features are an image's mean colour."""

    name, digest = "colours", "0"

    def __call__(self, images):
        return 1 + images.float().mean(dim=(2, 3)).numpy()


@pytest.fixture
def cheap(monkeypatch):
    """Draw in two steps."""
    monkeypatch.setattr(drawings, "SAMPLING", Sampling(2, 1.0))


class Counted(Heard):
    """What is skipped shortens the length."""

    def skip(self, rows):
        self.length -= rows


OPTIONS = {"preserve": ("dc",), "bank_prompts": 2}


def test_a_training_measures_it_counts_it_and_writes_it_into_the_file(tmp_path, cheap):
    log = Counted()
    trained = run(tmp_path, small_plan(**OPTIONS), networks=lambda: [Colours()], progress=log)
    assert trained.learning is not None
    facts = read_metadata(trained.path)
    assert facts["owf.learned"] == trained.learning.decision
    assert dict(trained.facts).items() <= facts.items()
    assert sum(log.rows) == log.length > 0
    assert trained.learning.facts["prompt"] == "a photo of a sks bag"


def test_it_is_not_asked_where_nobody_names_networks(tmp_path):
    trained = run(tmp_path, small_plan(**OPTIONS))
    assert trained.learning is None
    assert "owf.learned" not in read_metadata(trained.path)


def test_the_same_training_reads_the_same_and_a_resumed_one_too(tmp_path, cheap):
    plan = small_plan(**OPTIONS)
    whole = run(tmp_path / "a", plan, networks=lambda: [Colours()])
    steps = []
    run(tmp_path / "b", plan, networks=lambda: [Colours()], watch=lambda r: steps.append(r), stop=lambda: bool(steps))
    resumed = run(tmp_path / "b", plan, networks=lambda: [Colours()], resume=True)
    assert resumed.learning == whole.learning
    assert resumed.path.read_bytes() == whole.path.read_bytes()


def test_networks_that_cannot_be_had_cost_no_training(tmp_path, cheap):
    def refuse():
        raise UsageError("There is no such network.", Setting("offline", "off"))

    trained = run(tmp_path, small_plan(**OPTIONS), networks=refuse)
    assert trained.finished
    assert trained.learning is not None
    assert trained.learning.decision == NOT_SHOWN
    assert "There is no such network." in trained.learning.reasons[0]


def test_held_out_pictures_are_the_views(tmp_path, cheap):
    first, second = two_pictures()
    # The last one is trained on as well, so it is not held out.
    held_out = [
        Picture(first.pixels.flip(2), first.caption),
        Picture(second.pixels.flip(2), second.caption),
        Picture(second.pixels.flip(1), second.caption),
        first,
    ]
    setting = TrainSetting("x", tmp_path, tmp_path / "c", SILENT, Batching(4), networks=lambda: [Colours()])
    trained = train(tiny_denoiser(), two_pictures(), BANK, small_plan(**OPTIONS), setting, held_out)
    assert trained.learning is not None
    assert (trained.learning.facts["views"], trained.learning.facts["views_are"]) == (3, HELD_OUT)
