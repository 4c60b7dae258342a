"""Fixtures that every suite may use."""

from tests.clusters import cluster, sandbox, shared_sandbox

__all__ = ["cluster", "sandbox", "shared_sandbox"]
