"""A real hub and a real subscriber hear of changes: from `tidings serve`, and from `tidings build` by cron.

Usage: run.py PROGRAM PYTHON, with a program that was built and a Python that has what `requirements.txt` names.
"""
import base64, collections, http.server, json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile
import threading, time, traceback, urllib.error, urllib.parse, urllib.request

PROGRAM, PYTHON = (str(pathlib.Path(shutil.which(name) or name).absolute()) for name in sys.argv[1:3])
HUB_AND_SUBSCRIBER = pathlib.Path(__file__).absolute().with_name("hub.py")
# longer than anything here takes on a busy machine
LONG = 60
TYPES = {"rss.xml": "application/rss+xml", "atom.xml": "application/atom+xml", "feed.json": "application/feed+json"}
SECRET = "what only the hub and the subscriber know"

# settings of who runs this: a proxy would be asked for 127.0.0.1, and tidings would listen to its own
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith("TIDINGS_"):
        del os.environ[name]


def reserve():
    """A port that is nobody's, and that the kernel gives nobody for a minute who does not ask for it by number.

    An address must be known before its server runs, and stays the same while the server is stopped. A port that was merely
    seen to be free may by then be another run's, or an outgoing connection's; one with a connection that its side closed
    may not.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            listener.accept()[0].close()
            client.recv(1)
        return listener.getsockname()[1]


def until(what, holds):
    deadline = time.monotonic() + LONG
    while not holds():
        for name, child in running.items():
            assert child.poll() is None, f"{name} ended with {child.returncode}, in wait of this: {what}"
        assert time.monotonic() < deadline, f"never happened in {LONG} seconds: {what}"
        time.sleep(0.02)


def start(name, *command):
    # a name for each start, since a log tells also whether its process is ready
    with open(logs / name, "wb") as log:
        running[name] = subprocess.Popen(command, cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def stop(name):
    running[name].terminate()
    try:
        code = running[name].wait(LONG)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{name} did not stop in {LONG} seconds after SIGTERM") from None
    # only now, so that whatever happened before, it is killed in the end
    del running[name]
    return code


def start_library(name, role, address):
    where = urllib.parse.urlsplit(address)
    start(name, PYTHON, HUB_AND_SUBSCRIBER, role, state, str(where.port))
    until(f"{name} says where it is", lambda: f"http://{where.netloc}/\n" in (logs / name).read_text())


def build():
    run = subprocess.run([PROGRAM, "build"], cwd=work, text=True, capture_output=True, timeout=LONG)
    with open(logs / "tidings build", "a") as log:
        log.write(f"exit code {run.returncode}\n{run.stdout}{run.stderr}")
    assert run.returncode == 0, f"`tidings build` ended with {run.returncode}, should with 0: {run.stderr}"
    return run.stdout + run.stderr


def ask(url, method=None, form=None, body=None, **headers):
    """Status, header and body of an answer, whatever the status."""
    data = urllib.parse.urlencode(form).encode() if form else body
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=LONG) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def of_library(path, **request):
    status, _, body = ask(SUBSCRIBER + path, **request)
    assert status == 200, f"the subscriber could not {path} {request}: {body.decode(errors='replace')}"
    return json.loads(body)


def lines(name):
    path = state / name
    # the last may still be being written
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def pings(since=0):
    """How often tidings told the hub of each topic, but for the first so many times."""
    seen = []
    for request in lines("requests.jsonl"):
        form = request["form"]
        if ["hub.mode", "subscribe"] in form:
            continue
        topic = dict(form).get("hub.topic")
        said = f"tidings asked the hub for {request}, should for a POST of hub.mode=publish, hub.url and hub.topic"
        wanted = [["hub.mode", "publish"], ["hub.topic", topic], ["hub.url", topic]]
        assert (request["method"], request["path"], sorted(form)) == ("POST", "/hub", wanted), said
        assert request["type"].split(";")[0] == "application/x-www-form-urlencoded", said
        assert topic in TOPICS, f"tidings told the hub of {topic}, which is none of {TOPICS}"
        seen.append(topic)
    return collections.Counter(seen[since:])


def expect_once_each(what, since):
    counts = pings(since)
    assert counts == collections.Counter(TOPICS), f"{what}: the hub was told of {dict(counts)}, should once of each of {TOPICS}"


def write(name, day, words):
    text = f'---\ntitle: "The {name}"\ndate: 2024-05-{day:02}T08:00:00Z\n---\nNews of the {name}. {words}\n'
    (work / "articles" / f"{name}.md").write_text(text)


def edit(words):
    write("ferry", 2, words)


def expect_delivery(words):
    """Waits until every subscription has the words, and compares what it was given with what is at the topic."""
    def last():
        return {delivery["callback"]: delivery for delivery in lines("deliveries.jsonl")}

    for callback, (topic, secret) in subscriptions.items():
        sort = "with" if secret else "without"
        until(f"the subscriber {sort} secret is given {words!r} of {topic} (the hub was told of {dict(pings())} in all)",
              lambda: words.encode() in base64.b64decode(last().get(callback, {"body": ""})["body"]))
        delivery = last()[callback]
        _, headers, body = ask(topic)
        given = base64.b64decode(delivery["body"])
        assert given == body, f"delivered of {topic} were {given!r}, should be what is served: {body!r}"
        assert delivery["type"] == headers["Content-Type"], f"{topic} was delivered as {delivery['type']}"
        signed = delivery["signature"] is not None
        assert signed == secret, f"a delivery of {topic} {sort} secret has the signature {delivery['signature']}"


class Plain(http.server.SimpleHTTPRequestHandler):
    """Any web server: serves what `tidings build` wrote, with the `Link` header only if it is told to send one."""
    links = False

    def __init__(self, *request):
        super().__init__(*request, directory=work / "feeds")

    def guess_type(self, path):
        # without a charset Flask-WebSub does not get far in a body
        return TYPES.get(pathlib.Path(path).name, "text/html") + "; charset=utf-8"

    def end_headers(self):
        if self.links:
            self.send_header("Link", f'<{HUB}>; rel="hub", <{BASE}{self.path[1:]}>; rel="self"')
        super().end_headers()

    def log_message(self, form, *values):
        with open(logs / "web server", "a") as log:
            log.write(form % values + "\n")


def serve_tells_the_hub():
    start("tidings serve", PROGRAM, "serve")

    def served(topic):
        try:
            return ask(topic)[0] == 200
        except OSError:
            return False

    for topic in TOPICS:
        until(f"tidings serves {topic}", lambda: served(topic))
    until("the hub is told of the first feeds", lambda: set(pings()) >= set(TOPICS))
    expect_once_each("first feeds", 0)
    print("serve: tells the hub of the first feeds, once of each")

    for topic in TOPICS:
        _, headers, _ = ask(topic)
        links = headers.get_all("Link")
        assert links, f"{topic} has no `Link` header: {headers}"
        for status, headers, _ in [ask(topic, "HEAD"), ask(topic, If_None_Match=headers["ETag"])]:
            assert headers.get_all("Link") == links, f"{topic}: `Link` is {headers.get_all('Link')} with {status}, not {links}"
        for secret in (False, True):
            found = of_library("subscribe", form={"url": topic} | ({"secret": SECRET} if secret else {}))
            assert (found["hub_url"], found["topic_url"]) == (HUB, topic), f"at {topic} was found {found}"
            subscriptions[found["callback"]] = topic, secret
    print(f"discovery: the subscriber finds the hub and {', '.join(TYPES)}, and subscribes with a secret and without")

    told = pings().total()
    edit("It is late today.")
    expect_delivery("It is late today.")
    expect_once_each("an edit", told)
    print("serve: an edit is delivered as it is served, with a signature and without; the hub was told once of each feed")

    for callback in [callback for callback, (_, secret) in subscriptions.items() if secret]:
        before = len(lines("deliveries.jsonl"))
        status, _, _ = ask(f"{SUBSCRIBER}callbacks/{callback}", "POST", body=b"forged", X_Hub_Signature="sha256=" + 64 * "0")
        assert (status, len(lines("deliveries.jsonl"))) == (200, before), "the subscriber believed what the hub did not sign"
    print("signatures: the subscriber does not believe a forged one")

    told = pings().total()
    for minute in range(10):
        edit(f"It is {minute} minutes late.")
    expect_delivery("It is 9 minutes late.")
    code = stop("tidings serve")
    assert code == 0, f"`tidings serve` ended with {code} after SIGTERM, should with 0"
    # one each, unless the machine is too busy to write ten files within two seconds
    counts = pings(told)
    assert max(counts.values()) <= 2, f"of ten edits at once the hub was told {dict(counts)}, should once each"
    print(f"serve: ten edits at once are delivered, the hub was told {max(counts.values())} time(s) of each feed")


def the_next_build_tells_the_hub():
    for topic in [topic for topic in TOPICS if topic.endswith(".xml")]:
        # no `Link` header yet
        found = of_library("discover?" + urllib.parse.urlencode({"url": topic}))
        assert (found["hub_url"], found["topic_url"]) == (HUB, topic), f"in the body of {topic} was found {found}"
    feed = json.loads((work / "feeds/feed.json").read_bytes())
    found = feed.get("hubs"), feed.get("feed_url")
    assert found == ([{"type": "WebSub", "url": HUB}], BASE + "feed.json"), f"feed.json has as `hubs` and `feed_url` {found}"
    print("discovery: the bodies name the hub and themselves, too")
    Plain.links = True

    told = pings().total()
    assert build() == "", "`tidings build` has something to say where nothing changed, see its log"
    assert not pings(told), f"nothing changed, and the hub was told of {dict(pings(told))}"
    print("build: without a change it tells the hub nothing")

    edit("It is repaired.")
    build()
    expect_once_each("a build", told)
    expect_delivery("It is repaired.")
    print("build: tells the hub of an edit, once of each feed, and it is delivered")

    stop("hub")
    told = pings().total()
    edit("It is gone.")
    said = build()
    where = urllib.parse.urlsplit(HUB).netloc
    assert where in said, f"the hub is stopped, and `tidings build` does not name it ({where}): {said!r}"
    # what is outstanding is so once, however often it changes
    edit("It is back.")
    build()
    print("build: without the hub it ends with 0, and a warning names the hub")

    start_library("hub, again", "hub", HUB)
    build()
    expect_once_each("the first build with the hub", told)
    expect_delivery("It is back.")
    print("build: the next one tells the hub what is outstanding, once of each feed, and it is delivered")

    told = pings().total()
    assert build() == "", "`tidings build` has something to say where nothing is to be done, see its log"
    assert not pings(told), f"nothing is outstanding, and the hub was told of {dict(pings(told))}"
    print("build: the one after that has nothing to tell")


def main():
    (work / "articles").mkdir()
    (work / "tidings.toml").write_text(f'''base_url = "{BASE}"
title = "News from the pier"
author = "Ann Example"
hubs = ["{HUB}"]

[serve]
listen = ["{urllib.parse.urlsplit(BASE).netloc}"]
''')
    for day, name in enumerate(("boat", "ferry", "lighthouse"), 1):
        write(name, day, "All is well.")
    start_library("hub", "hub", HUB)
    start_library("subscriber", "subscriber", SUBSCRIBER)
    serve_tells_the_hub()
    with http.server.ThreadingHTTPServer(("127.0.0.1", urllib.parse.urlsplit(BASE).port), Plain) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            the_next_build_tells_the_hub()
        finally:
            server.shutdown()


def interrupted(number, _):
    # so that what is below as `finally` is done then, too
    raise InterruptedError(f"stopped by {signal.Signals(number).name}")


for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, interrupted)
running, subscriptions = {}, {}
work = pathlib.Path(tempfile.mkdtemp())
try:
    logs, state = work / "logs", work / "state"
    logs.mkdir()
    state.mkdir()
    BASE, HUB, SUBSCRIBER = (f"http://127.0.0.1:{reserve()}/" for _ in range(3))
    HUB += "hub"
    TOPICS = [BASE + name for name in TYPES]
    main()
except Exception as error:
    sys.stdout.flush()
    traceback.print_exc()
    for log in sorted(logs.iterdir()):
        told = log.read_text(errors="replace").splitlines()
        print(f"--- {log.name}, its last {min(len(told), 40)} lines", *told[-40:], sep="\n", file=sys.stderr)
    print(f"FAILED: {error}", file=sys.stderr)
    sys.exit(1)
finally:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    for child in running.values():
        child.kill()
        child.wait()
    shutil.rmtree(work)
