"""Inspects a LoRA of the demo."""

from walk import ARGUMENTS, NODES, answer

node = NODES["OWF_InspectLoRA"]
out = node.execute(*ARGUMENTS)
text, picture, trigger = out.args
answer(
    text=text,
    shape=list(picture.shape),
    low=float(picture.min()),
    high=float(picture.max()),
    trigger=trigger,
    kind=out.ui["owf"][0]["kind"],
    mark=node.fingerprint_inputs(*ARGUMENTS),
)
