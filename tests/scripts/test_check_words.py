"""The check of words that were given up: it finds them in prose and in names, and leaves others alone."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/check_words.py"
found_in = runpy.run_path(str(SCRIPT))["found_in"]


@pytest.mark.parametrize(
    "text",
    [
        "nobody was told",
        "def test_it_is_told():",
        "self._told = 1",
        "class ToldIncident:",
        "TOLD = 3",
        "what is owed",
        "three ill Jobs",
        "ill_targets = 2",
        "the newest look",
        "a look, and",
        "the looks.",
        "TargetLook(",
        "mend it",
        "it owes that",
        "the fold's types",
        "no course of it",
        "a board of targets",
        "for ever",
        "it lets go of them",
    ],
)
def test_a_word_that_was_given_up_is_found(text):
    (found,) = found_in(f"\n{text}\n")
    assert found[0] == 2


@pytest.mark.parametrize(
    "text",
    [
        "untold, retold; a threshold",
        "still, fill, will, illegal, skill",
        "it looks like that; look at it; looking",
        "amend, recommend",
        "casefold(), manifold, threefold",
        "of course",
        "dashboard, keyboard",
        "`looks/` beside the history",
        'line["look"], outcome == "owed"',
        "K8sTuningNoticesOwed, k8s_tuning_notices_owed",
    ],
)
def test_other_words_and_names_that_stay_are_left_alone(text):
    assert list(found_in(text)) == []


def test_a_line_says_where_and_what_to_use(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("fine\nhe was told\n")
    done = subprocess.run([sys.executable, SCRIPT, page], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == f"{page}:2: told: use notified; reported or said of what is no alert\n"
