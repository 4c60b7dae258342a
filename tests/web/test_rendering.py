"""How a page is made of an answer: its links, its language, its numbers of pages."""

import pytest
from starlette.requests import Request

from k8s_tuning.web import rendering


def problem(path="/", root="", language="en"):
    """The page that says what was not found."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{root}{path}",
        "root_path": root,
        "query_string": b"",
        "headers": [(b"accept-language", language.encode())],
    }
    return rendering.problem(Request(scope), 404, "<script>")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("7", 7),
        ("9" * 9, 999_999_999),
        *((text, 1) for text in (None, "", "0", "-1", "x", "1e9", "2.0", " 2", "٣", "9" * 10)),
    ],
)
def test_what_is_no_number_of_a_page_is_the_first(text, number):
    assert rendering.page_number(text) == number


@pytest.mark.parametrize("root", ["", "/k8s-tuning", "/base/k8s-tuning"])
@pytest.mark.parametrize(("path", "up"), [("/", "./"), ("/target", "./"), ("/a/b", "../")])
def test_links_are_relative_so_that_they_hold_under_any_base_path(root, path, up):
    text = problem(path, root).body.decode()
    assert f'href="{up}static/' in text
    assert f'href="{up.removeprefix("./")}sessions"' in text or f'href="{up}sessions"' in text
    assert 'href="/' not in text


def test_a_page_is_in_the_readers_language_and_says_that_it_depends_on_it():
    korean, english = problem(language="ko-KR,en;q=0.5"), problem(language="fr")
    assert (korean.headers["content-language"], english.headers["content-language"]) == ("ko", "en")
    assert korean.headers["vary"] == "Accept-Language, Cookie"
    assert korean.body != english.body


def test_a_strangers_words_are_text():
    assert b"&lt;script&gt;" in problem().body
