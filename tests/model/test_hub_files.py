"""Which files of a hub repository are fetched: those of one variant, whole or in pieces, endings in any case."""

import json
import shutil
from fnmatch import fnmatchcase

import huggingface_hub
import pytest
import torch
from owf.core.foreign import NONE
from owf.core.model.backends.files.hub import cached_folder, fetched_folder
from owf.core.model.backends.files.weight_files import variant_files

UNET = "diffusion_pytorch_model"
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
}
PIECES = (f"{UNET}-00001-of-00002", f"{UNET}-00002-of-00002")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return a hub's folder of one repository and that of the cache, with what the client does."""
    remote, cache = tmp_path / "remote", tmp_path / "cache"
    for name in ("vae", "text_encoder", "unet"):
        (remote / name).mkdir(parents=True)
        (remote / name / "config.json").touch()
    (remote / "model_index.json").write_text(json.dumps(INDEX))
    (remote / "vae" / f"{UNET}.safetensors").touch()
    (remote / "text_encoder" / "model.safetensors").touch()

    def names():
        return sorted(path.relative_to(remote).as_posix() for path in remote.rglob("*") if path.is_file())

    def download(repository, allow_patterns=("*",), local_files_only=False):
        if local_files_only and not cache.exists():
            raise FileNotFoundError(repository)
        for name in () if local_files_only else names():
            if any(fnmatchcase(name, pattern) for pattern in allow_patterns):
                (cache / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(remote / name, cache / name)
        return str(cache)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, repository: names())
    return remote, cache


def in_pieces(folder, ending, variant=""):
    """Put a model in two pieces into a folder; its index names them by small endings, as the libraries write it."""
    weights = {f"weight{n}": f"{piece}{variant}.safetensors" for n, piece in enumerate(PIECES)}
    (folder / f"{UNET}.safetensors.index{variant}.json").write_text(json.dumps({"weight_map": weights}))
    for piece in PIECES:
        (folder / f"{piece}{variant}{ending}").touch()


@pytest.mark.parametrize("ending", [".safetensors", ".SAFETENSORS", ".Safetensors"])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_weights_are_fetched_and_found_again_under_endings_in_any_case(hub, ending, whole, variant):
    remote, cache = hub
    if whole:
        (remote / "unet" / f"{UNET}{variant}{ending}").touch()
    else:
        in_pieces(remote / "unet", ending, variant)
    for name in ("other.safetensors", f"{UNET}.bin", f"{UNET}.non_ema.safetensors"):
        (remote / "unet" / name).touch()
    assert cached_folder("someone/model") is None
    fetched_folder("someone/model", torch.float16 if variant else torch.float32, NONE)
    fetched = {path.name for path in (cache / "unet").iterdir()} - {"config.json"}
    index = f"{UNET}.safetensors.index{variant}.json"
    pieces = {f"{UNET}{variant}{ending}"} if whole else {index, *(f"{piece}{variant}{ending}" for piece in PIECES)}
    assert fetched == pieces
    assert cached_folder("someone/model") == cache


def test_a_cache_that_lacks_a_piece_is_fetched_anew(hub):
    remote, cache = hub
    in_pieces(remote / "unet", ".safetensors")
    fetched_folder("someone/model", torch.float32, NONE)
    assert cached_folder("someone/model") == cache
    (cache / "unet" / f"{PIECES[1]}.safetensors").unlink()
    assert cached_folder("someone/model") is None


def test_of_a_whole_model_and_its_pieces_the_whole_is_read():
    names = [f"{UNET}.SAFETENSORS", f"{PIECES[0]}.safetensors", f"{UNET}.safetensors.index.json"]
    assert variant_files(names, UNET, None) == [names[0]]
    assert variant_files(names, UNET, "fp16") == []
