"""Every path in the shared folder is made in one place, under the names that files on disk have."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import k8s_tuning
from k8s_tuning.storage.state_dir import StateDir

PACKAGE = Path(k8s_tuning.__file__).parent
ON_DISK = {
    "history": "health.jsonl",
    "ledger": "alerts-ledger.jsonl",
    "runs": "runs.jsonl",
    "latest": "looks",
    "sessions": "sessions",
    "handovers": "handover",
    "jobs": "jobs",
}


def test_the_names_on_disk_are_those_of_all_versions(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    assert {name: getattr(state, name) for name in ON_DISK} == {name: tmp_path / file for name, file in ON_DISK.items()}


def test_a_history_of_another_name_has_the_rest_beside_it(tmp_path: Path) -> None:
    state = StateDir.of_history(tmp_path / "own.jsonl")
    assert (state.history, state.ledger) == (tmp_path / "own.jsonl", tmp_path / "alerts-ledger.jsonl")


def test_the_folder_is_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K8S_TUNING_HISTORY_DIR", str(tmp_path))
    assert StateDir.default().history == tmp_path / "health.jsonl"


@pytest.mark.parametrize(
    "module", sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "state_dir.py")
)
def test_no_other_module_joins_a_name_of_the_folder(module: str) -> None:
    """`folder / "looks"` elsewhere would part what is written from what is read."""
    names = set(ON_DISK.values())
    joined = [
        node.right.value
        for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant)
    ]
    assert names.isdisjoint(joined)
