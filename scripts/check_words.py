"""Finds words that this project has given up for the field's own. `make lint` runs it; docs/glossary.md has the words.

    python scripts/check_words.py [FILE …]    without files: every file that Git knows

Exit 0 where there is none, else 1, with a line `file:line: word: use …` for each.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BEFORE_A_NOUN = "a|an|the|each|every|last|latest|newest|newer|older|first|next|this|that|another|one|per"

# A word of prose or a part of a name: `told`, `told_incidents`, `_told`, `ToldIncident`; not `untold` or `tolds`.
BANNED = {
    "told": "notified; reported or said of what is no alert",
    "owe[ds]": "pending",
    "ill": "failing, unhealthy or not OK",
    "mend(?:s|ed|ing)?": "fix or repair",
    "folds?": "running totals, checkpoint",
    "wires?|wired": "connect; plain values",
    "hears?|heard": "is notified, receives",
    "flying": "claimed by another run",
    "sights?": "observation",
    "stretch(?:es)?": "period",
    "boards?": "overview",
    "fares?|fared|faring": "goes on; status",
    "for ever": "indefinitely",
    "by whose will": "the field's term",
    "lets? go of": "release",
    # Two that are common words too: only where they can mean nothing else.
    f"(?:{BEFORE_A_NOUN}) looks?(?= |$|[.,:;)'])": "snapshot (what was read) or check (read, judge and record once)",
    "(?:looked|target|job)[_ ]looks?|looks?_?(?:store|dir|file)": "latest snapshot",
    "(?<!of )courses?": "incident update",
}
# What stands in files on disk, in the public interface, or in others' languages, and stays.
ALLOWED = re.compile(
    r"""K8sTuningNoticesOwed | (?:k8s_tuning_)?notices_owed\w* | looks/ | (["'`])(?:owed|look|looks)\1
    | ill_jobs | told_severity | wire\ type""",
    re.VERBOSE,
)
WORD = re.compile(
    "|".join(rf"(?<![A-Za-z])(?P<w{number}>{word})(?![a-z])" for number, word in enumerate(BANNED)), re.IGNORECASE
)
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Written by others, by machines, or about these very words.
SKIPPED = re.compile(
    r"static/vendor/|tests/golden/|tests/scripts/test_check_words\.py|include/kubernetes/overlays/|include/compose/|docs/glossary\.md|CHANGELOG\.md"
    r"|scripts/check_words\.py|\.(?:png|svg|ico|woff2?|mo|js|css|json|jsonl|lock)$"
)


def found_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Each banned word as (line number from 1, the word, what to use)."""
    for number, line in enumerate(text.splitlines(), 1):
        # A name in camel case is its words.
        for match in WORD.finditer(CAMEL.sub(" ", ALLOWED.sub("", line))):
            yield number, match[0], list(BANNED.values())[int(str(match.lastgroup)[1:])]


def known_to_git() -> Iterable[Path]:
    """The files of the checkout that this check is about."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return (ROOT / name for name in sorted(listed.split("\0")) if name and not SKIPPED.search(name))


def main(arguments: list[str]) -> int:
    """The exit code."""
    code = 0
    for path in map(Path, arguments) if arguments else known_to_git():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for number, word, instead in found_in(text):
            shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            print(f"{shown}:{number}: {word}: use {instead}")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
