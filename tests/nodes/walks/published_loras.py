"""Publishes three LoRAs under one name, two of them alike."""

from pathlib import Path

from walk import answer, pack

paths = []
for content in ("one", "two", "one"):
    made = Path(pack("nodes.backend.places").output_folder(), "made.safetensors")
    made.write_text(content)
    paths.append(pack("nodes.training.training").publish(made, "mine").name)
answer(paths=paths)
