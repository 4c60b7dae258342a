"""A manifest that is valid, and changes of it."""

from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator, job_manifest
from k8s_tuning.stages.generate.session import K8sOrchestratorConfig
from k8s_tuning.stages.manifests import to_yaml
from k8s_tuning.stages.validate.plan import (
    K8sJobValidator,
)

POD = "spec.template.spec"


def good_job():
    config = K8sOrchestratorConfig(
        session_id="demo",
        k8s_namespace="trading-bots",
        image="registry.example/app:1.0.0",
        mode="paper",
        env="docker",
        total_iterations=1,
        workers=1,
        optimizer="grid",
        resources={"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}},
    )
    job = job_manifest(build_k8s_jobs_from_orchestrator(config)[0])
    # By hand, so that the tests may change the manifest without the remark that it was changed.
    del job["metadata"]["annotations"]["k8s-tuning.io/spec-hash"]
    return job


def changed(path, value):
    """The good job with one field set (or, with `...`, removed)."""
    job = good_job()
    *steps, last = path
    place = job
    for step in steps:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return job


def validate(job, strict=False):
    text = job if isinstance(job, str) else to_yaml(job)
    return K8sJobValidator(strict_mode=strict).validate_job_yaml(text, "job-00.yaml")


C0 = ("spec", "template", "spec", "containers", 0)
