"""What every page has to be as text: whole, and alone."""

import json
import re
from html.parser import HTMLParser

VOID = {"meta", "input", "img", "br"}


class Checker(HTMLParser):
    """Sees that tags are closed in order, and collects what would be fetched."""

    def __init__(self, text):
        super().__init__()
        self.open, self.fetched, self.ids = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "action", "data"):
                self.fetched.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def assert_whole(text):
    """Tags are closed, names are unique, nothing is fetched, no place is left unfilled."""
    checker = Checker(text)
    assert not checker.fetched  # the script puts data addresses in
    assert len(checker.ids) == len(set(checker.ids))
    assert "default-src 'none'" in text
    outside = set(re.findall(r"https?://[^\"'\s]+", text))
    assert outside <= {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody fetches
    for mark in ("/*DATA*/", "/*STYLE*/", "/*SHARED*/", "/*SCRIPT*/", "<!--BODY", "<!--VIEWER"):
        assert mark not in text


def data_of(text):
    """What was put into a page."""
    return json.loads(re.search(r"^const data = (.*);$", text, re.MULTILINE)[1])
