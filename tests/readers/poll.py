"""Real readers subscribe to `tidings serve` and poll again: the later poll must get a 304.

Usage: poll.py PROGRAM PYTHON, with a program that was built and a Python that has `feedparser` and `reader`.
"""
import json, os, pathlib, shutil, subprocess, sys, tempfile, time, urllib.request

PROGRAM, PYTHON = sys.argv[1:3]
work = pathlib.Path(tempfile.mkdtemp())
for name in ("articles", "tidings.toml", "ledger.jsonl"):
    source = pathlib.Path(name)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, work / name)
settings = (work / "tidings.toml").read_text()
(work / "tidings.toml").write_text(settings + '\n[serve]\nlog = "json"\n')
log = open(work / "access.log", "w")
told = open(work / "told.log", "w")
server = subprocess.Popen([PROGRAM, "serve", "--listen", "127.0.0.1:0"], cwd=work, stdout=log, stderr=told)

FEEDPARSER = """
import feedparser, sys
first = feedparser.parse(sys.argv[1])
assert first.status == 200 and len(first.entries) >= 5 and not first.bozo, first
again = feedparser.parse(sys.argv[1], etag=first.etag, modified=first.modified)
assert again.status == 304, again.status
"""
READER = """
import reader, sys
with reader.make_reader(':memory:') as subject:
    subject.add_feed(sys.argv[1])
    for _ in range(2):
        # by name: the whole list would wait for the hour to pass
        subject.update_feed(sys.argv[1])
    assert subject.get_entry_counts().total >= 5
    assert subject.get_feed(sys.argv[1]).last_exception is None
"""


def polls(path):
    lines = (work / "access.log").read_text().splitlines()
    return [line["status"] for line in map(json.loads, lines) if line["target"] == path]


def run(*command, **environment):
    outcome = subprocess.run(command, env=os.environ | {"HOME": str(work)} | environment, cwd=work, text=True, capture_output=True)
    assert outcome.returncode == 0, (command, outcome.stdout, outcome.stderr)


def python(script):
    return lambda url: run(PYTHON, "-c", script, url)


def newsboat(url):
    folder = work / "newsboat"
    folder.mkdir()
    (folder / "urls").write_text(url + "\n")
    (folder / "config").write_text("reload-time 1\n")
    # its second run is the first to know the row in which it keeps validators
    for _ in range(3):
        run("newsboat", "-u", folder / "urls", "-C", folder / "config", "-c", folder / "cache.db", "-x", "reload")


def rss2email(url):
    config, data = work / "r2e.cfg", work / "r2e.json"
    r2e = ["r2e", "-c", config, "-d", data]
    run(*r2e, "new", "reader@example.org")
    run(*r2e, "add", "harbour", url)
    for _ in range(2):
        run(*r2e, "run", "--no-send")


READERS = [("feedparser", "/rss.xml", python(FEEDPARSER)), ("reader", "/atom.xml", python(READER)),
           ("newsboat", "/rss.xml?newsboat", newsboat), ("rss2email", "/atom.xml?rss2email", rss2email)]
try:
    deadline = time.time() + 60
    while "open http" not in (work / "told.log").read_text():
        assert server.poll() is None and time.time() < deadline, (work / "told.log").read_text()
        time.sleep(0.05)
    base = (work / "told.log").read_text().split("open ")[1].split("/\n")[0]
    while True:
        answer = urllib.request.urlopen(base + "/feeds.opml")
        since = answer.headers["Last-Modified"]
        request = urllib.request.Request(base + "/feeds.opml", headers={"If-Modified-Since": since})
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            assert error.code == 304
            break
        assert time.time() < deadline
        time.sleep(0.2)
    for name, path, poll in READERS:
        poll(base + path)
        for _ in range(100):
            statuses = polls(path)
            if len(statuses) >= 2:
                break
            time.sleep(0.05)
        assert statuses[0] == 200 and statuses[-1] == 304, (name, statuses)
        print(f"{name}: {statuses}")
finally:
    server.terminate()
    server.wait()
    shutil.rmtree(work)
