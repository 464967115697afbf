"""What `inspect` tells of a file, as plain values for JSON, terminal and reports."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from ..text import counted, inert
from .adapter import Adapter
from .apply.coverage import coverage_of_file
from .apply.unexpected import shown, unexpected_in_modules
from .apply.usual_base import misplaced_modules, wrong_sizes
from .blocks import Block, block_of, kind_of
from .change.sketch import Sketch, sketch
from .naming.by_layers import alike, listed, named_alike

MAX_LISTED = 20
"""Tensors of a kind that a summary lists: a damaged file has thousands, all alike."""
HUGE = 1e4
"""Norm of a change beyond anything a trainer wrote; the layers of Stable Diffusion have norms of about 100."""


@dataclass(frozen=True)
class Cell:
    """One block and one kind of layer in it."""

    block: Block
    """The block."""
    kind: str
    """Kind of layer, one of `blocks.KINDS`."""
    modules: int
    """How many modules are changed."""
    size: float
    """Estimated Frobenius norm of their change."""


@dataclass(frozen=True)
class Summary:
    """Everything known of a file without its base; every text is inert."""

    file: str
    """File name."""
    sha256: str
    """sha256 of the file."""
    hashes: dict[str, str | None]
    """AutoV1, AutoV2 and AutoV3."""
    format: str
    """Who writes such names."""
    algorithms: tuple[str, ...]
    """Algorithms, most frequent first."""
    family: str | None
    """Base family; None when unknown."""
    prediction_type: str | None
    """Where the metadata names it."""
    modules: dict[str, int]
    """Changed modules per component."""
    coverage: str
    """How many tensors, and how much of their bytes, are understood."""
    ranks: tuple[int, ...]
    """Distinct ranks."""
    alphas: tuple[float, ...]
    """Distinct alphas."""
    dtypes: tuple[str, ...]
    """Distinct element types."""
    trigger_words: tuple[str, ...]
    """Words that probably call the concept."""
    resolution: tuple[int, int] | None
    """Width and height of the training images."""
    training: dict[str, str]
    """Training facts that the metadata states."""
    blocks: tuple[Cell, ...]
    """Where the change is, in the order of the network."""
    broken: tuple[str, ...]
    """Up to twenty modules that cannot be used, with reasons."""
    unknown: tuple[str, ...]
    """Up to twenty tensors whose names are not understood."""
    bundled: tuple[str, ...]
    """Up to twenty tensors that are known to change no weight."""
    problems: tuple[str, ...]
    """Why an audit would be INVALID with any base, or the usual one of its family; empty for a sound file."""
    warnings: tuple[str, ...]
    """What to know before trusting a score."""


def summarise(adapter: Adapter) -> Summary:
    """Return what is known of `adapter`; reads its weights once with numpy, without torch."""
    look = sketch(adapter)
    return Summary(
        file=inert(adapter.path.name),
        sha256=adapter.sha256,
        hashes={"AutoV1": adapter.hashes.autov1, "AutoV2": adapter.hashes.autov2, "AutoV3": adapter.hashes.autov3},
        format=adapter.format,
        algorithms=adapter.algorithms,
        family=adapter.family,
        prediction_type=adapter.prediction_type,
        modules=dict(Counter(module.component for module in adapter.modules)),
        coverage=coverage_of_file(adapter).sentence("belong to"),
        ranks=adapter.ranks,
        alphas=adapter.alphas,
        dtypes=adapter.dtypes,
        trigger_words=adapter.trigger_words,
        resolution=adapter.resolution,
        training={name: text for name, text in asdict(adapter.training).items() if text},
        blocks=_cells(adapter, look.sizes),
        broken=tuple(f"{inert(item.stem)}: {inert(item.reason)}" for item in adapter.broken[:MAX_LISTED]),
        unknown=tuple(shown(entry.name) for entry in adapter.unknown[:MAX_LISTED]),
        bundled=tuple(inert(entry.name, 120) for entry in adapter.bundled[:MAX_LISTED]),
        problems=tuple(_problems(adapter, look)),
        warnings=(*_doubts(adapter, look), *adapter.warnings),
    )


def _problems(adapter: Adapter, look: Sketch) -> Iterator[str]:
    if look.not_finite:
        yield f"NaN or infinity in {counted(len(look.not_finite), 'tensor')}, such as {look.not_finite[0]}"
    if look.zero == len(adapter.modules):
        yield "the file changes no weight: its delta is exactly zero"
    if adapter.broken:
        first = adapter.broken[0]
        count = counted(len(adapter.broken), "broken module")
        yield f"{count}, such as {inert(first.stem, 80)}: {inert(first.reason)}"
    misplaced = tuple(misplaced_modules(adapter, look))
    covered = coverage_of_file(adapter, [(item.module, item.reason) for item in misplaced])
    yield from filter(None, (covered.problem() or unexpected_in_modules(adapter) or wrong_sizes(misplaced),))


def _doubts(adapter: Adapter, look: Sketch) -> Iterator[str]:
    named = named_alike(adapter.modules) if adapter.family is None else []
    if named and not alike(adapter.modules):
        yield f"its layers have the names of those of {listed(named)}, but other sizes than in the usual base"
    if 0 < look.zero < len(adapter.modules):
        yield f"{counted(look.zero, 'module')} of {len(adapter.modules)} change nothing: their delta is exactly zero"
    huge = sum(size > HUGE for size in look.sizes)
    if huge:
        yield f"{counted(huge, 'module')} with a change of norm above {HUGE:g}, far above that of a layer's weights"


def _cells(adapter: Adapter, sizes: tuple[float, ...]) -> tuple[Cell, ...]:
    squares: dict[tuple[Block, str], list[float]] = {}
    for module, size in zip(adapter.modules, sizes, strict=True):
        squares.setdefault((block_of(module), kind_of(module)), []).append(size * size)
    return tuple(
        Cell(block, kind, len(values), sum(values) ** 0.5) for (block, kind), values in sorted(squares.items())
    )
