"""What contributors are given: templates, hooks and CI that do what they say."""

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"


def schema(name):
    """A schema that the check-jsonschema package carries."""
    found = files("check_jsonschema") / f"builtin_schemas/vendor/{name}.json"
    return json.loads(found.read_text(encoding="utf-8"))


def read(path):
    # GitHub reads `on` as the text that it is; PyYAML's 1.1 reads true.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def test_githubs_workflow_runs_the_whole_of_ci_on_every_python_that_is_supported():
    workflow = GITHUB / "workflows/ci.yaml"
    # The schema wants booleans and numbers as such, and its key `on` as a text.
    typed = {("on" if key is True else key): value for key, value in yaml.safe_load(workflow.read_text()).items()}
    jsonschema.validate(typed, schema("github-workflows"))
    job = typed["jobs"]["all"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert job["strategy"]["matrix"]["python"] == classifiers
    for target in ("lint", "docs", "test"):
        assert re.search(rf"^make {target}$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    ranges = typed["jobs"]["ranges"]["strategy"]["matrix"]["include"]
    assert [(one["target"], one["python"]) for one in ranges] == [
        ("test-lowest", classifiers[0]),
        ("test-newest", classifiers[-1]),
    ]


@pytest.mark.parametrize("form", ["bug.yaml", "wish.yaml"])
def test_an_issue_form_is_one(form):
    jsonschema.validate(yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / form).read_text()), schema("github-issue-forms"))


def test_commit_hooks_call_the_tools_of_the_checkout_and_need_no_network():
    config = read(ROOT / ".pre-commit-config.yaml")
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    for hook in hooks:
        tool, *arguments = hook["entry"].split()
        assert tool.startswith(".venv/bin/")
        assert Path(tool).name in lint[1].replace("$(BIN)/", "")
        assert all((ROOT / one).exists() for one in arguments if one.endswith(".py"))


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", ".github/PULL_REQUEST_TEMPLATE.md"])
def test_every_target_of_make_that_a_page_names_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {word for line in re.findall(r"`?make ((?:[a-z-]+ ?)+)", text) for word in line.split() if "-" in word}
    named |= set(re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= targets
