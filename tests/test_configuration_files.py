"""Whatever stands in a file that people write, its reader gives data or an error of ours that names the file."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.odd_values import changed, places
from tests.profiles import examples

from k8s_tuning.alerts.config import load_config
from k8s_tuning.cluster import kubeconfig
from k8s_tuning.errors import TuningError
from k8s_tuning.stages.apply.policy import load_policy
from k8s_tuning.stages.generate.jobs import build_k8s_jobs_from_orchestrator
from k8s_tuning.stages.generate.session import load_session
from k8s_tuning.stages.health.policy import HealthPolicy
from k8s_tuning.stages.targets import load_targets
from k8s_tuning_sandbox.scenario import Scenario

CONFIGS = Path(__file__).parents[1] / "include/configs"
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "a",
    "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True}}],
    "users": [{"name": "a", "user": {"token": "t", "exec": None}}],
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "n"}}],
}


def session_and_jobs(path):
    build_k8s_jobs_from_orchestrator(load_session(path))


READERS = {
    "d29-k8s-demo-session.yaml": session_and_jobs,
    "search-example.yaml": session_and_jobs,
    "targets.yaml": load_targets,
    "apply.yaml": load_policy,
    "health.yaml": HealthPolicy.load,
    "alerting.yaml": load_config,
    "demo-scenario.yaml": lambda path: Scenario(path).refresh(),
    "kubeconfig": lambda path: kubeconfig.from_files(str(path), None),
}


def shipped(name):
    return KUBECONFIG if name == "kubeconfig" else yaml.safe_load((CONFIGS / name).read_text())


PLACES = {name: list(places(shipped(name))) for name in READERS}
# Written as they stand, unquoted.
PLAIN = [
    "12:30",
    "no",
    "on",
    "y",
    "010",
    "0o10",
    "1_000",
    "1e-4",
    "1e400",
    ".inf",
    "-.inf",
    ".nan",
    "~",
    "2025-11-16",
    "=",
    "<<",
    "9" * 400,
    "!!binary aGk=",
    "!!set {a}",
    "*nothing",
    "&a [*a]",
    "''",
    "'\\0'",
    "-1",
    "0",
    "0.5",
    "true",
    "{}",
    "[]",
    "[null]",
    "{a: null}",
    "{1: 2}",
    "[[[]]]",
    '"\\uFFFF"',
    "'🚀'",
    '"a\\tb"',
    "1000000000000",
    "99999999999999999999",
]


@given(st.data())
@settings(max_examples=examples(60))
@pytest.mark.parametrize("name", READERS)
def test_an_odd_value_anywhere_is_data_or_an_error_that_names_the_file(tmp_path_factory, name, data):
    path = data.draw(st.sampled_from(PLACES[name]))
    written = json.dumps(changed(shipped(name), path, "PLACEHOLDER"), ensure_ascii=False)
    check(tmp_path_factory, name, written.replace('"PLACEHOLDER"', data.draw(st.sampled_from(PLAIN))).encode())


@given(st.data())
@settings(max_examples=examples(30))
@pytest.mark.parametrize("name", READERS)
def test_damaged_bytes_are_data_or_an_error_that_names_the_file(tmp_path_factory, name, data):
    whole = yaml.safe_dump(shipped(name)).encode()
    start = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.integers(0, 20))
    check(tmp_path_factory, name, whole[:start] + data.draw(st.binary(max_size=8)) + whole[start + cut :])


def check(tmp_path_factory, name, content):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        READERS[name](path)
    except TuningError as error:
        said = str(error)
        # How many combinations there are is known when the Jobs are made, of a config that may come from no file.
        assert name in said or said.startswith("search: ")
        assert "\n" not in said
