"""TOML files of the user: numbers that arithmetic does not know are one sentence, wherever they stand."""

import pytest
from owf.cli.train import main as train
from owf.core.disk.places import expanded
from owf.core.disk.toml import parse_toml
from owf.core.errors import UsageError
from owf.core.verdict.policy import parse_policy

HUGE = "9" * 400
LIMIT = '[[limit]]\nmetric = "denoiser_drift"\nestimate = "drift"\nlimit = {}\n'


@pytest.mark.parametrize("text", ["x = {}", "x = [1, [{}]]", "x = -{}", "[x]\ny = {{ z = {} }}", "[[x]]\ny = {}"])
def test_whole_numbers_have_64_bits(text):
    with pytest.raises(UsageError, match=r"a\.toml: x is a number with more than 64 bits"):
        parse_toml(text.format(HUGE), "a.toml")
    assert parse_toml(text.format(2**63 - 1), "a.toml")


def test_nor_does_a_policy_or_a_training_end_in_a_bug(tmp_path, capsys):
    with pytest.raises(UsageError, match="limit is a number with more than 64 bits"):
        parse_policy(LIMIT.format(HUGE), "p.toml")
    (tmp_path / "t.toml").write_text(f"rate = {HUGE}\n")
    assert train(["--config", str(tmp_path / "t.toml")]) == 2
    assert "rate is a number with more than 64 bits" in capsys.readouterr().err


def test_a_path_with_a_nul_is_one_sentence(tmp_path, capsys):
    with pytest.raises(UsageError, match=r"--bank .* holds a NUL character"):
        expanded("x\0y", "--bank")
    (tmp_path / "t.toml").write_text(f'pictures = "{tmp_path}"\ndemo-base = true\nbank = "x\\u0000y"\n')
    assert train(["--config", str(tmp_path / "t.toml"), "--trigger", "sks", "--class", "bag"]) == 2
    assert "holds a NUL character" in capsys.readouterr().err
