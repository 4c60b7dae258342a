"""The examples are of the shape that their readers take; every command in them and in the docs is a real one."""

from __future__ import annotations

import json
import re
import shlex
from importlib.resources import files
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from k8s_tuning import cli

ROOT = Path(__file__).parents[2]
TEXTS = sorted(path for path in (ROOT / "examples").rglob("*") if path.is_file())
DOCS = sorted([*(ROOT / "docs/runbooks").glob("*.md"), ROOT / "docs/alerting.md", ROOT / "docs/deploy.md"])


_STAGES = "generate|validate|apply|watch|health|record|history|alert|metrics|run|sandbox"
_COMMAND = re.compile(rf"(?<![\w/.-])k8s-tuning ((?:{_STAGES})\b[^;|&>#`\n]*)")


def commands(path: Path) -> list[str]:
    """Every `k8s-tuning …` that is meant to be typed or run: the words up to what ends a shell command."""
    lines = path.read_text().replace("\\\n", " ").splitlines()
    if path.suffix == ".md":
        # Code: indented, or between backticks. Output that was pasted has no prompt and is no command.
        lines = [part for line in lines for part in ([line] if line.startswith("    ") else line.split("`")[1::2])]
    else:
        lines = [line for line in lines if not line.lstrip().startswith("#")]
    return [found[1].strip() for line in lines for found in _COMMAND.finditer(line)]


@pytest.mark.parametrize("path", [*TEXTS, *DOCS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_is_one_that_the_command_line_takes(path: Path) -> None:
    """A flag that is renamed shows up here, not at the reader's."""
    assert [command for command in commands(path) if not _is_taken(command)] == []


def _is_taken(command: str) -> bool:
    try:
        cli.parser().parse_args(shlex.split(command))
    except SystemExit as stop:
        return not stop.code
    return True


def test_the_examples_do_hold_commands() -> None:
    """The search for commands finds them, so that the test above means something."""
    assert sum(len(commands(path)) for path in TEXTS) >= 9


def test_the_workflow_is_valid_for_github() -> None:
    """By GitHub's workflow schema, as the check-jsonschema package carries it."""
    schema = files("check_jsonschema") / "builtin_schemas/vendor/github-workflows.json"
    workflow = yaml.safe_load((ROOT / "examples/github-actions/tuning-session.yaml").read_text())
    # YAML 1.1 reads the key `on` as true; GitHub does not.
    workflow = {("on" if key is True else key): value for key, value in workflow.items()}
    jsonschema.validate(workflow, json.loads(schema.read_text()))


@pytest.mark.parametrize("file", ["monitor-cronjob.yaml", "pipeline-cronjob.yaml"])
def test_the_cronjobs_are_valid_for_kubernetes(file: str) -> None:
    """By the API's own schema, unknown fields refused."""
    for document in yaml.safe_load_all((ROOT / "examples/kubernetes" / file).read_text()):
        kubernetes_validate.validate(document, "1.34", strict=True)


def test_each_crontab_line_is_five_fields_a_command_or_a_setting() -> None:
    """No continued lines, and no % that cron would take for a newline."""
    for line in (ROOT / "examples/cron/k8s-tuning.crontab").read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.match(r"^([A-Z_]+=\S*|(\S+ ){5}\S.*)$", line), line
            assert "%" not in line
            assert not line.endswith("\\")
