"""Which layers of a denoiser a training may change: regular expressions of how their dotted names end. No torch."""

from dataclasses import dataclass

ATTENTION = "attention"
"""What every plan says unless somebody chose."""


@dataclass(frozen=True)
class Targets:
    """The layers of one architecture that `targets` of a plan stands for; each choice holds the one before."""

    attention: str
    """Projections of attention."""
    transformer: str
    """Feed-forward layers, and what leads into transformers and out of them."""
    all: str
    """What else of the blocks can be changed."""
    usual: str = ATTENTION
    """What is trained where nobody chose."""

    def layers(self, chosen: str) -> str:
        """Return the regular expression of a choice."""
        wider = (self.attention, self.transformer, self.all)[: ("attention", "transformer", "all").index(chosen) + 1]
        return "|".join(filter(None, wider))


U_NET = Targets(
    attention=r"attn\d\.(to_q|to_k|to_v|to_out\.0)",
    transformer=r"ff\.net\.(0\.proj|2)|attentions\.\d+\.proj_(in|out)",
    all=r"resnets\.\d+\.(conv1|conv2|conv_shortcut|time_emb_proj)|samplers\.\d+\.conv",
)
"""Those of Stable Diffusion's U-Nets."""
