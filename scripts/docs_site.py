"""A hook of mkdocs: the pages at the top of the checkout are pages of the site too, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

# Below docs/ each keeps its name, but for the first page, which a site calls index.
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are there, with their links as they are from docs/."""
    top = Path(config.config_file_path).parent
    for name, page in PAGES.items():
        if (top / name).exists():
            text = in_docs((top / name).read_text(encoding="utf-8"))
            files.append(File.generated(config, page, content=text))
    return files


def in_docs(text: str) -> str:
    """A page's text with its links as they are one folder below. What is not part of the site is named, not linked."""
    text = re.sub(r'(\]\(|src=")docs/', r"\1", text)
    text = text.replace("](README.md", "](index.md")
    return re.sub(r"(?<!!)\[([^\]\[]+)\]\((?:examples|include|\.github|dags|tests|plugins)\b[^)]*\)", r"`\1`", text)
