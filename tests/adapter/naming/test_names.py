"""Claim: every dialect of names reaches the same module, whatever library named the live one."""

import re

import pytest
import torch
from owf.core.adapter import applied, match, read_adapter
from owf.core.adapter.naming.names import flatten, place
from safetensors.torch import save_file


def _weighted(module):
    return [name for name, part in module.named_modules() if getattr(part, "weight", None) is not None]


def test_every_ldm_name_of_sd1_is_understood(base, to_ldm):
    for dotted in _weighted(base.components["unet"]):
        path = flatten("unet", dotted)
        ldm = to_ldm(path, (1, 2, 3))
        found = place(f"lora_unet_{ldm}.lora_down.weight")
        assert found is not None
        assert (found.component, found.path) == ("unet", path)
        if re.search(r"blocks|_block", ldm):
            assert found.dialect == "sgm"


def _sdxl_unet():
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 3),
        cross_attention_dim=64,
        attention_head_dim=8,
        norm_num_groups=8,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=96,
        use_linear_projection=True,
    )


@pytest.mark.parametrize("names", ["sgm", "diffusers"])
def test_sdxl_unet_files_give_what_diffusers_gives(names, to_ldm, tmp_path):
    from diffusers import StableDiffusionXLPipeline

    with torch.random.fork_rng():
        torch.manual_seed(0)
        live, reference = _sdxl_unet().eval(), _sdxl_unet().eval()
        reference.load_state_dict(live.state_dict())
        tensors = {}
        for dotted, module in live.named_modules():
            if isinstance(module, torch.nn.Linear) and "attentions" in dotted:
                path = flatten("unet", dotted)
                stem = f"lora_unet_{to_ldm(path, (0, 1)) if names == 'sgm' else path}"
                tensors[f"{stem}.lora_down.weight"] = torch.randn(2, module.in_features) * 0.1
                tensors[f"{stem}.lora_up.weight"] = torch.randn(module.out_features, 2) * 0.1
                tensors[f"{stem}.alpha"] = torch.tensor(1.0)
        inputs = (torch.randn(1, 4, 8, 8), torch.tensor([300]), torch.randn(1, 5, 64))
        added = {"text_embeds": torch.randn(1, 48), "time_ids": torch.randn(1, 6)}
    save_file(tensors, tmp_path / "xl.safetensors")
    loaded = StableDiffusionXLPipeline.lora_state_dict(tmp_path / "xl.safetensors", unet_config=reference.config)
    state, alphas = loaded[:2]
    StableDiffusionXLPipeline.load_lora_into_unet(state, alphas, reference)
    with torch.no_grad(), applied({"unet": live}, read_adapter(tmp_path / "xl.safetensors")) as report:
        assert report.unmatched == ()
        found = live(*inputs, added_cond_kwargs=added).sample
        wanted = reference.eval()(*inputs, added_cond_kwargs=added).sample
    assert (found - wanted).abs().max() < 1e-4


def test_every_ldm_name_of_sdxl_is_understood(to_ldm):
    with torch.device("meta"):
        unet = _sdxl_unet()
    for dotted in _weighted(unet):
        path = flatten("unet", dotted)
        found = place(f"lora_unet_{to_ldm(path, (0, 1))}.lora_down.weight")
        assert found is not None
        assert (found.component, found.path) == ("unet", path)


@pytest.mark.parametrize(
    ("name", "component", "path", "slot"),
    [
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha", "text_encoder", "encoder_layers_0_mlp_fc1", "alpha"),
        ("lora_te2_text_model_encoder_layers_9_self_attn_q_proj.lora_up.weight", "text_encoder_2", None, "up"),
        (
            "text_encoders.clip_g.transformer.text_model.encoder.layers.1.fc2.dora_scale",
            "text_encoder_2",
            None,
            "dora",
        ),
        ("diffusion_model.middle_block.1.proj_in.diff", "unet", "mid_block_attentions_0_proj_in", "diff"),
        ("unet.mid_block.attentions.0.proj_in.lora.up.weight", "unet", "mid_block_attentions_0_proj_in", "up"),
        ("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", "transformer", None, "down"),
        ("transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", "transformer", None, "down"),
        ("double_blocks.0.processor.qkv_lora1.down.weight", "transformer", None, "down"),
        (
            "diffusion_model.sformer_blocks.0.attn.to_q.lora_A.weight",
            "transformer",
            "transformer_blocks_0_attn_to_q",
            "down",
        ),
        ("lora_unet__layers_0_attention_to_q.lora_up.weight", "transformer", "layers_0_attention_to_q", "up"),
        ("lora_te.text_model.encoder.layers.0.mlp.fc1.alpha", "text_encoder", "encoder_layers_0_mlp_fc1", "alpha"),
        ("lora_te2.text_model.encoder.layers.0.mlp.fc1.alpha", "text_encoder_2", "encoder_layers_0_mlp_fc1", "alpha"),
        ("lora_unet.mid_block.attentions.0.proj_in.lora_up.weight", "unet", "mid_block_attentions_0_proj_in", "up"),
        ("lora_unet_joint_blocks_0_x_block_attn_qkv.lora_up.weight", "transformer", None, "up"),
        ("te.text_model.encoder.layers.0.mlp.fc1.lora_up.weight", "text_encoder", "encoder_layers_0_mlp_fc1", "up"),
        ("te1.text_model.encoder.layers.0.mlp.fc1.lora_B.weight", "text_encoder", "encoder_layers_0_mlp_fc1", "up"),
        ("te2.encoder.layers.0.mlp.fc1.alpha", "text_encoder_2", "encoder_layers_0_mlp_fc1", "alpha"),
        ("te3.encoder.block.0.layer.0.SelfAttention.q.alpha", "text_encoder_3", None, "alpha"),
        (
            "text_encoder_1.base_model.model.text_model.encoder.layers.0.mlp.fc1.lora_A.default.weight",
            "text_encoder",
            "encoder_layers_0_mlp_fc1",
            "down",
        ),
    ],
)
def test_single_names(name, component, path, slot):
    found = place(name)
    assert found is not None
    assert (found.component, found.slot) == (component, slot)
    assert path is None or found.path == path


@pytest.mark.parametrize(
    "name", ["", ".weight", "foo.bar", "baz.lora_A.weight", "lora_unet_\x1b[31m.alpha", "lora_unet_.alpha"]
)
def test_other_names_belong_nowhere(name):
    assert place(name) is None


class _Transformers4(torch.nn.Module):
    """A CLIPTextModel as transformers 4 arranges it: everything one level down, in `text_model`."""

    def __init__(self, inner):
        super().__init__()
        self.text_model = inner

    def forward(self, ids):
        return self.text_model(ids)


@pytest.mark.parametrize("file_level", ["text_model_", ""])
@pytest.mark.parametrize("model_level", [4, 5])
def test_text_encoders_of_both_transformers_versions(
    file_level, model_level, base, kohya_tensors, text_level, tmp_path
):
    text = text_level(base.components["text_encoder"])
    live = text if model_level == 5 else _Transformers4(text)
    tensors = {
        key.replace("text_model_", file_level): tensor
        for key, tensor in kohya_tensors().items()
        if key.startswith("lora_te_")
    }
    save_file(tensors, tmp_path / "te.safetensors")
    adapter = read_adapter(tmp_path / "te.safetensors")
    ids = torch.arange(16)[None]
    with torch.no_grad(), applied({"text_encoder": live}, adapter) as report:
        assert report.unmatched == ()
        assert report.matched == 12
        changed = live(ids)[0]
    assert (changed - text(ids)[0]).abs().max() > 1e-3


def test_text_model_with_projection_is_matched_too(tmp_path, kohya_tensors):
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=16,
    )
    live = CLIPTextModelWithProjection(config)
    tensors = {
        key.replace("lora_te_", "lora_te2_"): tensor
        for key, tensor in kohya_tensors().items()
        if key.startswith("lora_te_")
    }
    save_file(tensors, tmp_path / "te2.safetensors")
    report = match(read_adapter(tmp_path / "te2.safetensors"), {"text_encoder_2": live})
    assert report.matched == 12
    assert report.problems == ()


def test_a_component_the_base_lacks_is_reported(base, kohya_tensors, tmp_path):
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    report = match(read_adapter(tmp_path / "x.safetensors"), {"unet": base.components["unet"]})
    assert {item.reason for item in report.unmatched} == {"the base has no text_encoder"}
