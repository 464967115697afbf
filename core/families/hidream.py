"""HiDream-I1."""

from .family import Family

FAMILY = Family(
    name="hidream",
    title="HiDream-I1",
    hub_id="HiDream-ai/HiDream-I1-Full",
    prediction_type="flow",
    resolution=1024,
    markers=(("double_stream_blocks_",), ("single_stream_blocks_",)),
    base_versions=("hidream",),
    architectures=("hidream",),
)
