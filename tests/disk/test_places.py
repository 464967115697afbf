"""A leading ~ is the home wherever a user may write a path: arguments, the TOML of trainings, settings, variables."""

from dataclasses import replace
from pathlib import Path

import pytest
from owf.cli.arguments.arguments import parser
from owf.cli.arguments.paths import cache_folder
from owf.cli.train import _merged
from owf.cli.training.arguments import parser as train_parser
from owf.cli.training.config import effective
from owf.core.disk.places import expanded
from owf.core.errors import UsageError
from owf.core.model.base import choose_base


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def test_every_path_among_the_arguments_is_expanded(home):
    given = ["~/a.safetensors", "--images", "~/i", "--policy=~/p.toml", "--out", "~/x", "--cache=~/c"]
    options = parser().parse_args(given)
    assert options.loras == [home / "a.safetensors"]
    assert (options.images, options.policy, options.out) == (home / "i", home / "p.toml", home / "x")
    assert cache_folder(options.cache) == home / "c"
    given = train_parser().parse_args(["--config=~/t.toml", "--save-config=~/s.toml"])
    assert (given.config, given.save_config) == (home / "t.toml", home / "s.toml")


def test_inspect_too(home, capsys):
    from owf.cli.inspect import main

    assert main(["~/none.safetensors"]) == 2
    assert "no such file" in " ".join(capsys.readouterr().out.split())  # wrapped where the path is long
    (home / "empty").mkdir()
    assert main(["~/empty"]) == 2
    assert "holds no LoRA" in " ".join(capsys.readouterr().out.split())


def test_values_of_a_training_s_file_are_expanded(home, monkeypatch):
    from owf.cli.training.session import TrainCommand, request_from
    from owf.core.train.session import TrainSession

    text = 'pictures = "~/p"\nout = "~/x"\nbase = "~/b"\nbank = "~/bank.txt"\n'
    (home / "t.toml").write_text(text)
    plan, options = effective(_merged({"config": home / "t.toml"}))
    assert TrainCommand(plan, options, resume=False, overwrite=False)._folder == home / "x"
    with pytest.raises(UsageError, match=str(home / "bank.txt")):
        request_from(plan, options)
    with pytest.raises(UsageError, match=str(home / "p")):
        TrainSession(request_from(replace(plan, class_word="dog"), replace(options, bank="")))
    (home / "b").mkdir()
    assert choose_base(options.base, None).path == str(home / "b")


def test_settings_and_variables_are_expanded(home, monkeypatch):
    monkeypatch.setenv("OWF_CONFIG", "~/config.toml")
    monkeypatch.setenv("OWF_CACHE", "~/c")
    (home / "config.toml").write_text('[bases]\nsd15 = "~/b"\n')
    (home / "b").mkdir()
    assert choose_base(None, "sd15").path == str(home / "b")
    assert cache_folder(None) == home / "c"


def test_a_tilde_that_is_no_home_is_a_letter():
    for name in ("~lora.safetensors", "a/~/b", "x~"):
        assert expanded(name) == Path(name)
