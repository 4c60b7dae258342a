"""Tests mirror the tree: a module that matters has a test of its name, or stands here with the test that is its."""

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "plugins/k8s_tuning"
# Shorter ones are tested by what they are for.
MATTERS = 80

# What only faces have, and parts of one thing: whoever changes one of these runs the test that stands beside it.
TESTED_BY = {}


def own_test(module):
    """Where a module's test is by its name: `a/b.py` by `a/test_b.py`, a package by `test_a.py` beside or in it."""
    if module.name == "__init__.py":
        name = f"test_{module.parent.name}.py"
        places = [TESTS / module.parent.parent / name, TESTS / module.parent / name]
    else:
        places = [TESTS / module.parent / f"test_{module.name}"]
    return next((place for place in places if place.exists()), None)


def modules():
    """Those that matter, from the package's folder."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE)
        if len(path.read_text(encoding="utf-8").splitlines()) > MATTERS and module != Path("__init__.py"):
            yield module


def test_each_module_that_matters_has_a_test_of_its_name_or_one_that_is_named_here():
    assert [str(one) for one in modules() if own_test(one) is None and str(one) not in TESTED_BY] == []


def test_what_is_named_here_is_there_and_needed():
    assert [test for test in TESTED_BY.values() if not (TESTS / test).exists()] == []
    needed = {str(one) for one in modules() if own_test(one) is None}
    assert sorted(set(TESTED_BY) - needed) == []
