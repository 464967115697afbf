"""How the demo base was made and measured: a small Stable Diffusion 1 of clothes. Nothing of the product needs it."""

from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "demo"
"""What it writes: the model, its probes and the concept of the checkout, wherever `owf` itself is installed."""
