"""One status code, many causes: each refusal of a real API server comes with the cure of its own cause."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cluster.api_double import refusal

from k8s_tuning.cluster import faults
from k8s_tuning.cluster.faults import Call
from k8s_tuning.errors import BadAnswer, ClusterError, Conflict, Forbidden, Invalid

LIST = Call("list", "jobs", "batch", "trading-bots")
APPLY = Call("patch", "jobs", "batch", "trading-bots", "tune-1")
ROLE = "grant it with a"


def error_of(status: int, message: str, call: Call = APPLY) -> ClusterError:
    answer = refusal(status, message)
    body = json.dumps(answer.body).encode()
    return faults.from_answer(status, {"content-type": "application/json"}, body, call, "host:6443")


FORBIDDEN = {
    "quota": (
        (
            'jobs.batch "tune-1" is forbidden: exceeded quota: gpus, requested: count/jobs.batch=1, used: '
            "count/jobs.batch=2, limited: count/jobs.batch=2"
        ),
        "have the ResourceQuota raised",
        True,
    ),
    "quota wants limits": (
        'pods "tune-1-x" is forbidden: failed quota: compute: must specify limits.cpu,limits.memory',
        "wants these requests and limits",
        False,
    ),
    "quota not counted yet": (
        'jobs.batch "tune-1" is forbidden: status unknown for quota: gpus, resources: count/jobs.batch',
        "try again in a moment",
        True,
    ),
    "quota by scope": (
        'pods "x" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]',
        "priority class",
        False,
    ),
    "webhook": (
        (
            'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource Job/trading-bots/tune-1 '
            "was blocked due to the following policies\n\nrequire-team: check-label: 'label team is required'"
        ),
        "a policy of this cluster refused it",
        False,
    ),
    "webhook that quotes RBAC": (
        (
            'admission webhook "x.y" denied the request: User "bot" cannot list resource "jobs" in API group "batch" '
            'in the namespace "a"'
        ),
        "a policy of this cluster refused it",
        False,
    ),
    "webhook that quotes a quota": (
        'admission webhook "kueue" denied the request: exceeded quota: team',
        "a policy of this cluster refused it",
        False,
    ),
    "ValidatingAdmissionPolicy": (
        (
            "jobs.batch \"tune-1\" is forbidden: ValidatingAdmissionPolicy 'team-label' with binding 'all' denied "
            "request: every Job needs a team"
        ),
        "a policy of this cluster refused it",
        False,
    ),
    "terminating namespace": (
        (
            'jobs.batch "tune-1" is forbidden: unable to create new content in namespace trading-bots because it is '
            "being terminated"
        ),
        "the namespace is being deleted",
        True,
    ),
    "PodSecurity": (
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
        "set the securityContext fields",
        False,
    ),
    "PodSecurityPolicy": (
        'pods "x" is forbidden: PodSecurityPolicy: unable to admit pod: []',
        "set the securityContext",
        False,
    ),
    "OpenShift's SCC": (
        'pods "x" is forbidden: unable to validate against any security context constraint: [provider "anyuid": …]',
        "set the securityContext",
        False,
    ),
    "LimitRange": (
        'pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
        "the namespace's LimitRange",
        False,
    ),
    "LimitRange's ratio": (
        'pods "x" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000',
        "the namespace's LimitRange",
        False,
    ),
    "service account": (
        'pods "x" is forbidden: error looking up service account trading-bots/tuner: serviceaccount "tuner" not found',
        "create the service account",
        True,
    ),
    "priority class": (
        'pods "x" is forbidden: no PriorityClass with name gold was found',
        "create the PriorityClass",
        False,
    ),
    "anything else of admission": (
        'jobs.batch "tune-1" is forbidden: node selector conflict',
        "admission control refused it",
        False,
    ),
    "no credentials": (
        (
            'jobs.batch is forbidden: User "system:anonymous" cannot list resource "jobs" in API group "batch" in '
            'the namespace "trading-bots"'
        ),
        "no credentials were sent or accepted",
        False,
    ),
    "cloud's rights": (
        (
            'jobs.batch is forbidden: User "a@b" cannot list resource "jobs" in API group "batch" in the namespace '
            '"x": requires one of ["container.jobs.list"] permission(s).'
        ),
        "grant it with a Role in x",
        False,
    ),
    "cloud's rights alone": (
        'jobs.batch is forbidden: Required "container.jobs.create": requires one of ["container.jobs.create"]',
        "the cloud's own rights",
        False,
    ),
}


@pytest.mark.parametrize(("message", "cure", "passing"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_403_comes_with_the_cure_of_its_cause(message: str, cure: str, passing: bool) -> None:
    error = error_of(403, message)
    assert isinstance(error, Forbidden)
    assert str(error).startswith("may not " if ROLE in cure else "cannot ")
    assert message in str(error)
    assert cure in str(error)
    assert error.retryable is passing
    if ROLE not in cure:
        assert ROLE not in str(error)


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (
            (
                'jobs.batch is forbidden: User "bot" cannot list resource "jobs" in API group "batch" in the '
                'namespace "trading-bots"'
            ),
            "a Role in trading-bots: apiGroups [batch], resources [jobs], verbs [list]",
        ),
        (
            (
                'jobs.batch "tune-1" is forbidden: User "bot" cannot create resource "jobs" in API group "batch" in '
                'the namespace "trading-bots": RBAC: role.rbac.authorization.k8s.io "x" not found'
            ),
            "a Role in trading-bots: apiGroups [batch], resources [jobs], verbs [create]",
        ),
        (
            (
                'users "alice" is forbidden: User "bot" cannot impersonate resource "users" in API group "" at the '
                "cluster scope"
            ),
            'a ClusterRole: apiGroups [""], resources [users], verbs [impersonate]',
        ),
        (
            (
                'pods "a" is forbidden: User "system:serviceaccount:x:y" cannot get resource "pods/log" in API group '
                '"" in the namespace "n"'
            ),
            'a Role in n: apiGroups [""], resources [pods/log], verbs [get]',
        ),
        (
            'forbidden: User "bot" cannot get path "/version"',
            "a ClusterRole: nonResourceURLs [/version], verbs [get]",
        ),
        ('User "bot" cannot list jobs.batch in project "x"', "a Role in trading-bots: apiGroups [batch]"),
        ("jobs.batch is forbidden", "a Role in trading-bots: apiGroups [batch], resources [jobs], verbs [list]"),
    ],
    ids=["list", "create by an apply", "impersonate", "sub-resource", "path", "another authorizer", "without a word"],
)
def test_rbacs_403_names_the_rule_that_is_missing(message: str, rule: str) -> None:
    assert f"grant it with {rule}" in str(error_of(403, message, LIST))


@pytest.mark.parametrize(
    ("message", "cure"),
    [
        (
            'Apply failed with 1 conflict: conflict with "kubectl": .spec.parallelism',
            "nothing is forced",
        ),
        (
            (
                'Operation cannot be fulfilled on jobs.batch "a": uid mismatch: the provided object specified uid 1, '
                "and no existing object was found"
            ),
            "remove metadata.uid",
        ),
        ('jobs.batch "a" already exists', "apply again to compare it"),
        ('object is being deleted: jobs.batch "a" already exists', "apply again when it is gone"),
    ],
    ids=["another manager's field", "uid", "made meanwhile", "being deleted"],
)
def test_a_409_comes_with_the_cure_of_its_cause(message: str, cure: str) -> None:
    error = error_of(409, message)
    assert isinstance(error, Conflict)
    assert cure in str(error)


TYPED = "failed to create typed patch object (n/a; batch/v1, Kind=Job): errors:\n  .spec.template.spec."


@pytest.mark.parametrize(
    ("message", "cure"),
    [
        (f'{TYPED}containers[name="a"].env: duplicate entries for key [name="A"]', "remove one"),
        (f"{TYPED}containers[0].resources.limits.cpu: expected string, got &value.valueUnstructured{{}}", "quotes"),
        (f"{TYPED}tolerationz: field not declared in schema", "too old for the field"),
        (f"{TYPED}containers: expected list, got &{{map[]}}", "correct the manifest"),
        ('failed to create typed live object: .spec: duplicate entries for key [name="A"]', "delete that Job by hand"),
    ],
    ids=["duplicate", "integer quantity", "unknown field", "another type", "live object"],
)
def test_a_500_that_is_the_manifests_fault_is_final(message: str, cure: str) -> None:
    error = error_of(500, message)
    assert isinstance(error, Invalid)
    assert not error.retryable
    assert cure in str(error)


@pytest.mark.parametrize(
    "message", ["etcdserver: request timed out", 'Internal error occurred: failed calling webhook "a": EOF', ""]
)
def test_any_other_500_is_the_servers_and_may_pass(message: str) -> None:
    error = error_of(500, message)
    assert isinstance(error, BadAnswer)
    assert error.retryable


@pytest.mark.parametrize(
    ("status", "message", "collided"),
    [
        (409, 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified; please apply', True),
        (403, 'jobs.batch "a" is forbidden: status unknown for quota: q, resources: count/jobs.batch', True),
        (409, 'Operation cannot be fulfilled on jobs.batch "a": the object has been modified; please apply', False),
        (409, "Apply failed with 1 conflict", False),
        (409, 'jobs.batch "a" already exists', False),
        (403, 'jobs.batch "a" is forbidden: exceeded quota: q', False),
        (422, 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified', False),
    ],
)
def test_only_the_servers_own_bookkeeping_is_a_collision(status: int, message: str, collided: bool) -> None:
    body = json.dumps(refusal(status, message).body).encode()
    assert faults.is_collision(status, body, APPLY) is collided


@given(st.integers(300, 599), st.text(), st.sampled_from([LIST, APPLY]))
def test_whatever_a_server_says_is_an_error_that_quotes_it_within_bounds(status: int, words: str, call: Call) -> None:
    error = error_of(status, words * 200, call)
    assert len(str(error)) < 40_000  # what cannot be seen is written out


def test_a_message_of_a_megabyte_is_cut() -> None:
    assert len(str(error_of(422, "한" * 1_000_000))) < 5_000
