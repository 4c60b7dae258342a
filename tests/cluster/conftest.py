from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cluster.api_double import ApiDouble, serving


@pytest.fixture
def api() -> Iterator[ApiDouble]:
    """An HTTP server on a free port, whose answers the test sets."""
    with serving() as double:
        yield double
