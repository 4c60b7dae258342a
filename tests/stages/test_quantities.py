"""Kubernetes' quantities."""

import json
import re
import shutil
import subprocess
from decimal import Decimal

import pytest

from k8s_tuning.stages.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("1", "1"), ("1.5", "1.5"), (".5", "0.5"), ("1Gi", "1073741824"), ("2k", "2000"), ("1e3", "1000"),
     ("1E3", "1000"), ("1E", "1000000000000000000"), ("100n", "1e-7"), ("+1", "1"), ("-1", "-1"), ("1.", "1")],
)  # fmt: skip
def test_reads_a_quantity_exactly(text, value):
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "lots", "1K", "1gi", "1 Gi", "1Gi\n", "1e", "e3", "--1", "1mi", "１", "NaN", "1e9999", "1" * 65]
)
def test_refuses_what_is_none(text):
    assert parse_quantity(text) is None


ODD = """500m 0.0001 100n 0.5m 1.5e3 1E3 1e-3 1e3m 1Ki 1K 1e 1.Gi .5Gi 1.1Gi 1e100 1E2E +1 -1 --1 1e+3 0x10 1i 0Mi
1EI 1Pi 1mi 1u 1.2.3 5E 1e9999m ١"""


@pytest.mark.slow
@pytest.mark.parametrize("text", re.findall(r"\S+", ODD))
def test_kubectl_takes_the_same_texts_for_quantities(text):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: b}]}\n"
    command = ["kubectl", "set", "resources", "--local", "-f", "-", f"--limits=memory={text}", "-o", "json"]
    done = subprocess.run(command, input=pod, capture_output=True, text=True, timeout=60, check=False)
    ours = parse_quantity(text)
    assert (done.returncode == 0) == (ours is not None), done.stderr
    if ours is not None:
        shown = json.loads(done.stdout)["spec"]["containers"][0]["resources"]["limits"]["memory"]
        assert parse_quantity(shown) == ours
