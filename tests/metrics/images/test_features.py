"""Feature networks and the download of their weights, against a local server and tiny local models."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from owf.core.disk.download import fetch, file_sha256
from owf.core.errors import OFF, Setting, UsageError
from owf.core.metrics.images import features, towers
from owf.core.metrics.images.features import Fetching, load_features
from owf.core.metrics.images.likeness import cosines
from owf.core.metrics.images.preparation import IMAGENET_STATS, resize_crop
from PIL import Image
from progress_log import Heard

CONTENT = np.random.default_rng(0).bytes(3 << 20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; the path says with which flaw."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))  # type: ignore[attr-defined]
        if self.path == "/missing":
            self.send_error(404)
            return
        start = self._start()
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = start + (1 << 20) if self.path == "/broken" else len(CONTENT)
        self.wfile.write(CONTENT[start:end])

    def _start(self) -> int:
        asked = self.headers.get("Range")
        return int(asked[len("bytes=") : -1]) if asked and self.path != "/whole" else 0

    def log_message(self, format, *args):
        """Stay quiet."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []  # type: ignore[attr-defined]
        server.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_fetch_writes_the_file_reports_progress_and_asks_once(server, tmp_path):
    heard = Heard()
    path = tmp_path / "new" / "weights.pth"
    fetch(server.url + "/file", path, SHA256[:8], progress=heard)
    assert path.read_bytes() == CONTENT
    assert heard.parts[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(server.url + "/file", path, SHA256) == path
    assert len(server.asked) == 1
    assert list(path.parent.iterdir()) == [path]


def test_fetch_continues_what_an_interruption_left(server, tmp_path):
    path = tmp_path / "weights.pth"
    (tmp_path / "weights.pth.partial").write_bytes(CONTENT[:1000])
    fetch(server.url + "/file", path, SHA256)
    assert path.read_bytes() == CONTENT
    assert server.asked == [("/file", "bytes=1000-")]


def test_fetch_starts_anew_where_the_server_cannot_continue(server, tmp_path):
    path = tmp_path / "weights.pth"
    (tmp_path / "weights.pth.partial").write_bytes(CONTENT[:1000])
    fetch(server.url + "/whole", path, SHA256)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"another file's beginning", b"x" * (4 << 20)])
def test_fetch_starts_anew_when_the_rest_does_not_fit(server, tmp_path, left):
    path = tmp_path / "weights.pth"
    (tmp_path / "weights.pth.partial").write_bytes(left)
    fetch(server.url + "/file", path, SHA256)
    assert path.read_bytes() == CONTENT


def test_fetch_finishes_a_partial_file_that_was_already_whole(server, tmp_path):
    path = tmp_path / "weights.pth"
    (tmp_path / "weights.pth.partial").write_bytes(CONTENT)
    fetch(server.url + "/file", path, SHA256)
    assert path.read_bytes() == CONTENT


def test_a_broken_connection_keeps_the_beginning_for_the_next_try(server, tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(UsageError, match="Run again to continue"):
        fetch(server.url + "/broken", path, SHA256)
    assert not path.exists()
    fetch(server.url + "/file", path, SHA256)
    assert server.asked[-1] == ("/file", f"bytes={1 << 20}-")
    assert path.read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_leaves_nothing(server, tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(UsageError, match="refused"):
        fetch(server.url + "/file", path, "00000000")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(CONTENT[:-1])
    fetch(server.url + "/file", path, SHA256)
    assert file_sha256(path) == SHA256


def test_offline_says_what_to_do(tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(UsageError, match=r"is not there.*put the file of http://x/y there"):
        fetch("http://x/y", path, SHA256, offline=True)
    path.write_bytes(b"damaged")
    with pytest.raises(UsageError, match="wrong SHA-256"):
        fetch("http://x/y", path, SHA256, offline=True)
    path.write_bytes(CONTENT)
    assert fetch("http://x/y", path, SHA256, offline=True) == path


def test_missing_files_dead_servers_and_odd_addresses_are_explained(server, tmp_path):
    with pytest.raises(UsageError, match="Not Found"):
        fetch(server.url + "/missing", tmp_path / "a", SHA256)
    with pytest.raises(UsageError, match="Cannot fetch"):
        fetch("http://127.0.0.1:9/file", tmp_path / "b", SHA256)
    with pytest.raises(UsageError, match="not a web address"):
        fetch("file:///etc/hosts", tmp_path / "c", SHA256)


def test_a_folder_that_cannot_be_written_is_explained(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="Cannot"):
        fetch(server.url + "/file", tmp_path / "file" / "weights.pth", SHA256)


def images(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (smooth * 255).to(torch.uint8)


@pytest.mark.parametrize(("height", "width", "edge", "size"), [(64, 64, 256, 224), (96, 80, 32, 32), (37, 61, 37, 32)])
def test_resizing_equals_pillow(height, width, edge, size):
    batch = images(2, height, width)
    short = min(height, width)
    for image, seen in zip(batch, resize_crop(batch, edge, size), strict=True):
        shape = (edge * width // short, edge * height // short)
        pillow = Image.fromarray(image.movedim(0, -1).numpy()).resize(shape, Image.Resampling.BICUBIC)
        left, top = (round((side - size) / 2) for side in shape)
        expected = np.asarray(pillow.crop((left, top, left + size, top + size))).transpose(2, 0, 1)
        np.testing.assert_array_equal(seen.numpy(), expected)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory) -> Path:
    from transformers import CLIPConfig, CLIPModel

    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = {**tower, "image_size": 32, "patch_size": 8, "projection_dim": 12}
    text = {**tower, "vocab_size": 50, "max_position_embeddings": 8, "projection_dim": 12}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12))
    folder = tmp_path_factory.mktemp("clip")
    model.half().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dino_folder(tmp_path_factory) -> Path:
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(1)
    config = ViTConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=7,
    )
    folder = tmp_path_factory.mktemp("dino")
    ViTModel(config).save_pretrained(folder)
    return folder


def test_clip_features_are_the_models_image_embeddings(clip_folder):
    from transformers import CLIPModel

    batch = images(3, 48, 40)
    seen = load_features(f"clip:{clip_folder}", Fetching(offline=True))(batch)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in towers.CLIP_STATS)
    model = CLIPModel.from_pretrained(clip_folder).float().eval()
    with torch.no_grad():
        pooled = model.vision_model((resize_crop(batch, 32, 32) / 255 - mean) / std).pooler_output
        expected = model.visual_projection(pooled)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_clip_i_is_that_of_transformers_own_processor_and_model(clip_folder):
    import transformers

    # What was the only one, by Pillow, has that in its name where another one took its place.
    processor = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    batch = images(4, 48, 40)
    seen = load_features(f"clip:{clip_folder}", Fetching(offline=True))(batch)
    pixels = processor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})(
        [image.movedim(0, -1).numpy() for image in batch], return_tensors="pt", input_data_format="channels_last"
    )["pixel_values"]
    model = transformers.CLIPModel.from_pretrained(clip_folder).float().eval()
    with torch.no_grad():
        expected = model.visual_projection(model.vision_model(pixels).pooler_output)
    expected = torch.cosine_similarity(expected[:2], expected[2:]).numpy()
    np.testing.assert_allclose(cosines(seen[:2], seen[2:]), expected, atol=1e-6)


def test_dino_features_are_the_class_token(dino_folder):
    """Prepared as its authors do it (eval_knn.py of facebookresearch/dino), by torchvision on Pillow's images."""
    from torchvision import transforms
    from transformers import ViTModel

    batch = images(2, 30, 41)
    seen = load_features(f"dino:{dino_folder}", Fetching(offline=True))(batch)
    prepare = transforms.Compose(
        [
            transforms.Resize(32, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(28),
            transforms.ToTensor(),
            transforms.Normalize(*IMAGENET_STATS),
        ]
    )
    pixels = torch.stack([prepare(Image.fromarray(image.movedim(0, -1).numpy())) for image in batch])
    with torch.no_grad():
        model = ViTModel.from_pretrained(dino_folder).eval()
        expected = model(pixels).last_hidden_state[:, 0]
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_features_do_not_depend_on_batches_or_the_hosts_switches(clip_folder):
    batch = images(5, 32, 32)
    one, all_at_once = (load_features(f"clip:{clip_folder}", batch_size=n) for n in (1, 64))
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            singly = one(batch)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    np.testing.assert_allclose(singly, all_at_once(batch), atol=1e-5)
    assert one.digest == all_at_once.digest


@pytest.mark.parametrize("name", ["clip", "dino"])
def test_the_usual_networks_are_those_of_one_commit(name, clip_folder, dino_folder, monkeypatch):
    asked, folder = [], {"clip": clip_folder, "dino": dino_folder}[name]
    monkeypatch.setattr(towers, "hub_folder", lambda files, offline: asked.append(files) or folder)
    found = load_features(name, Fetching(offline=True))
    assert found.digest == load_features(f"{name}:{folder}", Fetching(offline=True)).digest
    (files,) = asked
    assert files == towers.TOWERS[name] and re.fullmatch("[0-9a-f]{40}", files.revision)


def test_the_digest_tells_weights_apart(clip_folder, dino_folder):
    digests = {load_features(name).digest for name in (f"clip:{clip_folder}", f"dino:{dino_folder}")}
    assert len(digests) == 2
    assert all(len(digest) == 64 for digest in digests)


def test_a_folder_of_the_demo_network_loads(tmp_path):
    from demo_base.stages.features import save_features
    from owf.core.metrics.images.demo_network import FeatureNetwork, load_network

    torch.manual_seed(2)
    save_features(FeatureNetwork({"label": 3, "color": 5}).eval(), tmp_path)
    batch = images(3, 96, 96)
    seen = load_features(tmp_path)
    with torch.no_grad():
        expected = load_network(tmp_path)(batch / 255)
    np.testing.assert_allclose(seen(batch), expected, atol=1e-5)
    assert seen(images(2, 128, 64)).shape == (2, expected.shape[1])


def fake_inception(folder: Path, monkeypatch) -> Path:
    """Random weights where the real ones would lie, and their hash where the real one is."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.manual_seed(3)
    with monkeypatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *args, **kwargs: {})
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        state = module.FeatureExtractorInceptionV3("random", ["2048"]).state_dict()
    monkeypatch.setenv("TORCH_HOME", str(folder))
    path = folder / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    path.parent.mkdir(parents=True)
    torch.save({name: v.half() if v.is_floating_point() else v for name, v in state.items()}, path)
    monkeypatch.setattr(features, "INCEPTION_SHA256", file_sha256(path))
    return path


def test_inception_equals_torch_fidelitys_extractor(tmp_path, monkeypatch):
    path = fake_inception(tmp_path, monkeypatch)
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    extractor = FeatureExtractorInceptionV3("own", ["2048"], feature_extractor_weights_path=path)
    batch = images(2, 40, 40)
    seen = load_features("inception", Fetching(offline=True))(batch)
    assert seen.shape == (2, 2048)
    np.testing.assert_allclose(seen, extractor(batch)[0], rtol=1e-4, atol=1e-5)


def test_inception_offline_without_weights_names_file_and_address(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"6726825d\.pth is not there.*https://github\.com/toshas"):
        load_features("inception", Fetching(offline=True))


def test_inception_without_torch_fidelity_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UsageError, match="needs torch-fidelity") as caught:
        load_features("inception", Fetching(offline=True))
    assert caught.value.settings == (Setting("install", "torch-fidelity"), Setting("features", "clip"))


@pytest.mark.parametrize("name", ["clip", "dino"])
def test_hub_networks_that_are_not_there_offline_are_explained(name, tmp_path):
    with pytest.raises(UsageError, match="fetched once") as caught:
        load_features(f"{name}:nobody/nothing-of-this-name", Fetching(offline=True))
    assert caught.value.settings == (Setting("offline", OFF),)
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        load_features(f"{name}:{tmp_path}", Fetching(offline=True))
    assert caught.value.settings == ()  # nothing would be fetched for a folder


def test_unknown_networks_and_wrong_images_are_refused(clip_folder):
    with pytest.raises(UsageError, match="inception, clip, dino"):
        load_features("vgg")
    with pytest.raises(UsageError, match="uint8"):
        load_features(f"clip:{clip_folder}")(torch.zeros(1, 3, 8, 8))
