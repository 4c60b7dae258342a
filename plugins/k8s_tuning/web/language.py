"""The words of the pages in the reader's language: English, the source, and what `locale/` has (gettext's PO files)."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

SOURCE = "en"
_FOLDER = Path(__file__).parent / "locale"


@cache
def languages() -> tuple[str, ...]:
    """Every language that the pages speak, the source first."""
    return (SOURCE, *sorted(path.stem for path in _FOLDER.glob("*.po")))


def chosen(accept_language: str) -> str:
    """The language for an Accept-Language header (RFC 9110, 12.5.4): the preferred one of those here, else English."""
    wishes = []
    for position, part in enumerate(accept_language.split(",")):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            quality = 0.0
        wishes.append((-quality, position, tag.strip().lower().partition("-")[0]))
    for negative, _, language in sorted(wishes):
        if negative < 0 and language in languages():
            return language
    return SOURCE


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of one of `languages()`, compiled from its PO file."""
    if language == SOURCE:
        return NullTranslations()
    with (_FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=Locale.parse(language))
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
