"""Claim: no broken or hostile file crashes, hangs, runs code, exhausts memory or reads as good."""

import json
import os
import pickle
import struct
import zipfile

import pytest
import torch
from effort import calls
from owf.core.adapter import match, read_adapter
from owf.core.adapter.summary import summarise
from owf.core.errors import AdapterError
from safetensors.torch import save, save_file

STEM = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_k"


def _raw(header, data=b"", pad=0):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) + pad) + text + data


def _tensor(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _bomb_of_names(count):
    return {f"t{index}": _tensor([0], 0, 0) for index in range(count)}


BROKEN = {
    "web page": b"<!DOCTYPE html><html>" + b" " * 100,
    "json error": b'{"error": "not found"}' + b" " * 20,
    "empty": b"",
    "short": b"\x01\x02",
    "length only": struct.pack("<Q", 100),
    "header bomb": struct.pack("<Q", 2**40) + b"{}",
    "header of 17 MB": _raw(b"{" + b" " * (17 * 1024 * 1024) + b"}"),
    "not utf-8": _raw(b'{"\xff": 1}'),
    "array header": _raw(b"[1, 2]"),
    "deep header": _raw(b'{"a":' + b"[" * 50_000),
    "huge integer": _raw(b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}', b"abcd"),
    "shape of products": _raw({"a": _tensor([2**40, 2**40], 0, 4)}, b"abcd"),
    "boolean shape": _raw({"a": _tensor([True], 0, 4)}, b"abcd"),
    "hole": _raw({"a": _tensor([1], 4, 8)}, b"abcdefgh"),
    "out of bounds": _raw({"a": _tensor([100], 0, 400)}, b"abcd"),
    "overlap": _raw({"a": _tensor([1], 0, 4), "b": _tensor([1], 0, 4)}, b"abcd"),
    "backwards": _raw({"a": _tensor([1], 4, 0)}, b"abcd"),
    "unknown type": _raw({"a": _tensor([1], 0, 4, "F4")}, b"abcd"),
    "type of wrong type": _raw({"a": _tensor([1], 0, 4, 7)}, b"abcd"),
    "no description": _raw({"a": 5}),
    "metadata of numbers": _raw({"__metadata__": {"a": 1}}),
    "metadata list": _raw({"__metadata__": []}),
    "many tensors": _raw(_bomb_of_names(200_000)),
    "long name": _raw({"x" * 5000: _tensor([1], 0, 4)}, b"abcd"),
    "many dimensions": _raw({"a": _tensor([1] * 100, 0, 4)}, b"abcd"),
    "pickle": pickle.dumps({"a": 1}, protocol=4) + b" " * 20,
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_containers_are_refused_at_once(name, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(BROKEN[name])
    messages = []

    def read():
        with pytest.raises(AdapterError) as caught:
            read_adapter(path)
        messages.append(str(caught.value))

    read()  # what is imported on first use does not count
    assert calls(read) < 2000  # up to 300; a look at each of the many tensors, or at each character, is far more
    assert len(messages[0]) < 500


def test_pipes_devices_and_missing_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    for path in (tmp_path / "pipe.safetensors", "/dev/zero", tmp_path / "none.safetensors", tmp_path, "a\0b"):
        with pytest.raises(AdapterError):
            read_adapter(path)


def _lora(**changes):
    tensors = {f"{STEM}.lora_down.weight": torch.ones(4, 16), f"{STEM}.lora_up.weight": torch.ones(16, 4)}
    for slot, tensor in changes.items():
        tensors[f"{STEM}.{slot.replace('__', '.')}"] = tensor
    return {key: tensor for key, tensor in tensors.items() if tensor is not None}


UNUSABLE = {
    "rank 0": _lora(lora_down__weight=torch.ones(0, 16), lora_up__weight=torch.ones(16, 0)),
    "no up": _lora(lora_up__weight=None),
    "ranks differ": _lora(lora_up__weight=torch.ones(16, 5)),
    "vector": _lora(lora_up__weight=torch.ones(16)),
    "scalar": _lora(lora_up__weight=torch.tensor(1.0)),
    "integers": _lora(lora_up__weight=torch.ones(16, 4, dtype=torch.int8)),
    "alpha vector": _lora(alpha=torch.ones(4)),
    "alpha NaN": _lora(alpha=torch.tensor(float("nan"))),
    "alpha infinite": _lora(alpha=torch.tensor(float("inf"))),
    "product bomb": _lora(lora_down__weight=torch.ones(1, 100_000), lora_up__weight=torch.ones(100_000, 1)),
    "two algorithms": _lora(hada_w1_a=torch.ones(16, 4)),
    "diff and lora": _lora(diff=torch.ones(16, 16)),
    "magnitudes of another layer": _lora(dora_scale=torch.ones(7, 1)),
    "kernel up": _lora(lora_up__weight=torch.ones(16, 4, 3, 3)),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_modules_are_refused_with_a_reason(name, tmp_path):
    save_file(UNUSABLE[name], tmp_path / "x.safetensors")
    with pytest.raises(AdapterError, match="no module of the file is usable"):
        read_adapter(tmp_path / "x.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float8_e5m2])
def test_weights_that_are_not_finite_are_a_problem(value, dtype, base, kohya_tensors, tmp_path):
    tensors = {key: value for key, value in kohya_tensors().items() if key.startswith("lora_te")}
    key = next(key for key in tensors if key.endswith("up.weight"))
    broken = tensors[key].clone()
    broken[0, 0] = value
    save_file({**tensors, key: broken.to(dtype)}, tmp_path / "x.safetensors")
    problems = match(read_adapter(tmp_path / "x.safetensors"), base.components).problems
    assert any("NaN or infinity" in problem for problem in problems)


def test_matrix_changes_of_a_norm_layer_do_not_fit(base, tmp_path):
    """Found by fuzzing: rotations fit the length of a vector, but have nothing to rotate."""
    stem = "lora_unet_mid_block_attentions_0_norm"
    save_file({f"{stem}.oft_blocks": torch.full((8, 4, 4), 0.1)}, tmp_path / "x.safetensors")
    assert "no matrix" in match(read_adapter(tmp_path / "x.safetensors"), base.components).problems[0]


def test_rotations_that_are_not_finite_are_a_problem(base, tmp_path):
    """Found by fuzzing: a solver that checks for singular matrices raised an error of its own."""
    blocks = torch.full((4, 4, 4), float("inf"))
    save_file({f"{STEM}.oft_blocks": blocks}, tmp_path / "x.safetensors")
    assert "NaN or infinity" in match(read_adapter(tmp_path / "x.safetensors"), base.components).problems[0]


def test_shapes_of_another_base_are_a_problem(base, kohya_tensors, tmp_path):
    wide = {
        key: torch.ones(tensor.shape[0], 99) if key.endswith("down.weight") else tensor
        for key, tensor in kohya_tensors().items()
    }
    save_file(wide, tmp_path / "x.safetensors")
    report = match(read_adapter(tmp_path / "x.safetensors"), base.components)
    assert report.matched == 0
    assert "made for 99" in report.problems[0]


def test_zero_change_is_a_problem(base, kohya_tensors, tmp_path):
    zero = {key: tensor * (0 if "up" in key else 1) for key, tensor in kohya_tensors().items()}
    save_file(zero, tmp_path / "x.safetensors")
    assert "exactly zero" in match(read_adapter(tmp_path / "x.safetensors"), base.components).problems[0]


def test_one_broken_module_among_many_is_a_problem(base, kohya_tensors, tmp_path):
    tensors = kohya_tensors()
    tensors.pop(next(iter(tensors)))
    save_file(tensors, tmp_path / "x.safetensors")
    assert "1 broken module, such as" in match(read_adapter(tmp_path / "x.safetensors"), base.components).problems[0]


def test_pickles_never_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    path = tmp_path / "x.ckpt"
    torch.save({"a": Evil()}, path)
    with pytest.raises(AdapterError, match="can run code"):
        read_adapter(path)
    with pytest.raises(AdapterError, match="more than tensors"):
        read_adapter(path, allow_pickle=True)
    assert not (tmp_path / "owned").exists()


def test_pickles_that_unpack_to_much_more_are_refused(tmp_path):
    torch.save({f"{STEM}.lora_down.weight": torch.zeros(1).expand(100_000, 10_000)}, tmp_path / "x.pt")
    with pytest.raises(AdapterError, match="exhaust memory"):
        read_adapter(tmp_path / "x.pt", allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "y.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    with pytest.raises(AdapterError, match="exhaust memory"):
        read_adapter(tmp_path / "y.pt", allow_pickle=True)


NASTY = '<script>alert(1)</script>\x1b[31m\u202egnp.exe\r\n=HYPERLINK("x")\x00' + "A" * 5000


def test_text_from_the_file_is_inert(base, kohya_tensors, tmp_path):
    metadata = dict.fromkeys(
        ["ss_output_name", "modelspec.title", "modelspec.trigger_phrase", "ss_sd_model_name", "ss_base_model_version"],
        NASTY,
    )
    metadata["ss_tag_frequency"] = json.dumps({NASTY: {NASTY: 3}})
    path = tmp_path / "x.safetensors"
    content = save({**kohya_tensors(), f"lora_unet_{NASTY[:200]}.alpha": torch.tensor(1.0)}, metadata=metadata)
    path.write_bytes(content)
    adapter = read_adapter(path)
    shown = [*adapter.trigger_words, *adapter.warnings, *summarise(adapter).unknown, *vars(adapter.training).values()]
    assert any(shown)
    for text in shown:
        assert text.isprintable()
        assert "\u202e" not in text
        assert len(text) < 400


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "{}", "null", "[1,2,3]", '{"a": [1]}', '{"a": {"b": "c"}}', "\ud7ff" * 10]
)
def test_odd_tag_tables_are_ignored(text, kohya_tensors, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors", metadata={"ss_tag_frequency": text, "ss_bucket_info": text})
    adapter = read_adapter(tmp_path / "x.safetensors")
    assert adapter.trigger_words == ()
    assert adapter.resolution is None


def test_thousands_of_alpha_patterns_are_not_tried(kohya_tensors, tmp_path):
    patterns = {"unet.alpha_pattern": {f"x{index}": 1 for index in range(100_000)}}
    save_file(kohya_tensors(), tmp_path / "x.safetensors", metadata={"lora_adapter_metadata": json.dumps(patterns)})
    with pytest.raises(AdapterError, match="patterns"):
        read_adapter(tmp_path / "x.safetensors")


def test_the_work_for_a_large_file_grows_with_its_modules(tmp_path, capsys):
    from owf.cli.inspect import main

    main([_of_small_modules(tmp_path, 10)])  # what is imported and made on first use counts for neither
    some, most = (calls(lambda n=n: main([_of_small_modules(tmp_path, n)])) for n in (2500, 10_000))
    assert "more blocks" in capsys.readouterr().out
    assert most < 5 * some  # anything that grows with the square is 16 times as much


def _of_small_modules(folder, count):
    """Return the path of a LoRA of so many modules; 10,000 are the most that are read."""
    header = {}
    for index in range(count):
        for half, shape in (("down", [1, 2]), ("up", [2, 1])):
            start = 8 * len(header)
            header[f"lora_unet_down_blocks_{index}_x.lora_{half}.weight"] = _tensor(shape, start, start + 8)
    (folder / "x.safetensors").write_bytes(_raw(header, b"\0\0\x80\x3f" * 2 * len(header)))
    return str(folder / "x.safetensors")
