"""Warning headers are read as RFC 7234 has them, and shown beside the Job that they are about."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cluster.api_double import Answer, ApiDouble, Request, page, refusal

from k8s_tuning import plain_values
from k8s_tuning.cluster.apply import K8sApplyExecutor
from k8s_tuning.cluster.exchange import LONGEST_WARNING, MOST_WARNINGS, read_warnings
from k8s_tuning.stages.apply.plan import ApplyStatus, K8sApplyJobResult, generate_apply_report_text
from k8s_tuning.stages.generate.jobs import generate_jobs
from k8s_tuning.stages.generate.session import load_session

SESSION = load_session(Path(__file__).parents[2] / "include/configs/d29-k8s-demo-session.yaml")
POD_SECURITY = (
    'would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "tuning" must set '
    "securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true"
)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], []),
        (['299 - "one"'], ["one"]),
        (['299 - "one"', '299 - "two"'], ["one", "two"]),
        (['299 - "one", 299 - "two"'], ["one", "two"]),
        (['299 - "a, b",299 - "c"'], ["a, b", "c"]),
        (['299 - "say \\"no\\" \\\\ twice"'], ['say "no" \\ twice']),
        (['299 kube-apiserver:6443 "x" "Wed, 21 Oct 2015 07:28:00 GMT", 199 - "y"'], ["x", "y"]),
        (['299 - "same"', '299 - "same"'], ["same"]),
        (['299 - ""'], []),
        ([quoted(POD_SECURITY)], [POD_SECURITY]),
        (['299 - "경고 🚨"'], ["경고 🚨"]),
        (['299 - "red \x1b[31mpaint\x07"'], ["red paint␇"]),
        (['299 - "no end'], ['299 - "no end']),
        (['299 - "good", odd "words"'], ["good", 'odd "words"']),
        (["just words"], ["just words"]),
        ([quoted("x" * 5000)], ["x" * (LONGEST_WARNING - 1) + "…"]),
    ],
)
def test_a_warning_is_read_as_the_rfc_has_it(headers: list[str], texts: list[str]) -> None:
    assert read_warnings(headers) == texts


def test_warnings_without_number_are_counted_and_left_out() -> None:
    found = read_warnings([quoted(f"w{number}") for number in range(100)])
    assert (found[0], found[-1], len(found)) == ("w0", "… and 80 more", MOST_WARNINGS + 1)


@given(st.lists(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])), max_size=8))
def test_whatever_is_quoted_is_read_as_it_was(texts: list[str]) -> None:
    once = list(dict.fromkeys(" ".join(text.split()) for text in texts))
    assert read_warnings([", ".join(map(quoted, texts))]) == [text for text in once if text]


@given(st.lists(st.text(), max_size=5))
def test_no_header_is_a_surprise_or_unbounded(headers: list[str]) -> None:
    for text in read_warnings(headers):
        assert len(text) <= LONGEST_WARNING
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", text)


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "apply"])
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "taken"])
def test_a_warning_is_shown_beside_its_job_in_text_and_json(
    refused: bool, dry_run: bool, api: ApiDouble, tmp_path: Path
) -> None:
    def warns(request: Request) -> Answer:
        if request.method != "PATCH":
            return page("Job", []) if request.path.endswith("/jobs") else refusal(404, "not found", "NotFound")
        answer = refusal(422, "is invalid", "Invalid") if refused else Answer({"kind": "Job"}, 201)
        if "worker-1" in request.path:
            answer.headers["Warning"] = f'{quoted(POD_SECURITY)}, 299 - "fractional byte value \\"512m\\""'
        return answer

    api.answer = warns
    generate_jobs(SESSION, tmp_path / "jobs")
    executor = K8sApplyExecutor(dry_run, api.kubeconfig(tmp_path))
    result = executor.execute_plan(executor.build_plan(tmp_path / "jobs"))
    assert [job.warnings for job in result.job_results] == [[POD_SECURITY, 'fractional byte value "512m"'], []]
    assert result.job_results[0].return_code == int(refused)
    text = generate_apply_report_text(result)
    assert text.index("worker-1") < text.index(f"    Warning: {POD_SECURITY}") < text.index("worker-2")
    shown: Any = json.loads(json.dumps(plain_values.dump(result)))
    assert shown["job_results"][0]["warnings"][0] == POD_SECURITY


def test_a_result_without_warnings_of_an_earlier_version_is_read() -> None:
    job = K8sApplyJobResult("a", "n", "a.yaml", ["kubectl"], 0, "", "", ApplyStatus.SUCCESS, "2026-01-01T00:00:00Z")
    shown = plain_values.dump(job)
    assert shown.pop("warnings") == []
    assert plain_values.load(K8sApplyJobResult, shown) == job
