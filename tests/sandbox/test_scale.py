"""Five thousand Jobs: what they cost in the sandbox's store."""

import tracemalloc
from typing import Any

import pytest

from k8s_tuning_sandbox.resources import JOBS
from k8s_tuning_sandbox.store import Selection, Store

COUNT = 5_000


def job(index: int) -> dict[str, Any]:
    """A Job of the size that real ones have."""
    meta = {"name": f"arb-tuning-{index}", "namespace": "n", "uid": f"u{index}", "labels": {"app": "arbitrage-tuning"}}
    env = [{"name": f"VARIABLE_{number}", "value": "x" * 20} for number in range(20)]
    return {"metadata": meta, "spec": {"template": {"spec": {"containers": [{"name": "c", "env": env}]}}}}


@pytest.mark.slow
def test_five_thousand_jobs_take_little_more_than_their_text_and_come_in_pages() -> None:
    store = Store()
    tracemalloc.start()
    for index in range(COUNT):
        store.put(JOBS, job(index))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    text = sum(len(record.raw) for record in store.records(Selection(JOBS)))
    assert used < 3 * text + 2_000 * COUNT
    token, seen, pages = "", 0, 0
    while True:
        page = store.page(Selection(JOBS), 500, token)
        seen, pages, token = seen + len(page.records), pages + 1, page.continue_token
        if not token:
            break
    assert (seen, pages) == (COUNT, 10)
