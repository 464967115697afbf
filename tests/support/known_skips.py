"""A skipped test is a contract that nobody looked at: in CI each must have one of the reasons in .ci/skips.txt."""

import os
from pathlib import Path

import pytest

LIST = Path(__file__).resolve().parents[2] / ".ci" / "skips.txt"


def known_reasons() -> list[str]:
    """Return the beginnings of the reasons that are on the list."""
    lines = (line.partition("#")[0].strip() for line in LIST.read_text().splitlines())
    return [line for line in lines if line]


class KnownSkips:
    """Collects skipped tests whose reason is not on the list, and fails the session for them."""

    def __init__(self, known: list[str]) -> None:
        self.known = tuple(known)
        self.strange: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at a test's report."""
        self._look_at(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at the report of a file, which may be skipped as a whole."""
        self._look_at(report)

    def _look_at(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):  # no tuple where a failure was expected
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if not reason.startswith(self.known):
                self.strange.append(f"{report.nodeid}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session that would have passed."""
        if self.strange and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which tests were skipped."""
        if self.strange:
            terminalreporter.section("skipped for a reason that is not in .ci/skips.txt", red=True)
            for line in self.strange:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Watch in CI; not in the workers that share its tests, whose reports come here."""
    if os.environ.get("CI") == "true" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(KnownSkips(known_reasons()))
