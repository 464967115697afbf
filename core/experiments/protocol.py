"""What the paper's protocol costs, as published and as it is done here. Nothing is trained or loaded for it."""

from collections.abc import Sequence

from ..datasets.accounts import CHURN, MODELS, evaluations, paired_gain, published_sets, table
from ..plan.presets import standard_plan
from .experiment import Experiment, Findings
from .jobs.job import Job, Result
from .jobs.study import Study

ACCURACIES = (0.816, 0.5, 0.234)
"""At which it is said what pairing saves: the base's on CIFAR-10, Flowers and Aircraft in the paper's table."""


def protocol_jobs(study: Study) -> tuple[Job, ...]:
    """Return nothing."""
    return ()


def protocol_findings(study: Study, results: Sequence[Result]) -> Findings:
    """Return the table of evaluations by set, and what pairing, caching and fewer rounds make of it."""
    asked, nominal = evaluations()
    rounds = standard_plan().stages
    gains = ", ".join(f"{paired_gain(p):.1f} at {100 * p:.0f} %" for p in ACCURACIES)
    cheaper = " then ".join(f"{stage.samples} timesteps, {stage.keep} kept" for stage in rounds)
    return Findings(
        (
            *table(rounds),
            "",
            f"All {len(published_sets())} sets are {nominal / 1e6:.1f} million UNet evaluations for one model by the "
            f"numbers of samples, and {asked / 1e6:.1f} million at the timesteps that are really asked.",
            "",
            f"- **Pairing**: base and tuned model see the same images, noise and timesteps. Where {100 * CHURN:.0f} % "
            "of the answers change, two separate samples would need this many times the images for the same interval, "
            f"at least: {gains} accuracy.",
            f"- **Caching**: the table's {MODELS} models cost {MODELS * asked / 1e9:.2f} thousand million evaluations. "
            "The base's are made once for all LoRAs, a second time with other noise for the noise floor.",
            f"- **Fewer rounds**: the last column has the rounds of the preset standard ({cheaper}). They decide less "
            "surely which class an image is of; what that costs the comparison, its interval says.",
        )
    )


EXPERIMENT = Experiment(
    name="protocol",
    title="What the paper's protocol costs",
    question="How many UNet evaluations do the seven sets take, as published and as it is done here?",
    jobs=protocol_jobs,
    findings=protocol_findings,
    needs_base=False,
)
