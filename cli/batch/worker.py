"""The worker process of `owf-audit` over many LoRAs: the session of one call, speaking through its driver."""

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from ...core.batch.worker import Voice, serve
from ...core.model.base import BaseChoice
from ...core.model.diffusion.denoiser import Denoiser
from ...core.progress import BASE, LORA, Progress
from ..arguments.arguments import parser
from ..auditor import FileAuditor, of_many
from ..session import Session


def main(argv: Sequence[str]) -> int:
    """Serve a driver until it has no more tasks; return the exit code."""
    options = of_many(parser().parse_args(argv))
    return serve(lambda voice: FileAuditor(WorkerSession(options, voice), options.allow_pickle))


class WorkerSession(Session):
    """A session that speaks through its driver, and says whose time it takes."""

    def __init__(self, options: argparse.Namespace, voice: Voice) -> None:
        super().__init__(options)
        self._voice = voice
        self.console.quiet = True

    def _progress(self) -> AbstractContextManager[Progress]:
        return nullcontext(self._voice)

    def _noting(self) -> AbstractContextManager[Progress]:
        return nullcontext(self._voice)

    def _say(self, text: str) -> None:
        self._voice.say(text)

    def _denoiser(self, choice: BaseChoice) -> Denoiser:
        self._voice.subject(BASE)  # it serves every LoRA
        self._voice.stage("Loading the base model")
        loaded = super()._denoiser(choice)
        self._voice.subject(LORA)
        return loaded
