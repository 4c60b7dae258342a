"""D32's snapshot: what it says where the Jobs could not be listed."""

from __future__ import annotations

import pytest

from k8s_tuning import plain_values
from k8s_tuning.stages.monitor.snapshot import K8sJobStatus, K8sMonitorSnapshot

AT = "2025-11-16T10:00:00Z"
JOB = K8sJobStatus("j", "n", {}, 1, 0, 0, 0, "RUNNING")


@pytest.mark.parametrize(
    ("jobs", "errors", "listed", "known"),
    [
        ([], ["no answer"], False, False),
        ([], ["log of pod p not read"], True, True),
        ([JOB], ["pods: 403"], False, True),
        ([], [], False, True),
    ],
    ids=["not listed", "only a log is missing", "Jobs by hand with an error", "nothing by hand"],
)
def test_the_jobs_are_known_unless_listing_them_failed(
    jobs: list[K8sJobStatus], errors: list[str], listed: bool, known: bool
) -> None:
    snapshot = K8sMonitorSnapshot("n", "a=b", jobs, [], AT, errors, jobs_listed=listed)
    assert snapshot.jobs_known is known
    assert plain_values.load(K8sMonitorSnapshot, plain_values.dump(snapshot)) == snapshot
