"""OWF_DemoCheckpoint: the small base model that ships with the project, as MODEL, CLIP and VAE."""

from comfy_api.latest import io


class DemoCheckpoint(io.ComfyNode):
    """The node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return inputs and outputs."""
        return io.Schema(
            node_id="OWF_DemoCheckpoint",
            display_name="Demo checkpoint (OWF)",
            category="OWF",
            description="The small Stable Diffusion that ships with the project; no download, no GPU.",
            inputs=[],
            outputs=[io.Model.Output(), io.Clip.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        """Load it."""
        from .backend.demo import load_demo

        return io.NodeOutput(*load_demo())
