"""Settings that core names are options on the command line, spelled as they are to be typed."""

import pytest
from core_sources import named_settings
from owf.cli.arguments.arguments import parser as audit_parser
from owf.cli.command import say_left_out
from owf.cli.experiment import parser as experiment_parser
from owf.cli.output.wording import flag, option, worded
from owf.cli.training.arguments import parser as train_parser
from owf.core.adapter.find import find_loras
from owf.core.errors import OFF, Setting, UsageError

PARSERS = (audit_parser(), train_parser(), experiment_parser())
OPTIONS = {o for parser in PARSERS for a in parser._actions for o in a.option_strings}


@pytest.mark.parametrize("name", sorted({setting.name for setting in named_settings()} - {"install"}))
def test_every_setting_that_core_names_is_an_option(name):
    assert flag(name) in OPTIONS


@pytest.mark.parametrize(
    ("setting", "typed"),
    [
        (Setting("base"), "--base"),
        (Setting("per_class"), "--per-class"),
        (Setting("class_word"), "--class"),
        (Setting("dtype", "float32"), "--dtype float32"),
        (Setting("offline", OFF), "without --offline"),
        (Setting("install", "torch-fidelity"), "pip install torch-fidelity"),
    ],
)
def test_options_are_spelled_as_they_are_typed(setting, typed):
    assert option(setting) == typed
    assert worded(UsageError("Change it.", setting)) == f"Change it ({typed})."


def test_what_is_left_out_of_a_folder_names_the_option_that_takes_it(tmp_path, capsys):
    (tmp_path / "a.pt").touch()
    say_left_out("owf-audit", find_loras(tmp_path).left_out, tmp_path)
    assert capsys.readouterr().err.endswith(
        "a.pt (a pickle, which can run code: name the file itself, and say that you trust it) (--allow-pickle).\n"
    )
