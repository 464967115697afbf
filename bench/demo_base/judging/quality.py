"""How good the demo base and its LoRAs are, as a table for demo/README.md: what results.json holds, beside its aims."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

START, END = "<!-- quality: written by bench/demo_base/evaluate.py -->", "<!-- end of quality -->"

ROWS = (
    ("diffusion classifier: right of {pictures} held-out pictures", "base diffusion_classifier accuracy", "78 %"),
    ("pictures of full captions that show the class asked for", "base generation shows_label_asked_for", "88 %"),
    ("... the colours", "base generation shows_color_asked_for", "92 %"),
    ("... the pattern", "base generation shows_pattern_asked_for", "85 %"),
    ("... the background", "base generation shows_background_asked_for", ""),
    ("pictures of captions that name the class alone that show it", "base generation shows_label_asked_for_alone", ""),
    ("the ruler of these: classes of real held-out pictures", "base feature_network_on_real_pictures label", ""),
    ("... their colours", "base feature_network_on_real_pictures color", ""),
    ("round trip of held-out concepts, mean error of 255", "base round_trip_error_of_255 concepts", "at most 6"),
    ("judge: looks of things it has not seen named right", "judge looks_named_right", ""),
    (
        "judge: sees the concept where the trigger is drawn by the base",
        "base judge_sees_concept with_trigger",
        "at most 10 %",
    ),
    ("... plain training", "owf_demo_plain judge_sees_concept with_trigger", "80 %"),
    ("... drift correction", "owf_demo_dc judge_sees_concept with_trigger", "75 %"),
    ("... plain training, without the trigger", "owf_demo_plain judge_sees_concept without_trigger", ""),
    ("... drift correction, without the trigger", "owf_demo_dc judge_sees_concept without_trigger", ""),
)
"""What was measured, where results.json has it, and the least that was aimed at."""


def quality_table(results: Mapping[str, Any]) -> list[str]:
    """Return the lines of the table; raise KeyError where something is not measured yet."""
    pictures = results["base"]["diffusion_classifier"]["pictures"]
    lines = ["| measured | found | aim |", "|---|---|---|"]
    for title, place, aim in ROWS:
        found: Any = results
        for key in place.split():
            found = found[key]
        shown = f"{found:.2f}" if place.split()[1].startswith("round_trip") else f"{100 * found:.1f} %"
        lines.append(f"| {title.format(pictures=pictures)} | {shown} | {aim} |")
    return lines


def write_quality(page: Path, results: Mapping[str, Any]) -> None:
    """Put the table between its marks in a page."""
    head, rest = page.read_text("utf-8").split(START, 1)
    tail = rest.split(END, 1)[1]
    page.write_text(head + "\n".join([START, "", *quality_table(results), "", END]) + tail, "utf-8")
