"""Reads RSS, Atom and JSON Feed documents with feedparser and reader, and writes what they saw as JSON.

usage: python_readers.py FEEDS OUT
"""
import calendar, datetime, json, os, sys

import feedparser
from reader import make_reader

feeds, out = sys.argv[1:]


def instant(parsed):
    return calendar.timegm(parsed) if parsed else None


def with_feedparser(name):
    d = feedparser.parse(os.path.join(feeds, name))
    assert not d.bozo, f"feedparser finds {name} broken: {d.get('bozo_exception')}"
    entries = []
    for e in d.entries:
        html = [c.value for c in e.get("content", []) if "html" in c.type]
        entries.append(dict(
            id=e.id, link=e.link, title=e.get("title"), published=instant(e.get("published_parsed")),
            updated=instant(e.get("updated_parsed")), authors=[a.get("name") for a in e.get("authors", []) if a.get("name")],
            tags=sorted(t.term for t in e.get("tags", [])), html=html[0] if html else None,
            enclosures=[dict(url=x.href, length=x.get("length"), type=x.get("type")) for x in e.get("enclosures", [])]))
    return dict(title=d.feed.title, entries=entries)


def with_reader(name):
    r = make_reader(":memory:", feed_root=os.path.abspath(feeds))
    r.add_feed(name)
    r.update_feed(name)
    feed = r.get_feed(name)
    assert feed.last_exception is None, f"reader cannot read {name}: {feed.last_exception}"

    def stamp(d):
        return int(d.replace(tzinfo=d.tzinfo or datetime.timezone.utc).timestamp()) if d else None

    entries = [dict(
        id=e.id, link=e.link, title=e.title, published=stamp(e.published), updated=stamp(e.updated),
        authors=[e.authors_str] if e.authors_str else [],
        html=next((c.value for c in e.content if c.type and "html" in c.type), None),
        enclosures=[dict(url=x.href, length=x.length, type=x.type) for x in e.enclosures]) for e in r.get_entries(feed=name)]
    r.close()
    return dict(title=feed.title, entries=entries)


seen = {"feedparser rss.xml": with_feedparser("rss.xml"), "feedparser atom.xml": with_feedparser("atom.xml")}
for name in ("rss.xml", "atom.xml", "feed.json"):
    seen["reader " + name] = with_reader(name)
json.dump(seen, open(os.path.join(out, "python.json"), "w"))
