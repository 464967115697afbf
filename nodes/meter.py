"""OWF_CDIKIDMeter: how far two batches of images are apart in colour and content."""

from typing import Any

from comfy_api.latest import io

from ..core.metrics.images.network_names import NAMES
from ..core.metrics.measurement import Measurement
from .ui.progress import NodeProgress
from .ui.schema import folded, found_by
from .ui.wording import graph_words

NO_FEATURES = "none"


class CdiKidMeter(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_CDIKIDMeter",
            display_name="CDI / KID meter (OWF)",
            category="OWF/inspect",
            description="How far two batches of images are apart in colour (CDI) and content (KID), with intervals "
            "and with what two halves of one batch differ by; says how many images would be enough.",
            inputs=[
                io.Image.Input("images_a", tooltip="What is compared against."),
                io.Image.Input("images_b", tooltip="What is compared with it; the images need not be pairs."),
                io.Combo.Input(
                    "features",
                    options=[*NAMES, NO_FEATURES],
                    default=NAMES[0],
                    tooltip="Feature network of KID; none leaves KID out.",
                ),
                folded(
                    io.Int,
                    "split_seed",
                    default=0,
                    min=0,
                    max=2**31 - 1,
                    tooltip="Seed of the random halves.",
                ),
            ],
            outputs=[
                io.Float.Output("cdi", display_name="CDI", tooltip="How far colours are apart, in Delta-E."),
                io.Float.Output("kid", display_name="KID", tooltip="How far content is apart; NaN without features."),
                io.String.Output("text", display_name="text", tooltip="Every number, with interval and floor."),
                io.Image.Output("chart", display_name="chart", tooltip="The numbers as a picture."),
            ],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )
        return found_by(schema, "compare images", "colour difference", "FID", "kernel inception distance", "Delta-E")

    @classmethod
    def execute(cls, images_a: Any, images_b: Any, features: str, split_seed: int) -> io.NodeOutput:
        """Compare them."""
        from ..core.metrics.images.unpaired import compare
        from .backend.features import host_features
        from .backend.images import require_batch, to_bytes

        progress = NodeProgress(cls.hidden.unique_id)
        progress.stage("Loading the feature network")
        with graph_words():
            network = None if features == NO_FEATURES else host_features(features, progress)
            a, b = to_bytes(require_batch(images_a, "images_a")), to_bytes(require_batch(images_b, "images_b"))
            progress.stage("Comparing")
            result = compare(a, b, network, split_seed, progress)
        return _answer(result.measurements, result.notes, (len(a), len(b)))


def _answer(measurements: tuple[Measurement, ...], notes: tuple[str, ...], counts: tuple[int, ...]) -> io.NodeOutput:
    from ..core.render.bars import bar, moved_bars
    from ..core.render.pictures.sheet import chart_sheet
    from .backend.images import from_pictures

    found = {name: e for measurement in measurements for name, e in measurement.estimates.items()}
    bars = [bar(name, estimate) for name, estimate in found.items()]
    terms = moved_bars(measurements[0].breakdowns["color_term"])
    title = f"{counts[0]} against {counts[1]} images"
    chart = from_pictures([chart_sheet(title, "CDI / KID", notes, [*bars, *terms])])
    panel = {"kind": "meter", "title": title, "bars": bars, "terms": terms, "notes": list(notes)}
    kid = found["kid"].value if "kid" in found else float("nan")
    return io.NodeOutput(found["cdi"].value, kid, _text(title, [*bars, *terms], notes), chart, ui={"owf": [panel]})


def _text(title: str, bars: list[dict[str, Any]], notes: tuple[str, ...]) -> str:
    lines = [f"{b['title']}: {b['value']} (95 % interval {b['interval']}; floor {b['floor'] or 'none'})" for b in bars]
    return "\n".join([title, *lines, *notes])
