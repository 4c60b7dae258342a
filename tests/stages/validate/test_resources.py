"""Requests and limits: what Kubernetes refuses, what it takes and nobody meant, and the cure by resource."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.stages.quantities import parse_quantity
from k8s_tuning.stages.validate.resources import resource_findings


def findings(requests=None, limits=None):
    return list(resource_findings({"requests": requests, "limits": limits}))


WARNED = [
    ("memory", "512m", "512m is 0.512 bytes (m is a thousandth); did you mean 512Mi?"),
    ("memory", "512", "512 is 512 bytes; did you mean 512Mi?"),
    ("memory", 512, "512 is 512 bytes; did you mean 512Mi?"),
    ("memory", "2", "2 is 2 bytes; did you mean 2Mi?"),
    ("memory", "1500m", "1500m is 1.5 bytes (m is a thousandth); did you mean 1500Mi?"),
    ("memory", "512k", "512k is 512,000 bytes; did you mean 512Mi?"),
    ("memory", "0.5", "0.5 is 0.5 bytes; did you mean 0.5Mi?"),
    ("memory", "1000000", "1000000 is 1,000,000 bytes; write it as 512Mi or 1Gi"),
    ("memory", "1.1Gi", "1.1Gi is no whole number of bytes (1,181,116,006.4); write it as 1153433Ki"),
    ("ephemeral-storage", "10m", "10m is 0.01 bytes (m is a thousandth); did you mean 10Mi?"),
    ("cpu", "500", "500 is 500 whole cores; did you mean 500m?"),
    ("cpu", 500, "500 is 500 whole cores; did you mean 500m?"),
    ("cpu", "1000", "1000 is 1,000 whole cores; did you mean 1000m?"),
    ("cpu", "500Mi", "500Mi is 524,288,000 whole cores; did you mean 500m?"),
    ("cpu", "500M", "500M is 500,000,000 whole cores; did you mean 500m?"),
    ("cpu", "1Gi", "1Gi is 1,073,741,824 whole cores; did you mean 1?"),
    ("cpu", "500u", "500u is less than 1m, the least that a node counts; did you mean 500m?"),
    ("cpu", "0.0005", "0.0005 is less than 1m, the least that a node counts; write 1m or more"),
]


@pytest.mark.parametrize("part", ["requests", "limits"])
@pytest.mark.parametrize(("name", "amount", "said"), WARNED, ids=[f"{name}={amount!r}" for name, amount, _ in WARNED])
def test_what_nobody_can_have_meant_is_a_warning_with_what_was_meant(part, name, amount, said):
    (found,) = findings(**{part: {name: amount}})
    assert (found.error, found.rule, found.path) == (False, "quantity-unit", f"{part}.{name}")
    assert said in found.message


@pytest.mark.parametrize(
    "limits",
    [
        {"memory": "512Mi", "cpu": "500m"},
        {"memory": "1Mi", "cpu": "1m"},
        {"memory": "0", "cpu": "0"},
        {"memory": 4294967296, "cpu": 0.5},
        {"memory": "1.5Gi", "cpu": "64", "ephemeral-storage": "2G"},
        {"cpu": "1", "nvidia.com/gpu": 1},
        {"cpu": "1", "nvidia.com/gpu": "2k"},
        {"cpu": "1", "hugepages-2Mi": "4Mi", "hugepages-1Gi": "1Gi"},
        {"example.com/gpu_x.Y-1": "1"},
        {"foo.kubernetes.io/x": "1.5"},
    ],
)
def test_what_a_writer_means_passes(limits):
    assert findings(limits=limits) == []


REFUSED = [
    ("quantity", "memory", "512MB", "'512MB' is not a quantity; did you mean 512Mi?"),
    ("quantity", "memory", "512mb", "did you mean 512Mi?"),
    ("quantity", "memory", "512 Mi", "did you mean 512Mi?"),
    ("quantity", "memory", "1GiB", "did you mean 1Gi?"),
    ("quantity", "memory", "1g", "did you mean 1Gi?"),
    ("quantity", "memory", "512K", "did you mean 512Ki?"),
    ("quantity", "memory", "1,5Gi", "did you mean 1.5Gi?"),
    ("quantity", "memory", "100 bytes", "write bytes as 512Mi or 1Gi"),
    ("quantity", "memory", "lots", "write bytes as 512Mi or 1Gi"),
    ("quantity", "memory", None, "None is not a quantity; write bytes as 512Mi or 1Gi"),
    ("quantity", "memory", True, "True is not a quantity"),
    ("quantity", "memory", float("nan"), "write bytes as 512Mi or 1Gi"),
    ("quantity", "cpu", "0,5", "did you mean 0.5?"),
    ("quantity", "cpu", "2 cores", "did you mean 2?"),
    ("quantity", "cpu", "500 m", "did you mean 500m?"),
    ("quantity", "cpu", "1 vCPU", "did you mean 1?"),
    ("quantity", "cpu", "half", "write cores as 500m, 0.5 or 2"),
    ("quantity", "cpu", "50%", "write cores as 500m, 0.5 or 2"),
    ("quantity", "cpu", [1], "write cores as 500m, 0.5 or 2"),
    ("quantity", "cpu", "-1", "'-1' is negative; a quantity is 0 or more"),
    ("quantity", "nvidia.com/gpu", "one", "write a whole number, such as 1"),
    ("extended-resource", "nvidia.com/gpu", "500m", "500m is no whole number; a device is not shared out"),
    ("extended-resource", "nvidia.com/gpu", 0.5, "0.5 is no whole number"),
    ("resource-name", "gpu", "1", "'gpu' is no resource of a container"),
    ("resource-name", "gpu", "1", "a device's resource has a domain, such as nvidia.com/gpu"),
    ("resource-name", "CPU", "1", "did you mean cpu?"),
    ("resource-name", "Memory", "1Gi", "did you mean memory?"),
    ("resource-name", "storage", "1Gi", "'storage' is no resource of a container"),
    ("resource-name", "pods", "1", "'pods' is no resource of a container"),
    ("resource-name", "requests.nvidia.com/gpu", "1", "is a quota's name; write it without `requests.`"),
    ("resource-name", "nvidia.com/", "1", "'nvidia.com/' "),
    ("resource-name", "/gpu", "1", "'/gpu' has a prefix"),
    ("resource-name", "a/b/c", "1", "'a/b/c' has more than one '/'"),
    ("resource-name", "NVIDIA.com/gpu", "1", "'NVIDIA.com/gpu' has a prefix"),
    ("resource-name", "hugepages-big", "1Gi", "'hugepages-big' names no page size; write it as hugepages-2Mi"),
]


@pytest.mark.parametrize(
    ("rule", "name", "amount", "said"), REFUSED, ids=[f"{name}={amount!r}" for _, name, amount, _ in REFUSED]
)
def test_what_kubernetes_refuses_is_an_error_with_a_cure_for_this_resource(rule, name, amount, said):
    (found,) = findings(limits={name: amount})
    assert (found.error, found.rule, found.path) == (True, rule, f"limits.{name}")
    assert said in found.message


PAIRS = [
    ({"cpu": "2"}, {"cpu": "1"}, "request-above-limit", "2 is above the limit of 1; raise the limit or lower"),
    ({"memory": "2Gi"}, {"memory": "1024Mi"}, "request-above-limit", "2Gi is above the limit of 1024Mi"),
    ({"nvidia.com/gpu": 1}, {}, "extended-resource", "has no limit; nvidia.com/gpu needs one of the same amount"),
    ({"nvidia.com/gpu": 1}, {"nvidia.com/gpu": 2}, "extended-resource", "1 differs from the limit of 2"),
    ({"nvidia.com/gpu": 2}, {"nvidia.com/gpu": 1}, "extended-resource", "2 differs from the limit of 1"),
    (
        {"hugepages-2Mi": "2Mi", "cpu": "1"},
        {"hugepages-2Mi": "4Mi"},
        "extended-resource",
        "2Mi differs from the limit of 4Mi",
    ),
    ({}, {"hugepages-2Mi": "4Mi"}, "extended-resource", "needs a request or limit of cpu or memory beside it"),
    ({}, {"hugepages-2Mi": "3Mi", "cpu": "1"}, "quantity", "3Mi is no multiple of the page size in hugepages-2Mi"),
]


@pytest.mark.parametrize(("requests", "limits", "rule", "said"), PAIRS, ids=[row[3] for row in PAIRS])
def test_requests_and_limits_that_do_not_go_together_are_an_error(requests, limits, rule, said):
    (found,) = findings(requests, limits)
    assert (found.error, found.rule) == (True, rule)
    assert said in found.message


def test_the_same_amount_in_two_notations_is_the_same():
    assert findings({"cpu": 1, "nvidia.com/gpu": 1}, {"cpu": "1000m", "nvidia.com/gpu": "1"}) == []


@given(
    st.sampled_from(["cpu", "memory", "hugepages-2Mi", "nvidia.com/gpu", "x"]),
    st.text("0123456789.,+-eEmkKMGTPiuBnb ", max_size=8),
)
def test_every_amount_is_judged_and_what_it_should_have_been_is_one(name, text):
    for found in findings(limits={name: text}):
        _, asks, meant = found.message.rpartition("did you mean ")
        if asks and found.rule != "resource-name":
            assert parse_quantity(meant.removesuffix("?")) is not None
