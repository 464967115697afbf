"""Starts jobs, for the tab and the API alike, and does with the results what the host shows."""

import sys

from . import environment, host
from .host import Refusal
from .jobs.job import Command, Job
from .jobs.runner import Step, nothing
from .request import AuditAsk, TrainAsk


def start_audit(ask: AuditAsk) -> Job:
    """Return the job of an audit, which runs from now on; raises Refusal and `runner.Busy`."""
    return _start(ask.job(), _write_cards)


def start_training(ask: TrainAsk) -> Job:
    """Return the job of a training, which runs from now on; raises Refusal and `runner.Busy`."""

    def finish(job: Job) -> None:
        ask.finish(job)
        _write_cards(job)

    return _start(ask.job(), finish, ask.begin)


def prepare() -> Job:
    """Return the job that makes the private Python environment; raises Refusal and `runner.Busy`.

    It installs packages, so it is closed where the host's own installing of extensions is.
    """
    if not host.may_install():
        raise Refusal(f"This host lets nobody install from its page. {environment.how_to('On its machine, run')}")
    # The host's own Python makes it: at this point there is no other.
    return host.runner().start(
        Job("prepare", "the private environment", (Command(("prepare", "--now")),)), sys.executable
    )


def _write_cards(job: Job) -> None:
    from . import cards  # reads reports, and so takes longer to import than all else: not at the host's start

    cards.write_all(job)


def _start(job: Job, finish: Step, begin: Step = nothing) -> Job:
    python = host.settings().python
    if not python:
        raise Refusal(host.unprepared())
    return host.runner().start(job, python, finish, begin)
