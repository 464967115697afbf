"""Returns what a LoRA is known by, so that another file under its name is noticed."""

from walk import ARGUMENTS, NODES, answer

answer(mark=NODES["OWF_InspectLoRA"].fingerprint_inputs(*ARGUMENTS))
