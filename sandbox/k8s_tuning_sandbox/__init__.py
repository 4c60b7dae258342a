"""A local Kubernetes API to try the system on, and to test against: Jobs, pods, logs, events; in memory, on loopback.

It speaks enough of the API for kubectl and for this package, in today's dialect (v1.36's) or in v1.20's. No container
is run: a Job controller and one node play every pod out by a scenario file. Not for anything that must survive a
restart, or be safe from its users.
"""

from k8s_tuning_sandbox.server import NAMESPACES, Sandbox

__all__ = ["NAMESPACES", "Sandbox"]
