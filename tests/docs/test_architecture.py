"""What the docs say of the code is there: each module, class and function that a path or a decision names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (ROOT, ROOT / "plugins/k8s_tuning", ROOT / "sandbox/k8s_tuning_sandbox", ROOT / "include/configs")
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "docs/architecture.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]
FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|yaml|toml|txt))`")
STEP = re.compile(r"^\d+\. `([\w/.]+\.py)`(?: · `([\w.]+)`)?: ", re.MULTILINE)


def found(name):
    return next((room / name for room in ROOMS if (room / name).exists()), None)


def defined(path):
    """The names of a module and of its classes, `Class.method`."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
            names |= {
                f"{node.name}.{one.name}"
                for one in getattr(node, "body", ())
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_a_page_names_is_there(page):
    # A folder on the shared volume is no file of the checkout, nor is a placeholder.
    named = {name for name in FILE.findall(page.read_text(encoding="utf-8")) if "…" not in name}
    assert named or page.stem in ("index", "masking")
    assert {name for name in named if found(name) is None} == set()


def test_each_step_of_a_path_is_where_the_page_says():
    steps = STEP.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert len(steps) > 30
    assert [f"{path}: {name}" for path, name in steps if name and name not in defined(found(path))] == []
