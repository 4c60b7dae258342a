"""The figures of the long tests, at the end of the report."""

from typing import Any

from tests.alerts.figures import FIGURES


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line a figure."""
    if FIGURES:
        terminalreporter.section("alerts over weeks")
        for name, count in FIGURES.items():
            terminalreporter.write_line(f"{name}: {count}")
