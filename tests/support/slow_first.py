"""Files with tests that are marked `slow` come first, so that workers that share the tests end together."""

import pytest

SECONDS = 1800
"""Time for a slow test: the usual limit is for those that should take a moment, and machines are busy or old."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort whole files, whose tests stay in their order, and give slow tests more time."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    files = {item.path for item in slow}
    items.sort(key=lambda item: item.path not in files)
    for item in slow:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))
