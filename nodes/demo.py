"""OWF_DemoCheckpoint: the small base model that ships with the project, as MODEL, CLIP and VAE."""

from comfy_api.latest import io

from .ui.schema import found_by


class DemoCheckpoint(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        schema = io.Schema(
            node_id="OWF_DemoCheckpoint",
            display_name="Demo checkpoint (OWF)",
            category="OWF/load",
            description="The small Stable Diffusion that ships with the project; no download, no GPU.",
            inputs=[],
            outputs=[
                io.Model.Output(tooltip="The base."),
                io.Clip.Output(tooltip="The base's text encoder."),
                io.Vae.Output(tooltip="The base's autoencoder."),
            ],
        )
        return found_by(schema, "checkpoint loader", "test model", "tiny model")

    @classmethod
    def execute(cls) -> io.NodeOutput:
        """Load it."""
        from .backend.demo import load_demo

        return io.NodeOutput(*load_demo())
