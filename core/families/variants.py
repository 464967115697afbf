"""Bases of one family that differ in what they were made for: distilled ones, what they came from, and back. No torch.

They have the same layers, so that only names and a few settings tell them apart, and are drawn with in other ways.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

IS_DISTILLED = "is_distilled"
"""Setting of pipelines that says whether a base was distilled to few steps."""
DRAWN_AS = "drawn as "
"""How the name begins that a base gets where it was looked at which of its family it is; the title follows."""
DE_DISTILLED = r"\b(?:de|un|non|not) ?(?:turbo|distil|lightning|schnell)"
"""What bases are called that were distilled and then trained until guidance works again, as a regular expression."""


@dataclass(frozen=True)
class Drawing:
    """How people draw with bases of certain names: distilled ones in a few steps and without guidance."""

    named: str
    """Regular expression of something in a base's names, which are searched in small words; an empty one fits all."""
    guidance_scale: float = 0.0
    """Classifier-free guidance, 1 for none; 0 where the preset's own is meant."""
    steps: int = 0
    """Steps of a picture; 0 where the preset's own are meant."""
    title: str = ""
    """Name for people of such bases; empty where those of the family are not told apart."""
    settings: tuple[tuple[str, object], ...] = ()
    """Settings of pipeline, scheduler and denoiser that it has and others of the family have not."""
    learned_on: tuple[str, ...] = ()
    """Titles of the bases that LoRAs for it are usually trained on instead."""

    @property
    def is_distilled(self) -> bool:
        """Whether such a base was distilled to few steps, and guidance with them: those of others are the preset's."""
        return self.steps > 0 and self.guidance_scale == 1

    @property
    def own_steps(self) -> int:
        """Return how many steps such a base was distilled to; 0 for others."""
        return self.steps if self.is_distilled else 0

    def contradicts(self, settings: Mapping[str, object]) -> list[str]:
        """Return what settings say otherwise, as words such as "shift 6.0"."""
        others = [(name, settings[name]) for name, value in self.settings if settings.get(name, value) != value]
        return [f"{name} {str(said).lower()}" for name, said in others]


USUAL = Drawing("")
"""As everywhere: with the guidance and the steps of a preset."""
FEW_STEPS = Drawing(
    rf"^(?!.*{DE_DISTILLED}).*(?:turbo|lightning|lcm(?![a-z])|\bhyper ?sd|\bdmd ?2)", guidance_scale=1.0, steps=8
)
"""Bases of a U-Net that were distilled, or merged with what does so, and still are: people draw with them in four to
eight steps, and guidance burns what they draw."""


def drawn_as(drawings: Iterable[Drawing], names: Iterable[str]) -> Drawing | None:
    """Return the one that a base was found to be (see `DRAWN_AS`); None where it was not looked at."""
    titles = [name.removeprefix(DRAWN_AS) for name in names if name.startswith(DRAWN_AS)]
    return next((drawing for drawing in drawings if drawing.title in titles and drawing.title), None)


@dataclass(frozen=True)
class Decided:
    """Which of a family's bases one is, and what speaks against it."""

    drawing: Drawing
    doubt: str = ""
    """Sentence about names and settings that disagree; empty where they do not."""


def decide(
    drawings: tuple[Drawing, ...], by_name: Drawing | None, settings: Mapping[str, object], are_own: bool
) -> Decided | None:
    """Return which of a family's bases one is, by its name, else by settings; None where nothing tells.

    `settings` are those of pipeline, scheduler and denoiser; where they are not its own, but those of the folder that a
    file's other parts come from, they count for less. Its own `is_distilled` counts more than a name.
    """
    by_settings = _shown(drawings, settings)
    if by_name is None or not by_name.title:
        return None if by_settings is None else Decided(by_settings)
    others = by_name.contradicts(settings)
    if not others or by_settings is None:
        return Decided(by_name)
    said = f"By its name the base is {by_name.title}, and by"
    shown = f"({', '.join(others)}) {by_settings.title}"
    if not are_own:
        return Decided(by_name, f"{said} the settings beside it {shown}: it is asked as the former.")
    if settings.get(IS_DISTILLED, by_name.is_distilled) is not by_name.is_distilled:
        return Decided(by_settings, f"{said} its settings {shown}: it is asked as the latter.")
    return Decided(
        by_name, f"{said} its settings {shown}: pictures are drawn as with the former, at times of the latter."
    )


def _shown(drawings: Iterable[Drawing], settings: Mapping[str, object]) -> Drawing | None:
    """Return the first that settings show; one that was distilled once has those of one that never was."""
    return next(
        (
            drawing
            for drawing in drawings
            if any(name in settings for name, _ in drawing.settings)
            and not drawing.contradicts(settings)
            and not drawing.named.startswith(DE_DISTILLED)
        ),
        None,
    )
