"""`owf-audit map`: the same options, the map's metrics, and words from a file or from the line."""

import pytest
from owf.cli.arguments.arguments import parser
from owf.cli.audit import main, with_map


def test_it_is_an_audit_of_the_map_and_of_what_it_suspects():
    options = parser().parse_args(with_map(["map", "a.safetensors", "--preset", "standard"]))
    assert (options.metrics, options.preset, len(options.loras)) == (("map", "confirmed"), "standard", 1)
    assert parser().parse_args(with_map(["a.safetensors"])).metrics == parser().get_default("metrics")
    assert parser().get_default("metrics") != ("map", "confirmed")
    assert parser().parse_args(with_map(["map", "a.safetensors", "--metrics", "map,color"])).metrics == ("map", "color")


def test_words_are_a_list_or_a_file(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("red car\nmy dog\n", "utf-8")
    for given in ("red car, my dog", str(file)):
        assert parser().parse_args(with_map(["map", "a.safetensors", "--words", given])).words == ("red car", "my dog")
    assert parser().parse_args(with_map(["map", "a.safetensors", "--concept", "sks dog"])).concept == ("sks dog",)


@pytest.mark.parametrize(("given", "said"), [("missing.txt", "missing.txt"), (" , ", "no words")])
def test_words_that_are_none_are_told(given, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        main(["map", "a.safetensors", "--words", given])
    assert ending.value.code == 2
    assert said in capsys.readouterr().err


def test_words_without_the_map_are_told_before_anything_is_loaded(tmp_path, capsys):
    lora = tmp_path / "a.safetensors"
    lora.touch()
    folders = ["--out", str(tmp_path), "--cache", str(tmp_path)]
    assert main([str(lora), "--metrics", "kid", "--words", "car", *folders]) == 2
    assert "--metrics map" in capsys.readouterr().err


def test_a_list_may_be_longer_than_any_name_of_a_file():
    words = tuple(f"thing number {i}" for i in range(1000))
    assert parser().parse_args(with_map(["map", "a.safetensors", "--words", ",".join(words)])).words == words
