"""HTML that is read as a browser would, but for mistakes, which browsers forgive."""

from html.parser import HTMLParser

VOID = {"br", "img", "hr", "meta", "link", "input"}


class Read(HTMLParser):
    """Elements and text of HTML; it fails where elements do not close in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag not in VOID
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is given twice"
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def said_in(self, *tags):
        return [data for tag, data in self.texts if tag in tags]
