"""What a cluster fills in is no part of a manifest that is applied."""

import pytest
import yaml
from tests.stages.validate.manifests import changed, validate

EXPORTED = """
apiVersion: batch/v1
kind: Job
metadata:
  creationTimestamp: "2025-11-16T10:00:00Z"
  generation: 1
  labels: {NEW-controller-uid: 5a, NEW-job-name: arb-tuning-a-b-0, app: x, session_id: a, worker_id: b, component: c}
  managedFields: [{manager: kubectl, operation: Update, apiVersion: batch/v1}]
  name: arb-tuning-a-b-0
  namespace: trading-bots
  ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: nightly, uid: 6b}]
  resourceVersion: "3908"
  uid: 5a
spec:
  backoffLimit: 6
  MANUALselector: {matchLabels: {NEW-controller-uid: 5a}}
  template:
    metadata:
      creationTimestamp: null
      labels: {NEW-controller-uid: 5a, NEW-job-name: arb-tuning-a-b-0}
    spec:
      containers: [{name: a, image: "b:1", resources: {}}]
      restartPolicy: Never
status: {succeeded: 1}
"""


@pytest.mark.parametrize("prefix", ["", "batch.kubernetes.io/"], ids=["before 1.27", "today"])
def test_an_exported_manifest_says_which_fields_to_remove(prefix):
    text = EXPORTED.replace("NEW-", prefix).replace("MANUAL", "")
    (error,) = validate(text).errors
    names = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences")
    assert error == (
        "job-00.yaml: metadata.uid: the cluster fills this in, as in an exported Job; remove "
        + ", ".join(f"metadata.{name}" for name in names)
        + f", metadata.labels.{prefix}controller-uid, metadata.labels.{prefix}job-name"
        + f", spec.template.metadata.labels.{prefix}controller-uid, spec.template.metadata.labels.{prefix}job-name"
        + ", spec.selector, status [exported]"
    )


def test_a_manifest_without_the_fields_that_were_named_is_valid():
    job = yaml.safe_load(EXPORTED.replace("NEW-", "").replace("MANUAL", ""))
    for name in ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences"):
        del job["metadata"][name]
    for owner in (job["metadata"], job["spec"]["template"]["metadata"]):
        del owner["labels"]["controller-uid"], owner["labels"]["job-name"]
    del job["spec"]["selector"], job["status"]
    assert validate(job).errors == []


def test_what_kubectl_writes_empty_is_no_leftover():
    """`kubectl create job … --dry-run=client -o yaml` has both."""
    job = changed(("metadata", "creationTimestamp"), None)
    job["status"] = {}
    assert validate(job).errors == []


def test_a_selector_that_was_chosen_by_hand_stays():
    job = changed(("spec", "selector"), {"matchLabels": {"job-name": "x"}})
    job["spec"]["manualSelector"] = True
    job["spec"]["template"]["metadata"]["labels"]["job-name"] = "x"
    assert validate(job).errors == []
