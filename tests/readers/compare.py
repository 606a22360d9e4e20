"""Compares what foreign readers saw with the JSON Feed document, which says everything plainly.

usage: compare.py FEEDS OUT
"""
import calendar, html, json, os, re, sys, time

feeds, out = sys.argv[1:]
plain = json.load(open(os.path.join(feeds, "feed.json"), encoding="utf-8"))
want = {i["id"]: i for i in plain["items"]}
seen = {}
for name in ("python.json", "node.json"):
    seen.update(json.load(open(os.path.join(out, name), encoding="utf-8")))
failures = []


def instant(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def words(markup):
    # readers sanitise and re-serialise: the words and the addresses must be the same
    urls = sorted(html.unescape(u) for u in re.findall(r'(?:href|src)="([^"]*)"', markup or ""))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", markup or ""))).strip(), urls


def expect(reader, entry, what, got, wanted):
    if got != wanted:
        failures.append(f"{reader}: {what} of {entry} is {got!r}, should be {wanted!r}")


for reader, feed in sorted(seen.items()):
    expect(reader, "the feed", "title", feed["title"], plain["title"])
    expect(reader, "the feed", "ids", sorted(e["id"] for e in feed["entries"]), sorted(want))
    for e in feed["entries"]:
        i = want.get(e["id"])
        if i is None:
            continue
        expect(reader, e["id"], "link", e["link"], i["url"])
        title = html.unescape(e["title"]) if e["title"] else None
        if "title" in i:
            expect(reader, e["id"], "title", title, i["title"])
        elif "atom" not in reader and title:
            failures.append(f"{reader}: {e['id']} is a note, but has the title {title!r}")
        if "json" in reader or "rss" in reader or "atom" in reader:
            expect(reader, e["id"], "published", e["published"], instant(i["date_published"]))
        if e.get("updated") is not None:
            expect(reader, e["id"], "updated", e["updated"], instant(i["date_modified"]))
        if e.get("authors"):
            expect(reader, e["id"], "first author", e["authors"][0].split(",")[0], i["authors"][0]["name"])
        if e.get("html") is not None:
            expect(reader, e["id"], "content", words(e["html"]), words(i.get("content_html")))
        elif "content_html" in i:
            failures.append(f"{reader}: no content of {e['id']}")
        attachments = i.get("attachments", [])
        if e.get("enclosures") is not None and "json" not in reader:
            got = [(x["url"], str(x["length"]), x["type"]) for x in e["enclosures"]]
            expect(reader, e["id"], "enclosures", got, [(a["url"], str(a["size_in_bytes"]), a["mime_type"]) for a in attachments])

for failure in failures:
    print(failure)
print(f"{len(seen)} readings, {len(want)} entries each: {len(failures)} differences")
sys.exit(1 if failures or len(seen) < 10 or not want else 0)
