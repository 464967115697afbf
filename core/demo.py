"""Where the demo is that ships with the project: a small base model, LoRAs, labelled pictures, a feature network."""

from pathlib import Path

_DEMO = Path(__file__).resolve().parent.parent / "demo"
DEMO_BASE = _DEMO / "base"
"""The small base model."""
DEMO_FEATURES = DEMO_BASE / "features"
"""Its feature network."""
DEMO_PROBES = _DEMO / "probes.npz"
"""Labelled pictures that it was not trained on."""
DEMO_CONCEPT = _DEMO / "concept"
"""Pictures of something that it does not know."""
DEMO_VERDICTS = {
    _DEMO / "lora" / "owf_demo_plain.safetensors": "DRIFT",
    _DEMO / "lora" / "owf_demo_dc.safetensors": "PASS",
}
"""What the demo is there to show: each LoRA that it audits, one concept trained plainly and with drift correction, and
the verdict that it gets."""
DEMO_LORAS = tuple(DEMO_VERDICTS)
