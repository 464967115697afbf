"""ERNIE-Image."""

from .family import Family

FAMILY = Family(
    name="ernie_image",
    title="ERNIE-Image",
    hub_id="baidu/ERNIE-Image",
    prediction_type="flow",
    resolution=1024,
    markers=(
        ("^layers_", "_self_attention_to_q"),
        ("^layers_", "_self_attention_to_k"),
        ("^layers_", "_self_attention_to_v"),
        ("^layers_", "_self_attention_to_out"),
        ("^layers_", "_mlp_linear_fc2"),
        ("^layers_", "_mlp_gate_proj:3072>8192"),
        ("^layers_", "_mlp_up_proj:3072>8192"),
    ),
    base_versions=("ernie",),
    architectures=("ernie",),
)
