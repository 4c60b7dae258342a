"""The reader's language, and whether every message has its words in each."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import k8s_tuning.web
from k8s_tuning.web import language

WEB = Path(k8s_tuning.web.__file__).parent
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("tlh, ko;q=0.4, en;q=0.3", "ko"),
        ("tlh", "en"),
        ("ko;q=0, en", "en"),
        ("KO", "ko"),
        ("ko;q=nonsense", "en"),
        ("*", "en"),
    ],
)
def test_the_preferred_language_of_those_here_is_chosen(header, expected):
    assert language.chosen(header) == expected


@given(st.text())
def test_any_header_gets_a_language(header):
    assert language.chosen(header) in language.languages()


def messages():
    """Every message of the templates and of their Python; a plural one as its singular."""
    found = extract_from_dir(
        WEB,
        [("templates/**.html", "jinja2"), ("**.py", "python")],
        {"templates/**.html": {"trimmed": "true", "silent": "false"}},
    )
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


@pytest.fixture(scope="module", params=[one for one in language.languages() if one != language.SOURCE])
def catalogue(request):
    with (WEB / "locale" / f"{request.param}.po").open("rb") as file:
        return read_po(file, locale=request.param, abort_invalid=True)


def test_every_message_is_translated(catalogue):
    translated = {entry.id if isinstance(entry.id, str) else entry.id[0] for entry in catalogue if entry.string}
    assert messages() - translated == set()


def test_no_translation_is_of_a_message_that_is_gone(catalogue):
    known = {entry.id if isinstance(entry.id, str) else entry.id[0] for entry in catalogue if entry.id}
    assert known - messages() == set()


def test_a_translation_has_its_messages_placeholders(catalogue):
    """A misspelled one would end the page with a KeyError."""
    for entry in catalogue:
        ids = (entry.id,) if isinstance(entry.id, str) else entry.id
        strings = (entry.string,) if isinstance(entry.string, str) else entry.string
        for string in strings if entry.id else ():
            assert set(PLACEHOLDER.findall(string)) == set(PLACEHOLDER.findall(ids[-1])), entry.id
            assert not entry.fuzzy, entry.id


def test_english_is_said_as_it_is_written():
    assert language.translations("en").gettext("Overview") == "Overview"
    assert language.translations("ko").gettext("Overview") == "개요"
