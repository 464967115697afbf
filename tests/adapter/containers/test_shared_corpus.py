"""Claim: the shared files, written by many programs, are read right; the hostile ones do as their notes say."""

import json
import warnings

import pytest
import torch
from owf.core.adapter import match, prepare, read_adapter
from owf.core.errors import AdapterError
from safetensors.torch import load_file

ONLY_FULL_STRENGTH = ("lyc_dora_out", "peft_dora")
REFUSED, PROBLEM, WARNED, READ = "refused", "problem", "warned", "read"
HOSTILE = {
    "s03": PROBLEM,
    "s09": WARNED,
    "s15": WARNED,
    "t01": READ,
    "t03": READ,
    "t05": READ,
    "t07": READ,
    "v01": PROBLEM,
    "v03": WARNED,
    "v05": WARNED,
}


@pytest.fixture(scope="module")
def pipe(shared, text_level):
    import importlib.util

    spec = importlib.util.spec_from_file_location("lora_probe", shared / "probe.py")
    probe = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(probe)
        pipeline = probe.load_pipeline()
    # transformers 5 saved it, without a level that transformers 4 looks for: there it would be left random
    text_level(pipeline.text_encoder).load_state_dict(load_file(shared / "base" / "text_encoder" / "model.safetensors"))
    return {"unet": pipeline.unet, "text_encoder": pipeline.text_encoder}, lambda: probe.probe(pipeline)


def test_valid_files_give_their_reference(shared, pipe, largest_difference, subtests):
    components, probe = pipe
    for note in sorted((shared / "files").glob("*.json")):
        with subtests.test(note.stem):
            facts = json.loads(note.read_text())
            reference = load_file(note.with_name(f"{note.stem}.ref.safetensors"))
            adapter = read_adapter(note.with_suffix(".safetensors"))
            hashes = facts["hashes"]
            assert adapter.sha256 == hashes["sha256"]
            assert (adapter.hashes.autov1, adapter.hashes.autov2) == (hashes["AutoV1"], hashes["AutoV2"])
            assert (adapter.hashes.autov3, adapter.hashes.weights) == (hashes["AutoV3"], hashes["addnet_sha256"])
            switch = prepare(components, adapter)
            for strength in (1.0,) if note.stem in ONLY_FULL_STRENGTH else (1.0, 0.5):
                wanted = [reference[f"{name}@{strength}"] for name in ("h", "u_fixed", "u_te")]
                switch.on(strength)
                found = probe()
                switch.off()
                assert largest_difference(found, wanted) < 1e-4


def test_the_base_is_untouched(shared, pipe):
    components, probe = pipe
    reference = load_file(shared / "base.ref.safetensors")
    adapter = read_adapter(shared / "files" / "lyc_lokr.safetensors")
    before = probe()
    switch = prepare(components, adapter)
    switch.on()
    switch.off()
    assert all(torch.equal(one, other) for one, other in zip(before, probe(), strict=True))
    assert all(
        torch.allclose(one, reference[name], atol=1e-5)
        for one, name in zip(before, ("h", "u_fixed", "u_te"), strict=True)
    )


def test_hostile_files_do_as_their_notes_say(shared, pipe, subtests):
    components, _ = pipe
    for path in sorted((shared / "hostile").glob("*.safetensors")):
        with subtests.test(path.name):
            assert _outcome(path, components) == HOSTILE.get(path.name[:3], REFUSED)


def _outcome(path, components):
    try:
        adapter = read_adapter(path)
    except AdapterError:
        return REFUSED
    problems = match(adapter, components).problems
    if any("broken" in problem or "NaN" in problem for problem in problems):
        return PROBLEM
    loud = [
        warning for warning in adapter.warnings if "metadata says" not in warning and "not understood" not in warning
    ]
    return WARNED if loud else READ
