"""The sandbox's state: versions, pages, changes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s_tuning.cluster.selectors import parse
from k8s_tuning_sandbox.resources import JOBS, PODS
from k8s_tuning_sandbox.status import Refusal
from k8s_tuning_sandbox.store import Change, Selection, Store


def thing(name: str, namespace: str = "a", owner: str = "", **labels: str) -> dict[str, Any]:
    """An object as the store takes it."""
    meta: dict[str, Any] = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "labels": labels}
    if owner:
        meta["ownerReferences"] = [{"uid": owner}]
    return {"metadata": meta, "spec": {}}


def filled(count: int) -> Store:
    """A store with Jobs in two namespaces."""
    store = Store()
    for index in range(count):
        store.put(JOBS, thing(f"job-{index:03}", "ab"[index % 2], odd=str(index % 3 == 0)))
    return store


@given(count=st.integers(0, 25), limit=st.integers(1, 9), namespace=st.sampled_from(["", "a", "b"]), data=st.data())
def test_pages_are_the_list_cut_up_whatever_is_written_between(
    count: int, limit: int, namespace: str, data: st.DataObject
) -> None:
    store = filled(count)
    selection = Selection(JOBS, namespace, parse(data.draw(st.sampled_from(["", "odd=True", "odd!=True", "nothing"]))))
    whole = store.page(selection, 0).records
    found, token, revisions = [], "", set()
    while True:
        page = store.page(selection, limit, token)
        assert len(page.records) <= limit
        assert page.remaining is None or page.remaining == len(whole) - len(found) - len(page.records)
        found += page.records
        revisions.add(page.revision)
        token = page.continue_token
        if not token:
            break
        store.put(JOBS, thing(f"new-{len(found)}", data.draw(st.sampled_from("ab"))))
        store.remove(JOBS, *data.draw(st.sampled_from(whole)).key)
    assert found == whole
    assert len(revisions) == 1


@given(
    st.lists(st.tuples(st.sampled_from(["put", "remove"]), st.sampled_from("xyz"), st.sampled_from("12")), max_size=20)
)
def test_replaying_the_changes_gives_the_same_objects(steps: list[tuple[str, str, str]]) -> None:
    store = Store()
    start = store.revision
    said: list[Change] = []
    store.listeners.append(said.append)
    for step, name, value in steps:
        if step == "put":
            store.put(JOBS, thing(name, v=value))
        else:
            store.remove(JOBS, "a", name)
    changes = store.changes(start)
    assert changes == said
    revisions = [change.record.revision for change in changes]
    assert revisions == sorted(set(revisions))
    replayed: dict[str, bytes] = {}
    for change in changes:
        assert (change.kind == "ADDED") == (change.before is None)
        if change.kind == "DELETED":
            del replayed[change.record.name]
        else:
            replayed[change.record.name] = change.record.raw
    assert replayed == {record.name: record.raw for record in store.records(Selection(JOBS))}


def test_a_write_that_changes_nothing_makes_no_version() -> None:
    store = Store()
    first = store.put(JOBS, thing("x", v="1"))
    assert store.put(JOBS, thing("x", v="1")) is first
    assert store.put(JOBS, thing("x", v="2")).revision > first.revision


def test_what_a_reader_holds_does_not_change_under_it() -> None:
    store = Store()
    held = store.put(JOBS, thing("x", v="1"))
    loaded = held.load()
    loaded["metadata"]["labels"]["v"] = "mine"
    store.put(JOBS, thing("x", v="2"))
    assert held.load()["metadata"]["labels"] == {"v": "1"}


def test_owned_objects_are_found_until_they_go_or_are_orphaned() -> None:
    store = Store()
    for name in ("one", "two", "three"):
        store.put(PODS, thing(name, owner="job"))
    store.remove(PODS, "a", "one")
    store.put(PODS, thing("two"))
    assert [record.name for record in store.owned("job", PODS)] == ["three"]
    assert store.owned("another", PODS) == []


def test_after_a_compaction_old_versions_and_tokens_are_gone() -> None:
    store = filled(5)
    token = store.page(Selection(JOBS), 2).continue_token
    store.compact()
    with pytest.raises(Refusal) as caught:
        store.page(Selection(JOBS), 2, token)
    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    with pytest.raises(Refusal) as late:
        store.changes(2)
    assert (late.value.code, late.value.reason) == (410, "Expired")
    assert store.changes(store.revision) == []
    # The refusal's own token goes on from the same place in what is there now.
    rest = store.page(Selection(JOBS), 0, caught.value.body()["metadata"]["continue"])
    assert len(rest.records) == 3


@pytest.mark.parametrize("token", ["zzz", "e30", "bnVsbA", "eyJydiI6IngiLCJzdGFydCI6IiJ9"])
def test_a_token_that_is_none_is_a_bad_request(token: str) -> None:
    with pytest.raises(Refusal) as caught:
        filled(3).page(Selection(JOBS), 1, token)
    assert caught.value.code == 400
