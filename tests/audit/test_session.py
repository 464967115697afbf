"""Claim: whoever audits a file, its own concept is what the file says it was trained on."""

import pytest
from owf.core.adapter import read_adapter
from owf.core.adapter.adapter import Below
from owf.core.audit.change import AdapterChange
from owf.core.audit.request import AuditRequest
from owf.core.audit.session import AuditSession, Places
from owf.core.metrics import denoiser_drift
from owf.core.metrics.images.features import Fetching
from owf.core.model.backends.diffusers import DiffusersDenoiser
from owf.core.model.diffusion.batch import Batching
from owf.core.progress import SILENT
from owf.core.verdict.policy import default_policy
from safetensors.torch import load_file, save_file
from tiny_sd import tiny_parts, write_tiny_lora


class Heard(Exception):
    """Ends an audit where it would begin to measure."""


def lora(path, phrase=""):
    tensors = load_file(write_tiny_lora(path))
    save_file(tensors, path, metadata={"modelspec.trigger_phrase": phrase} if phrase else {})
    return read_adapter(path)


@pytest.mark.parametrize(("phrase", "claimed"), [("", ()), ("sks dog", ("sks dog",))])
def test_an_audit_is_told_what_the_file_claims(phrase, claimed, tmp_path):
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")
    places = Places(tmp_path / "out", tmp_path / "cache")
    session = AuditSession(AuditRequest("quick", metrics=("denoiser_drift",)), default_policy(), places, Fetching())
    told = []

    def announce(plan, setting):
        told.append(setting.claimed)
        raise Heard

    change = AdapterChange(denoiser.components, lora(tmp_path / "x.safetensors", phrase), 1.0)
    with pytest.raises(Heard):
        session.audit(denoiser, change, "x", Batching(8), SILENT, announce=announce)
    assert told == [claimed]


def test_files_of_a_stack_claim_together(tmp_path):
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")
    top, other = (lora(tmp_path / f"{word}.safetensors", f"sks {word}") for word in ("dog", "bag"))
    assert AdapterChange(denoiser.components, top, 1.0, below=[Below(other, 0.5)]).claimed == ("sks dog", "sks bag")


def test_a_finished_audit_stands_for_another_only_under_the_same_definitions(tmp_path, monkeypatch):
    denoiser = DiffusersDenoiser(tiny_parts(), "tiny", "demo")
    places = Places(tmp_path / "out", tmp_path / "cache", reuse=True)
    session = AuditSession(AuditRequest("quick", metrics=("denoiser_drift",)), default_policy(), places, Fetching())
    change = AdapterChange(denoiser.components, lora(tmp_path / "x.safetensors"), 1.0)

    def audit():
        return session.audit(denoiser, change, "x", Batching(64), SILENT)

    first = audit()
    again = audit()
    assert (first.remembered, again.remembered, again.folder) == (False, True, first.folder)
    monkeypatch.setattr(denoiser_drift, "VERSION", denoiser_drift.VERSION + 1)
    newer = audit()
    assert not newer.remembered and newer.folder != first.folder
    assert newer.report.measurements["denoiser_drift"].version == denoiser_drift.VERSION
