"""Each file that is named on standard input: what feedparser remarks on, one line each."""
import json
import sys

import feedparser

for path in sys.stdin.read().split("\n"):
    if not path:
        continue
    if path.endswith(".json"):
        feed = json.load(open(path))
        if not feed["version"].startswith("https://jsonfeed.org/version/1") or any(not item["id"] for item in feed["items"]):
            print(f"{path}: no JSON Feed")
        continue
    feed = feedparser.parse(path, sanitize_html=False)
    if feed.bozo:
        print(f"{path}: {feed.bozo_exception!r}")
    for entry in feed.entries:
        if not entry.get("id") or not entry.get("link") or not (entry.get("published_parsed") and entry.get("updated_parsed")):
            print(f"{path}: {entry.get('id')}: no id, link or date")
