"""Base results as a file: they arrive as they left, and a file that is anything else changes nothing."""

import dataclasses
import hashlib
import io
import json
import os

import numpy as np
import pytest
from imports import heavy_imports
from owf.cli.audit import main
from owf.core.audit.base.base_files import MAGIC, described, export_results, import_results
from owf.core.audit.base.base_results import STAGES, About, open_results, read_about
from owf.core.disk.store import measured_in
from owf.core.disk.stores import stores
from owf.core.errors import UsageError
from PIL import Image
from safetensors.numpy import save

ABOUT = About("a base", "sd15", "quick", "9f" * 32, "plan", {"owf": "0", "device": "cpu"}, 8, "(4, 8, 8)")


def png(color="red", size=(16, 16), mode="RGB", kind="PNG"):
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, kind)
    return np.frombuffer(out.getvalue(), np.uint8)


def measured(cache, about=ABOUT):
    with open_results(about, cache) as store:
        store.put("draw", [(f"{i}|a dog", {"png": png(), "latents": np.zeros((4, 8, 8), np.float32)}) for i in "12"])
        store.put("classify", [("x", {"errors": np.array([[0.5, np.nan]])})])  # a class that was out early
    return about.path(cache)


def written(file, samples, about=ABOUT, **changes):
    """Write a file as `export_results` does, with anything in it."""
    head = [[stage, item, len(packed), hashlib.sha256(packed).hexdigest()] for stage, item, packed in samples]
    head = [[*changes.get("sample", line)] for line in head]
    text = json.dumps({"stores": [{"about": about if isinstance(about, str) else about.text(), "samples": head}]})
    body = b"".join(packed for *_, packed in samples)
    file.write_bytes(MAGIC + len(text).to_bytes(8, "little") + text.encode() + body)
    return file


def sample(**arrays):
    return save(arrays or {"x": np.zeros(3)})


def test_what_was_exported_is_what_is_there_after_an_import(tmp_path):
    source, file = measured(tmp_path / "a"), tmp_path / "base.owf"
    assert export_results([source], file) == 3
    (brought,) = import_results(file, tmp_path / "b")
    assert (brought.about, brought.new, brought.samples) == (ABOUT, 3, 3)
    assert measured_in(ABOUT.path(tmp_path / "b")) == measured_in(source)
    with open_results(ABOUT, tmp_path / "a") as one, open_results(ABOUT, tmp_path / "b") as other:
        assert list(one.packed()) == list(other.packed())
    assert [b.new for b in import_results(file, tmp_path / "b")] == [0]


def test_samples_that_are_there_stay_as_they_are(tmp_path):
    file = written(tmp_path / "f", [("predict", "1", sample(x=np.ones(3))), ("predict", "2", sample(x=np.ones(3)))])
    with open_results(ABOUT, tmp_path / "c") as store:
        store.put("predict", [("1", {"x": np.zeros(3)})])
    import_results(file, tmp_path / "c")
    with open_results(ABOUT, tmp_path / "c") as store:
        assert [store.get("predict", i)["x"][0] for i in "12"] == [0.0, 1.0]


def test_the_key_depends_on_everything_but_names_for_people():
    changed = [
        {"digest": "0"}, {"questions": "0"}, {"batch": 4}, {"latent_shape": "()"}, {"environment": {"owf": "1"}},
    ]  # fmt: skip
    assert len({dataclasses.replace(ABOUT, **change).key for change in [{}, *changed]}) == len(changed) + 1
    assert dataclasses.replace(ABOUT, base="b", family="f", preset="p").key == ABOUT.key
    assert read_about(ABOUT.text()) == ABOUT


@pytest.mark.parametrize("cut", [0, 4, 12, 100, -1])
def test_a_file_that_was_cut_off_is_refused(tmp_path, cut):
    file = tmp_path / "f"
    export_results([measured(tmp_path / "a")], file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(UsageError, match=r"holds no base results|damaged"):
        import_results(file, tmp_path / "b")
    assert not list((tmp_path / "b").glob("*.sqlite"))


def test_every_changed_byte_is_found_and_nothing_is_kept(tmp_path):
    file = tmp_path / "f"
    export_results([measured(tmp_path / "a")], file)
    content = file.read_bytes()
    body = len(MAGIC) + 8 + int.from_bytes(content[8:16], "little")
    for place in range(body, len(content), 97):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(UsageError, match="checksum"):
            import_results(file, tmp_path / "b")
        assert measured_in(ABOUT.path(tmp_path / "b")) == frozenset()


GOOD = sample()
HOSTILE = {
    "another stage": [("../../x", "1", GOOD)],
    "a pickle": [("draw", "1", b"\x80\x04cos\nsystem\n(S'true'\ntR.")],
    "an empty sample": [("draw", "1", b"")],
    "no number": [("predict", "1", sample(x=np.array([np.nan])))],
    "no end": [("classify", "1", sample(x=np.array([np.inf])))],
    "several shapes": [("predict", "1", GOOD), ("predict", "2", sample(x=np.zeros(4)))],
    "the same twice": [("predict", "1", GOOD), ("predict", "1", GOOD)],
    "no picture": [("draw", "1", sample(png=np.zeros(9, np.uint8)))],
    "another picture": [("draw", "1", sample(png=png(kind="BMP")))],
    "a grey picture": [("draw", "1", sample(png=png(0, mode="L")))],
    "a huge picture": [("draw", "1", sample(png=png(size=(9000, 1))))],
    "no arrays": [("draw", "1", save({}))],
}


@pytest.mark.parametrize("samples", HOSTILE.values(), ids=HOSTILE)
def test_what_no_audit_measures_is_refused_and_nothing_is_kept(tmp_path, samples):
    with pytest.raises(UsageError):
        import_results(written(tmp_path / "f", samples), tmp_path / "cache")
    assert measured_in(ABOUT.path(tmp_path / "cache")) == frozenset()
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} <= {tmp_path, tmp_path / "cache"}


@pytest.mark.parametrize(
    "about", ["", "[]", "{}", "9" * 100_000, '{"digest": 1}', "[" * 50_000, json.dumps({**vars(ABOUT), "batch": "8"})]
)
def test_what_does_not_say_what_it_is_about_is_refused(tmp_path, about):
    assert read_about(about) is None
    with pytest.raises(UsageError):
        import_results(written(tmp_path / "f", [("predict", "1", GOOD)], about), tmp_path / "cache")


@pytest.mark.parametrize("line", [["predict"], ["predict", "1", 10**400, "0" * 64], ["predict", None, 3, None], 7])
def test_a_head_of_anything_is_refused(tmp_path, line):
    text = json.dumps({"stores": [{"about": ABOUT.text(), "samples": [line]}]}).encode()
    (tmp_path / "f").write_bytes(MAGIC + len(text).to_bytes(8, "little") + text)
    with pytest.raises(UsageError):
        import_results(tmp_path / "f", tmp_path / "cache")


@pytest.mark.parametrize("given", [[], {}, None, "ab"])
def test_an_export_of_nothing_is_refused(tmp_path, given):
    text = json.dumps({"stores": given}).encode()
    (tmp_path / "f").write_bytes(MAGIC + len(text).to_bytes(8, "little") + text)
    with pytest.raises(UsageError, match="results of no base"):
        import_results(tmp_path / "f", tmp_path / "cache")


@pytest.mark.parametrize("content", [b"", b"hello" * 100, MAGIC, MAGIC + b"\xff" * 8, MAGIC + bytes(8)])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(UsageError):
        import_results(tmp_path / "f", tmp_path / "cache")


def test_the_commands_show_and_move_what_is_kept(tmp_path, capsys):
    other = dataclasses.replace(ABOUT, base="second", digest="0" * 64)
    measured(tmp_path / "a")
    measured(tmp_path / "a", other)
    cache = ("--cache", str(tmp_path / "a"))
    assert main(["base", "list", *cache]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["base", "export", str(tmp_path / "f"), "--base", "second", *cache]) == 0
    assert main(["base", "import", str(tmp_path / "f"), "--cache", str(tmp_path / "b")]) == 0
    assert "3 new samples of 3" in capsys.readouterr().out
    assert [about for _, about in described(tmp_path / "b")] == [other]
    assert main(["base", "export", str(tmp_path / "g"), "--base", "third", *cache]) == 2
    assert main(["base", "import", str(tmp_path / "gone")]) == 2
    assert not (tmp_path / "g").exists()


def test_stages_are_those_that_an_audit_counts():
    from owf.core.audit.evidence.cost import sample_rows
    from owf.core.plan.presets import preset_plan

    assert tuple(sample_rows(preset_plan("quick"))) == STAGES


def test_looking_at_what_is_kept_is_no_use_of_it_and_takes_no_torch(tmp_path, capsys):
    path = measured(tmp_path)
    os.utime(path, (1, 1))
    assert main(["base", "list", "--cache", str(tmp_path)]) == 0
    assert stores(tmp_path) == [path] and path.stat().st_mtime == 1
    assert "torch" not in heavy_imports("owf.cli.base:parser")


def test_a_damaged_store_is_not_listed(tmp_path, capsys):
    measured(tmp_path).write_bytes(b"hello" * 1000)
    assert described(tmp_path) == []
