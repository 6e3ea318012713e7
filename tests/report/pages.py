"""A reader of pages for tests: it fails on tags that are not closed."""

from html.parser import HTMLParser

VOID = {"meta", "img", "input", "br", "path", "use", "rect", "line", "circle"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def check_needs_nothing_else(html: str) -> Page:
    """Checks that a page loads nothing, and returns it."""
    page = Page(html)
    sources = [attrs["src"] for tag, attrs in page.tags if "src" in attrs]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object")]
    assert "@import" not in html
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    return page
