"""A page as a test reads it."""

from html.parser import HTMLParser
from urllib.parse import urlencode

NAMESPACE, SELECTOR = "trading-bots", "app=arbitrage-tuning,session_id in (a,b)"
TARGET = "target?" + urlencode({"namespace": NAMESPACE, "selector": SELECTOR})
VOID = {"meta", "link", "img", "input", "br", "hr", "col"}


class Page(HTMLParser):
    """A page's elements as (name, attributes), its text, and whether every element is closed by its own tag."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self._open = [], [], []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def links(self):
        return [attributes["href"] for attributes in self.all("a")]
