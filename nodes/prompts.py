"""OWF_PromptBank: the concept-free prompts that drift correction preserves."""

from comfy_api.latest import io

from ..core.errors import UsageError

_FAMILIES = {"open world": "", "demo base": "demo"}
"""Prompt list -> family of bases that it ships for; "" is the one for all others."""
BANKS = (*_FAMILIES, "only my own")
"""Prompt lists to choose from."""
Bank = io.Custom("OWF_BANK")
"""A tuple of prompts on its way to the training node."""


class PromptBank(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="OWF_PromptBank",
            display_name="Prompt bank (OWF)",
            category="OWF",
            description="The prompts whose meaning training must not change: everyday things, colours, places, styles.",
            inputs=[
                io.Combo.Input("bank", options=list(BANKS), default=BANKS[0]),
                io.String.Input("more", default="", multiline=True, tooltip="Prompts of your own, one a line."),
            ],
            outputs=[Bank.Output("prompts", display_name="bank"), io.String.Output("text", display_name="text")],
        )

    @classmethod
    def execute(cls, bank: str, more: str) -> io.NodeOutput:
        """Read and join them."""
        prompts = chosen(bank, more)
        return io.NodeOutput(prompts, "\n".join(prompts))


def chosen(bank: str, more: str) -> tuple[str, ...]:
    """Return the prompts of a bank and the user's own, each once; raise UsageError if there are none."""
    from ..core.train.data.bank import read_bank, shipped_bank

    listed = read_bank(shipped_bank(_FAMILIES[bank])) if bank in _FAMILIES else ()
    own = (" ".join(line.split()) for line in more.splitlines())
    prompts = tuple(dict.fromkeys([*listed, *(line for line in own if line and not line.startswith("#"))]))
    if not prompts:
        raise UsageError("The prompt bank is empty; write prompts into `more`, or choose another bank.")
    return prompts
