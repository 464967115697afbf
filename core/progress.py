"""What a long run tells whoever watches it."""


class Progress:
    """Hears how far a long run is, and shows nothing: hosts override what they show. Any call may raise to stop it."""

    def total(self, rows: int) -> None:
        """Learn how many UNet rows the whole run costs, and images to compare."""

    def stage(self, title: str) -> None:
        """Learn what is being done now."""

    def advance(self, rows: int) -> None:
        """Learn that `rows` were computed; 0 says only that it goes on."""

    def skip(self, rows: int) -> None:
        """Learn that `rows` need not be computed: an earlier run or the cache has them."""

    def part(self, done: int, total: int | None) -> None:
        """Learn how far the stage is in a unit of its own, such as bytes; None where their number is not known."""

    def subject(self, name: str) -> None:
        """Learn what the work is for from here on: `BASE`, whose results serve every LoRA, or `LORA`."""

    def kept(self) -> None:
        """Learn that a sample is on the disk: whoever stops the run here loses nothing."""


BASE, LORA = "base", "LoRA"
"""What work is for."""


class Stopped(BaseException):
    """Raised by a `Progress` to stop a run; like KeyboardInterrupt, so that nothing takes it for a failure."""


SILENT = Progress()
"""Progress that nobody watches."""
