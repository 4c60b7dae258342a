"""Which of the applied Jobs have ended."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.stages.monitor.wait import WaitProgress, generate_wait_report_text

PHASES = st.sampled_from(["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "UNKNOWN"])


@pytest.mark.parametrize(
    ("looks", "over", "as_dict"),
    [
        pytest.param([{"a": "RUNNING", "b": "PENDING"}], False, ([], [], ["a", "b"]), id="none has ended"),
        pytest.param([{"a": "SUCCEEDED", "b": "FAILED"}], True, (["a"], ["b"], []), id="both have ended"),
        pytest.param([{"a": "SUCCEEDED", "b": "UNKNOWN"}], False, (["a"], [], ["b"]), id="unknown is not over"),
        pytest.param([{"a": "SUCCEEDED", "b": "RUNNING"}, {"b": "FAILED"}], True, (["a"], ["b"], []), id="TTL"),
        pytest.param([{"a": "RUNNING", "b": "FAILED"}, {"b": "FAILED"}], True, ([], ["b"], []), id="one was deleted"),
        pytest.param([{"b": "SUCCEEDED"}, {"a": "RUNNING"}], False, (["b"], [], ["a"]), id="one is seen late"),
        pytest.param([{"a": "FAILED", "b": "SUCCEEDED"}, {"a": "RUNNING"}], False, (["b"], [], ["a"]), id="made anew"),
        pytest.param([{"a": "FAILED", "b": "RUNNING"}, {"b": "SUCCEEDED"}], True, (["b"], ["a"], []), id="failed, TTL"),
        pytest.param([{"other": "RUNNING"}], True, ([], [], []), id="strangers do not count"),
    ],
)  # fmt: skip
def test_waiting_is_over_when_no_job_can_still_end(looks, over, as_dict):
    progress = WaitProgress(["a", "b"])
    assert [progress.see(look) for look in looks][-1] is over
    assert progress.as_dict() == dict(zip(("succeeded", "failed", "waiting"), as_dict, strict=True))


@pytest.mark.parametrize(
    ("phases", "over", "as_dict"),
    [
        pytest.param({}, True, (["a"], ["b"], []), id="both are gone by now"),
        pytest.param({"a": "RUNNING", "b": "RUNNING"}, False, ([], [], ["a", "b"]), id="both were made anew"),
        pytest.param({"a": "FAILED"}, True, ([], ["a", "b"], []), id="what is there counts"),
    ],
)
def test_what_an_earlier_watch_saw_end_has_ended(phases, over, as_dict):
    progress = WaitProgress(["a", "b", "c"], {"a": "SUCCEEDED", "b": "FAILED", "c": "RUNNING", "other": "FAILED"})
    assert progress.as_dict() == {"succeeded": ["a"], "failed": ["b"], "waiting": ["c"]}
    assert progress.see(phases) is over
    assert progress.as_dict() == dict(zip(("succeeded", "failed", "waiting"), as_dict, strict=True))


@given(st.lists(st.dictionaries(st.sampled_from("abcx"), PHASES)))
def test_a_job_is_in_one_list_at_most_and_a_success_is_never_forgotten(looks):
    progress, succeeded = WaitProgress("abc"), set()
    for look in looks:
        over = progress.see(look)
        succeeded |= {name for name in "abc" if look.get(name) == "SUCCEEDED"}
        now = progress.as_dict()
        assert succeeded <= set(now["succeeded"])
        names = list(itertools.chain(*now.values()))
        assert len(names) == len(set(names))
        assert set(names) <= set("abc")
        assert over is (now["waiting"] == [])


def test_the_report_names_what_still_runs():
    text = generate_wait_report_text({"succeeded": ["a"], "failed": ["b"], "waiting": ["c"]}, 60.0)
    assert text.splitlines()[0] == "2 Job(s) ended: 1 succeeded, 1 failed."
    assert "After 60 s still not ended: c." in text
