"""The campaign against feeds in a bucket: publishers, replicas and the servers of the store are killed at random, and what must
always hold is looked at all along.

Usage: chaos.py TIDINGS WEED [--publications N] [--races N] [--seed S] [--held-up PART]
TIDINGS is a program with buckets compiled in.

The store is a SeaweedFS cluster (one master, three volume servers, each object on two of them, a filer, an S3 gateway).
Part 1: two machines with the same articles publish to one prefix, in turns or at once, and two replicas follow. Killed (-9) are
publishers in the middle of a build, volume servers (one at a time), the gateway and replicas; in PART of the publications a
publisher is held up (SIGSTOP) while the other one goes on. A build that dies or exits 5 is repeated.
Part 2: two publishers start at once on the same change, again and again.

What must hold, of everything that is seen:
- every manifest parses, and each blob that it names is there, with its hash (the hash is reckoned here, in `blake3`);
- an edition is one manifest and no other, and the next one is a later one; no article in it is older than before;
- an article has one id and one date of publication for ever, in every feed.json and in the segments of the ledger;
- a public key or a replica shows nothing that no manifest ever named; a key is never of an older edition than before;
- a replica's tag is that of its bytes, its date that of the manifest, and it never goes back, not in a restart either;
- after a build that succeeded, rss.xml and feed.json have the newest text of each article, and of no other;
- at rest the public keys are what the manifest names, byte for byte, no more and no less, and the replicas serve the same;
  a build that finds nothing to do publishes nothing, the machines have one ledger, and none is put aside that nobody touched.
A replica has 2 seconds to converge, from the last moment at which the manifest was still another one. While the gateway is
down, and in the seconds after, that is reported and not judged: a client that waits to try again waits up to four seconds.

It ends with 1 at the first thing that does not hold, and says where the evidence is; otherwise nothing is left behind.
"""
import argparse, collections, datetime, email.utils, functools, http.client, json, os, pathlib, queue, random, re, shutil
import signal, struct, subprocess, sys, tempfile, threading, time, traceback, urllib.error, urllib.parse, urllib.request

# nothing is to be left behind
sys.dont_write_bytecode = True
import store

PROMPT, LONG, CALM = 2.0, 120, 5.0
FEEDS = ("feed.json", "rss.xml", "atom.xml")
FRESH, MANY = 10, 24
UNTIDY = ("editions without a change", "ledgers that differ", "ledgers put aside")
now = time.monotonic


class Violation(Exception):
    """Something that must hold does not."""


class Over(Exception):
    """The campaign is over, and nothing is to be started any longer."""


# BLAKE3, as its paper has it; the library of Python has none

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXED = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK, START, END, PARENT, ROOT = 1024, 1, 2, 4, 8


def turned(word, bits):
    return (word >> bits | word << 32 - bits) & 0xFFFFFFFF


def compressed(chain, block, counter, flags, length=64):
    words = struct.unpack("<16I", block.ljust(64, b"\0"))
    v = [*chain, *IV[:4], counter & 0xFFFFFFFF, counter >> 32, length, flags]
    for _ in range(7):
        for number, (a, b, c, d) in enumerate(MIXED):
            v[a] = v[a] + v[b] + words[2 * number] & 0xFFFFFFFF
            v[d] = turned(v[d] ^ v[a], 16)
            v[c] = v[c] + v[d] & 0xFFFFFFFF
            v[b] = turned(v[b] ^ v[c], 12)
            v[a] = v[a] + v[b] + words[2 * number + 1] & 0xFFFFFFFF
            v[d] = turned(v[d] ^ v[a], 8)
            v[c] = v[c] + v[d] & 0xFFFFFFFF
            v[b] = turned(v[b] ^ v[c], 7)
        words = [words[index] for index in PERMUTATION]
    return [v[index] ^ v[index + 8] for index in range(8)]


def node(data, counter):
    """What is to be compressed last of some data: of a chunk its last block, of more its two halves."""
    if len(data) > CHUNK:
        left = CHUNK << ((len(data) - 1) // CHUNK).bit_length() - 1
        halves = compressed(*node(data[:left], counter)), compressed(*node(data[left:], counter + left // CHUNK))
        return IV, struct.pack("<16I", *halves[0], *halves[1]), 0, PARENT, 64
    blocks = [data[at:at + 64] for at in range(0, len(data) or 1, 64)]
    chain, first = IV, START
    for block in blocks[:-1]:
        chain, first = compressed(chain, block, counter, first), 0
    return chain, blocks[-1], counter, first | END, len(blocks[-1])


@functools.lru_cache(maxsize=4096)
def blake3(data):
    chain, block, counter, flags, length = node(data, 0)
    return struct.pack("<8I", *compressed(chain, block, counter, flags | ROOT, length)).hex()


@functools.lru_cache(maxsize=4096)
def tag(route, digest):
    return f'W/"{blake3(f"{route}{chr(0)}{digest}".encode())[:32]}"'


class Cluster(store.Store):
    """The store, whose gateway is known to be up or down at any moment, and which counts what it refused."""

    def __init__(self, weed):
        self.processes, self.outages, self.guard, self.is_over = {}, [], threading.Lock(), False
        try:
            super().__init__(weed, cluster=True)
            self.metrics = store.free_port(set())
            self.commands["s3"].append(f"-metricsPort={self.metrics}")
            self.kill("s3")
            self.start("s3")
            self.wait()
        except BaseException:
            self.stop()
            raise

    def start(self, name):
        with self.guard:
            if self.is_over:
                raise Over
            super().start(name)

    def stop(self):
        with self.guard:
            self.is_over = True
        if hasattr(self, "home"):
            super().stop()

    def is_whole(self):
        """Whether the master knows three volume servers, and they answer."""
        master = next(one for one in self.commands["master"] if one.startswith("-port="))[6:]
        text = urllib.request.urlopen(f"http://127.0.0.1:{master}/dir/status", timeout=20).read()
        racks = [rack for center in json.loads(text)["Topology"]["DataCenters"] for rack in center["Racks"]]
        nodes = [one["Url"] for rack in racks for one in rack["DataNodes"] or []]
        return len(nodes) == 3 and all(
            urllib.request.urlopen(f"http://{one}/status", timeout=20).status == 200 for one in nodes)

    def interrupt(self, name, seconds):
        """Kills a server, and starts it again after so many seconds."""
        if name != "s3":
            self.kill(name)
            time.sleep(seconds)
            self.start(name)
            return self.until(f"three volume servers, after {name} came back", self.is_whole)
        outage = [now(), None]
        self.outages.append(outage)
        self.kill(name)
        time.sleep(seconds)
        self.start(name)
        self.wait()
        outage[1] = now()

    def is_calm(self, since, until):
        """Whether the gateway was up between these moments, and a while before."""
        return all(until < began or ended is not None and ended + CALM < since for began, ended in list(self.outages))

    def ask(self, path, headers=()):
        """Status, headers and body; None if there is no answer, or none that is one."""
        try:
            with store.signed("GET", self.endpoint + path, headers=dict(headers)) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            try:
                with error:
                    return (error.code, error.headers, error.read()) if error.code < 500 else None
            except (OSError, http.client.HTTPException):
                return None
        except (OSError, http.client.HTTPException):
            return None

    def object(self, key, headers=()):
        return self.ask(f"/feeds/{urllib.parse.quote(key)}", headers)

    def surely(self, key):
        """What stands at a key, however long that takes to be told; None if nothing does."""
        deadline = now() + LONG
        while now() < deadline:
            answer = self.object(key)
            if answer and answer[0] in (200, 404):
                return answer[2] if answer[0] == 200 else None
            time.sleep(0.1)
        raise Violation(f"{key} cannot be read for {LONG} seconds: {answer}")

    def keys(self, prefix):
        deadline = now() + LONG
        while True:
            try:
                return store.keys(self.endpoint, prefix)
            except (OSError, http.client.HTTPException):
                if now() > deadline:
                    raise
                time.sleep(0.1)

    def refused(self):
        """How many requests were told that somebody else was quicker, since the gateway was started."""
        try:
            text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=20).read().decode()
        except OSError:
            return 0
        counts = re.findall(r'^SeaweedFS_s3_request_total\{[^}]*code="(?:412|409)"[^}]*\} (\S+)', text, re.M)
        return round(sum(map(float, counts)))


class Articles:
    """What the author has, the same on all machines; each text says which article in which version it is."""

    def __init__(self, random, folders):
        self.random, self.folders = random, folders
        self.living, self.gone, self.count = {}, {}, 0

    def new(self):
        self.count += 1
        # without a date it is when it was first seen, and only the ledger knows when that was
        date = "" if self.random.random() < 0.6 else f"date: 2026-05-{1 + self.count % 28:02}T10:00:00Z\n"
        self.living[self.count] = {"path": f"n{self.count}.md", "version": 0, "date": date}
        self.edit(self.count)
        return self.count

    def edit(self, number):
        self.living[number]["version"] += 1
        self.put(number)

    def put(self, number):
        one = self.living[number]
        text = f"---\ntitle: Article {number}\n{one['date']}---\nThis is a{number}v{one['version']}. {'And so on. ' * 12}\n"
        for folder in self.folders:
            place = folder / one["path"]
            beside = place.with_name(f".{place.name}")
            beside.write_text(text)
            # no editor is still at it
            os.utime(beside, (time.time() - 3600,) * 2)
            beside.replace(place)

    def remove(self, number):
        self.gone[number] = self.living.pop(number)
        for folder in self.folders:
            (folder / self.gone[number]["path"]).unlink()

    def back(self, number):
        self.living[number] = self.gone.pop(number)
        self.edit(number)

    def rename(self, number):
        old = self.living[number]["path"]
        # no path ever is another article's
        new = self.living[number]["path"] = f"r{old}"
        for folder in self.folders:
            (folder / old).replace(folder / new)

    def change(self):
        """Some of what an author does between two publications."""
        roll, pick, renamed = self.random.random(), self.random.choice, None
        if len(self.living) < FRESH or roll < 0.25 and len(self.living) < MANY:
            self.new()
        elif roll < 0.4:
            self.remove(pick(sorted(self.living)))
        elif roll < 0.5 and self.gone and len(self.living) < MANY:
            self.back(pick(sorted(self.gone)))
        elif roll < 0.56:
            renamed = pick(sorted(self.living))
            self.rename(renamed)
        for number in self.random.sample(sorted(self.living), self.random.randint(1, 3)):
            # what has another path, another text and no date is another article
            if number != renamed:
                self.edit(number)

    def expected(self):
        return {number: one["version"] for number, one in self.living.items()}


def versions(text):
    """Which version of each article a document has."""
    found = {}
    for number, version in re.findall(r"This is a(\d+)v(\d+)\.", text):
        if found.setdefault(int(number), int(version)) != int(version):
            raise Violation(f"article {number} is there in two versions: {found[int(number)]} and {version}")
    return found


class Chronicle:
    """What was ever committed to a prefix, as the manifests say that were seen."""

    def __init__(self, campaign):
        self.campaign, self.lock, self.looking, self.checking = campaign, *(threading.RLock() for _ in range(3))
        self.editions, self.seen, self.hashes, self.named = {}, {}, set(), {}
        self.latest, self.tag, self.looked = 0, None, now()
        self.blobs = queue.Queue()
        self.checked, self.ids, self.versions, self.versions_of = set(), {}, {}, 0

    def note(self, text, where, since=None):
        """Takes down a manifest. If it is the one that stands there, it was not yet at `since`."""
        try:
            manifest = json.loads(text)
            documents, row = manifest["documents"], manifest["row"]
            edition = row["edition"]
        except (ValueError, KeyError, TypeError) as error:
            raise Violation(f"torn: the manifest {where} is none: {error}: {text[:300]!r}") from error
        with self.lock:
            if edition in self.editions:
                if self.editions[edition] != manifest:
                    raise Violation(f"edition {edition} is two: {json.dumps(manifest)}\n{json.dumps(self.editions[edition])}")
            else:
                self.editions[edition] = manifest
                self.blobs.put(edition)
                for route, document in documents.items():
                    first, last = self.named.get((route, document["hash"]), (edition, edition))
                    self.named[route, document["hash"]] = min(first, edition), max(last, edition)
                self.hashes.update(document["hash"] for document in documents.values())
                self.hashes.update(row.get("left", {}))
            if since is not None:
                if edition < self.latest:
                    raise Violation(f"the manifest went back from edition {self.latest} to {edition}")
                if edition > self.latest:
                    self.seen[edition] = since
                self.latest = edition
        return edition

    def look(self):
        """Looks at the manifest that stands there."""
        with self.looking:
            self.look_alone()

    def look_alone(self):
        began = now()
        key = f"{self.campaign.prefix}/manifest.json"
        answer = self.campaign.cluster.object(key, {"If-None-Match": self.tag} if self.tag else {})
        if answer is None:
            return
        status, headers, body = answer
        with self.lock:
            if status == 200:
                self.note(body, "in the bucket", self.looked)
                self.tag = headers["ETag"]
            elif status == 404 and self.tag:
                raise Violation("lost: the manifest is gone")
            elif status not in (304, 404):
                raise Violation(f"the manifest is answered with {status}: {body[:300]}")
            self.looked = began

    def current(self):
        self.look()
        with self.lock:
            return self.latest, self.editions[self.latest]

    def first_with(self, route, edition):
        """The first edition with the document that this one has at a route."""
        return self.named[route, self.editions[edition]["documents"][route]["hash"]][0]

    def is_current(self, route, digest):
        with self.lock:
            return self.editions[self.latest]["documents"].get(route, {}).get("hash") == digest

    def check_blobs(self):
        """Fetches what new manifests name, until none is left."""
        with self.checking:
            while not self.blobs.empty():
                edition = self.blobs.get()
                with self.lock:
                    documents = self.editions[edition]["documents"]
                for route, document in documents.items():
                    digest = document["hash"]
                    if digest not in self.checked:
                        body = self.campaign.blob(digest)
                        self.checked.add(digest)
                        if route == "feed.json":
                            self.check_feed(edition, body.decode())

    def check_feed(self, edition, text):
        items = json.loads(text)["items"]
        for item in items:
            (number, _), = versions(item["content_html"]).items()
            facts = item["id"], item["date_published"]
            known = self.ids.setdefault(number, facts)
            if known != facts:
                raise Violation(f"changed: article {number} was {known} and is {facts} in edition {edition}")
        if len({item["id"] for item in items}) != len(items):
            raise Violation(f"an id is given twice in edition {edition}: {text}")
        if edition < self.versions_of:
            return
        self.versions_of = edition
        for number, version in versions(text).items():
            if version < self.versions.get(number, 0):
                raise Violation(f"lost: article {number} went from {self.versions[number]} to {version} in edition {edition}")
            self.versions[number] = version


class Machine:
    """A folder with articles and a state of its own, which publishes."""

    def __init__(self, campaign, name):
        self.campaign, self.name = campaign, name
        self.home = campaign.home / name
        self.articles = self.home / "articles"
        self.articles.mkdir(parents=True)
        (self.home / "tidings.toml").write_text(
            f'base_url = "https://example.org/"\ntitle = "Notes"\nfeeds = "s3://feeds/{campaign.prefix}"\n'
            '[serve]\nlog = "off"\n')
        self.usual = 0.2

    def start(self):
        return self.campaign.spawn(["build", "--wait", "60"], self.home)

    def end(self, run, is_killed=False):
        """Waits for a build, and says whether it succeeded. Its manifest goes into the chronicle."""
        try:
            told, said = run.communicate(timeout=LONG)
        except subprocess.TimeoutExpired as error:
            run.kill()
            raise Violation(f"{self.name}: a build does not end in {LONG} seconds") from error
        counts = self.campaign.counts
        said = "\n".join(line for line in said.splitlines() if "has no date" not in line)
        self.campaign.say(f"{self.name}: {run.returncode} {told.strip()!r} {said!r}")
        self.campaign.check()
        if "ledger.aside" in said:
            counts["ledgers put aside"] += 1
        if run.returncode == -signal.SIGKILL and is_killed:
            return False
        if run.returncode == 5:
            counts["exits 5"] += 1
            self.campaign.reasons[re.sub(r"\d+", "N", said)[:300]] += 1
            return False
        if run.returncode != 0:
            raise Violation(f"{self.name}: a build ended with {run.returncode}: {said}")
        mirror = self.home / ".tidings/mirror/manifest.json"
        self.campaign.chronicle.note(mirror.read_bytes(), f"in the mirror of {self.name}")
        if "not all of its public keys are" in said:
            counts["public keys left over"] += 1
            return False
        if said:
            self.campaign.reasons[f"exit 0: {said[:300]}"] += 1
        return True

    def build(self, kill_at=None):
        """Builds until it succeeds; the first attempt is killed at this part of the usual time, unless it is done."""
        deadline = now() + 3 * LONG
        while now() < deadline:
            began, run, is_killed = now(), self.start(), False
            if kill_at is not None:
                try:
                    run.wait(kill_at * self.usual)
                except subprocess.TimeoutExpired:
                    run.kill()
                    is_killed, kill_at = True, None
                    self.campaign.say(f"{self.name} is killed after {now() - began:.3f} s")
                    self.campaign.counts["publishers killed"] += 1
            if self.end(run, is_killed):
                self.usual += (min(now() - began, 2) - self.usual) / 8
                return
            self.campaign.counts["builds repeated"] += 1
        raise Violation(f"{self.name}: no build succeeds")


class Replica:
    """A replica, with a thread that asks it all the time."""

    def __init__(self, campaign, name):
        self.campaign, self.name = campaign, name
        self.home = campaign.home / name
        self.home.mkdir()
        self.told, self.downs = [], []
        self.floor, self.reached, self.dates = 0, 0, {}
        self.pending, self.last = collections.deque(), {}
        self.start()

    def start(self):
        command = ["serve", "--from", f"s3://feeds/{self.campaign.prefix}", "--listen", "127.0.0.1:0"]
        self.process = self.campaign.spawn(command, self.home, out=subprocess.DEVNULL)
        self.port = None
        listens = threading.Event()

        def listen(stream):
            for line in stream:
                self.told.append(line)
                found = re.search(r"open http://localhost:(\d+)/", line)
                if found:
                    self.port = int(found[1])
                    listens.set()
        threading.Thread(target=listen, args=(self.process.stderr,), daemon=True).start()
        deadline = now() + LONG
        while not listens.wait(0.2):
            self.campaign.check()
            if self.process.poll() is not None or now() > deadline:
                raise Violation(f"{self.name} does not start: {self.told[-5:]}")

    def restart(self, seconds):
        self.campaign.say(f"{self.name} is killed")
        down = [now(), None]
        self.downs.append(down)
        self.process.kill()
        self.process.wait()
        time.sleep(seconds)
        self.start()
        down[1] = now()

    def is_restarting(self):
        return bool(self.downs) and self.downs[-1][1] is None

    def is_up(self, since, until):
        return all(until < began or ended is not None and ended < since for began, ended in list(self.downs))

    def poll(self):
        """Asks for a feed, over and over, and looks at each answer when the chronicle is newer than it."""
        link, turn = (None, None), 0
        routes = ("feed.json", "rss.xml", "feed.json", "atom.xml")
        while not self.campaign.over:
            route, turn, asked, port = routes[turn % 4], turn + 1, now(), self.port
            if port is None:
                time.sleep(0.02)
                continue
            try:
                if link[0] != port:
                    link = port, http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                link[1].request("GET", f"/{route}")
                answer = link[1].getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                link = None, None
                time.sleep(0.02)
                if self.is_up(asked, now()) and not self.campaign.over:
                    raise Violation(f"{self.name} does not answer: {error!r}: {self.told[-5:]}") from error
                continue
            got, heads = now(), answer.headers
            if answer.status != 200:
                raise Violation(f"{self.name} answers {answer.status} for {route}: {heads}")
            seen = heads["ETag"], heads["Last-Modified"], body
            if self.last.get(route) != seen:
                self.last[route] = seen
                self.pending.append((got, route, heads["Date"], *seen))
            while self.pending and self.pending[0][0] < self.campaign.chronicle.looked:
                self.judge(*self.pending.popleft())
            time.sleep(0.02)

    def judge(self, got, route, date, etag, modified, body):
        digest, chronicle = blake3(body), self.campaign.chronicle
        with chronicle.lock:
            if digest not in chronicle.hashes:
                raise Violation(f"{self.name} shows what was never committed for {route}: {body!r}")
            if etag != tag(route, digest):
                raise Violation(f"{self.name} has the tag {etag} for {route}, not {tag(route, digest)}")
            if (route, digest) not in chronicle.named:
                # its manifest stood there for less than a look
                self.campaign.counts["answers of editions not seen"] += 1
                return
            first, last = chronicle.named[route, digest]
            published = chronicle.editions[first]["documents"][route]
            current = chronicle.is_current(route, digest)
            # those in which this feed became another one
            samples = {edition: seen for edition, seen in chronicle.seen.items() if self.reached < edition <= first
                       and chronicle.first_with("feed.json", edition) == edition}
        if last < self.floor and not current:
            raise Violation(f"{self.name} went back: {route} is of editions {first} to {last}, {self.floor} was served before")
        self.floor = max(self.floor, first)
        due = datetime.datetime.fromisoformat(published["last_modified"].replace("Z", "+00:00"))
        stamp, of_answer = (email.utils.parsedate_to_datetime(one) for one in (modified, date))
        # a date that is not due is the answer's own
        if stamp != due and not (stamp < due and abs((stamp - of_answer).total_seconds()) <= 1):
            raise Violation(f"{self.name}: Last-Modified of {route} is {modified} at {date}, the manifest says {due}")
        if stamp < self.dates.get(route, stamp):
            raise Violation(f"{self.name}: Last-Modified of {route} went from {self.dates[route]} to {stamp}")
        self.dates[route] = stamp
        if route == "feed.json" and first > self.reached:
            for edition, since in samples.items():
                kind = "restarted" if not self.is_up(since, got) else \
                    "after an outage" if not self.campaign.cluster.is_calm(since, got) else \
                    "calm"
                self.campaign.converged[kind].append((got - since, self.name, edition))
            self.reached = first

    def body(self, route):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        link.request("GET", f"/{route}")
        answer = link.getresponse()
        return answer.read(), answer.headers


class Campaign:
    """One part of it, beneath a prefix of its own."""

    def __init__(self, program, cluster, prefix, seed, held_up):
        self.program, self.cluster, self.prefix, self.held_up = program, cluster, prefix, held_up
        self.random = random.Random(f"{seed} {prefix}")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="tidings-chaos-"))
        self.over, self.failure, self.processes = False, None, []
        self.lock, self.began = threading.Lock(), now()
        self.counts, self.reasons = collections.Counter(), collections.Counter()
        self.converged, self.events = collections.defaultdict(list), []
        self.chronicle = Chronicle(self)
        self.machines = [Machine(self, "one"), Machine(self, "other")]
        self.articles = Articles(self.random, [machine.articles for machine in self.machines])
        self.replicas, self.outage, self.outages = [], None, 0
        self.keys = {}

    def say(self, text):
        self.events.append(f"{now() - self.began:8.3f} {text}")

    def spawn(self, command, folder, out=subprocess.PIPE):
        with self.lock:
            if self.over:
                raise Over
            environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **self.cluster.environment()}
            process = subprocess.Popen([self.program, *command], cwd=folder, env=environment, text=True,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
            self.processes = [one for one in self.processes if one.poll() is None] + [process]
            return process

    def check(self):
        """Raises what a thread found."""
        if self.failure:
            raise self.failure

    def beside(self, work):
        """Does something on a thread of its own; what it raises ends the campaign."""
        def guarded():
            try:
                work()
            except Over:
                pass
            except BaseException as error:
                if not self.over and not self.failure:
                    if not isinstance(error, Violation):
                        traceback.print_exc()
                    self.failure = error
        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def together(self, *works):
        threads = [self.beside(work) for work in works]
        while any(thread.is_alive() for thread in threads):
            self.check()
            time.sleep(0.005)
        self.check()

    def wait(self, what, holds):
        deadline = now() + LONG
        while not holds():
            self.check()
            if now() > deadline:
                raise Violation(f"never in {LONG} seconds: {what}")
            time.sleep(0.05)

    def forever(self, work, pause):
        def loop():
            while not self.over:
                work()
                time.sleep(pause)
        return self.beside(loop)

    def blob(self, digest):
        key = f"{self.prefix}/blobs/{digest}"
        body = self.cluster.surely(key)
        if body is None:
            time.sleep(1)
            later = "is there a second later" if self.cluster.surely(key) is not None else "nor a second later"
            raise Violation(f"torn: {key} is named by a manifest and not there, {later}")
        if blake3(body) != digest:
            raise Violation(f"torn: {key} has other bytes: {body!r}")
        return body

    def watch_keys(self):
        """Looks at the public keys: what they show was committed, and is never of an older edition than before."""
        for route in FEEDS:
            answer = self.cluster.object(f"{self.prefix}/{route}")
            got = now()
            if answer is None or answer[0] == 404 and route not in self.keys:
                continue
            status, heads, body = answer
            if status != 200:
                raise Violation(f"the public key {route} is answered with {status}: {body[:300]}")
            edition = int(heads["x-amz-meta-tidings-edition"])
            known = self.keys.get(route)
            if known and edition < known[0] or known and edition == known[0] and body != known[1]:
                raise Violation(f"the public key {route} is of edition {edition} after {known[0]}: {body!r} after {known[1]!r}")
            if known and known[1] == body:
                continue
            self.keys[route] = edition, body
            self.wait("a look at the manifest", lambda: self.chronicle.looked > got)
            with self.chronicle.lock:
                digest, manifest = blake3(body), self.chronicle.editions.get(edition)
                is_right = digest in self.chronicle.hashes if manifest is None else \
                    digest == manifest["documents"].get(route, {}).get("hash")
                if not is_right:
                    raise Violation(f"the public key {route} shows what edition {edition} does not have: {body!r}")

    def interrupt(self, name, delay, seconds):
        """Kills a server of the store in a moment, unless one is down already."""
        if self.outage and self.outage.is_alive():
            return
        self.counts["gateway killed" if name == "s3" else "volume servers killed"] += 1

        def work():
            time.sleep(delay)
            self.say(f"{name} is killed for {seconds:.1f} seconds")
            self.cluster.interrupt(name, seconds)
            self.say(f"{name} is back")
        self.outage = self.beside(work)

    def publish(self):
        """One publication, with whatever happens to it."""
        roll, machines = self.random, self.random.sample(self.machines, 2)
        both, at = roll.random() < 0.4, [roll.uniform(0, 1.1) if roll.random() < 0.25 else None for _ in range(2)]
        server, delay, chance = f"volume{roll.randrange(3)}", roll.uniform(0, 0.5), roll.random()
        seconds, replica = roll.uniform(0.2, 8), roll.choice(self.replicas)
        if chance < 0.06:
            self.interrupt(server, delay, seconds)
        elif chance < 0.11:
            self.interrupt("s3", delay, seconds * 0.4)
        elif chance < 0.14 and not replica.is_restarting():
            self.counts["replicas killed"] += 1
            self.beside(lambda: replica.restart(delay))
        works = [functools.partial(machine.build, part) for machine, part in zip(machines, at)]
        self.counts["at once" if both else "alone"] += 1
        self.together(*works[:2 if both else 1])
        self.is_published()

    def hold_up(self):
        """A publisher is held up in the middle of its build while the other one goes on; then it goes on as well."""
        held, other = self.random.sample(self.machines, 2)
        number = self.articles.new()
        part, more = self.random.uniform(0.3, 1.1), self.random.random() < 0.7
        run = held.start()
        time.sleep(part * held.usual)
        if run.poll() is None:
            run.send_signal(signal.SIGSTOP)
            self.say(f"{held.name} is held up")
            self.counts["publishers held up"] += 1
        other.build()
        self.is_published()
        if more:
            # what it has put, or is about to
            self.articles.remove(number)
        self.articles.change()
        other.build()
        self.is_published()
        if run.poll() is None:
            run.send_signal(signal.SIGCONT)
        if not held.end(run):
            held.build()
        self.is_published()
        self.is_whole()

    def is_published(self):
        """All that the author has is there for everybody, and nothing else."""
        self.chronicle.look()
        expected = self.articles.expected()
        edition, manifest = self.chronicle.current()
        for route in ("feed.json", "rss.xml"):
            body = self.cluster.surely(f"{self.prefix}/{route}")
            if body is None:
                raise Violation(f"lost: there is no public {route}")
            found = versions(body.decode())
            if found != expected:
                raise Violation(f"lost: {route} is to have {expected}, and has {found}: {body!r}")
            if blake3(body) != manifest["documents"][route]["hash"]:
                raise Violation(f"the public {route} is not what edition {edition} names, at rest: {body!r}")

    def is_whole(self):
        """At rest: the bucket holds what its manifest names, and its ledger gives each article one id."""
        _, manifest = self.chronicle.current()
        keys = [key[len(self.prefix) + 1:] for key in self.cluster.keys(f"{self.prefix}/")]
        own = ("blobs/", "ledger/", "manifest.json")
        public = {key for key in keys if not key.startswith(own)}
        named = set(manifest["documents"])
        if public != named:
            raise Violation(f"public keys at rest: too many are {sorted(public - named)}, missing are {sorted(named - public)}")
        for route, document in manifest["documents"].items():
            body = self.cluster.surely(f"{self.prefix}/{route}")
            if body is None or blake3(body) != document["hash"]:
                raise Violation(f"the public key {route} is not what the manifest names, at rest: {body!r}")
            self.blob(document["hash"])
        self.chronicle.check_blobs()
        segments = sorted(key for key in keys if key.startswith("ledger/"))
        if segments != [f"ledger/{number + 1:012}.jsonl" for number in range(len(segments))]:
            raise Violation(f"the ledger has gaps: {segments}")
        ids = {}
        for key in segments:
            for line in self.cluster.surely(f"{self.prefix}/{key}").decode().splitlines():
                record = json.loads(line)
                if "path" in record and ids.setdefault(record["path"], record["id"]) != record["id"]:
                    raise Violation(f"changed: {record['path']} was {ids[record['path']]} and is {record['id']} in {key}")
        self.counts["whole looks"] += 1
        self.counts["segments"] = len(segments)

    def is_quiet(self):
        """When nothing changes, each machine agrees with the other and publishes nothing."""
        for machine in self.machines:
            machine.build()
        edition, _ = self.chronicle.current()
        for machine in self.machines:
            machine.build()
        after, _ = self.chronicle.current()
        if after != edition:
            self.counts["editions without a change"] += after - edition
            self.say(f"editions {edition} to {after} although nothing changed")
        ledgers = {(machine.home / "ledger.jsonl").read_bytes() for machine in self.machines}
        self.counts["ledgers that differ"] += len(ledgers) - 1

    def is_tidy(self):
        """What harms no subscriber and must not be either."""
        for name in UNTIDY:
            if self.counts[name]:
                raise Violation(f"untidy: {self.counts[name]} {name}")

    def is_served(self):
        """The replicas serve what is published, with the same heads."""
        edition, manifest = self.chronicle.current()
        def agree():
            if any(replica.port is None for replica in self.replicas):
                return False
            for route in FEEDS:
                try:
                    answers = [replica.body(route) for replica in self.replicas]
                except (OSError, http.client.HTTPException):
                    return False
                heads = {(heads["ETag"], heads["Last-Modified"]) for _, heads in answers}
                if len(heads) != 1 or any(blake3(body) != manifest["documents"][route]["hash"] for body, _ in answers):
                    return False
            return True
        self.wait(f"both replicas serve edition {edition}", agree)

    def first(self):
        for _ in range(FRESH):
            self.articles.new()
        self.forever(self.chronicle.look, 0.04)
        self.machines[0].build()
        self.machines[1].build()
        self.forever(self.chronicle.check_blobs, 0.05)
        self.forever(self.watch_keys, 0.1)

    def part_one(self, publications):
        self.first()
        self.replicas = [Replica(self, "left"), Replica(self, "right")]
        for replica in self.replicas:
            self.beside(replica.poll)
        for number in range(1, publications + 1):
            self.articles.change()
            self.say(f"publication {number}: {self.articles.expected()}")
            self.hold_up() if self.random.random() < self.held_up else self.publish()
            if number % 25 == 0:
                self.at_rest()
                print(f"  {number} publications, {now() - self.began:.0f} s, edition {self.chronicle.latest}", flush=True)
        self.at_rest()
        self.is_tidy()
        late = [sample for sample in self.converged["calm"] if sample[0] > PROMPT]
        if late:
            raise Violation(f"replicas converged late: {late}; {self.convergence()}")

    def at_rest(self):
        self.wait("the store is whole", lambda: not (self.outage and self.outage.is_alive()))
        self.is_quiet()
        self.is_published()
        self.is_whole()
        if self.replicas:
            self.is_served()

    def part_two(self, races):
        self.first()
        before, refused = self.chronicle.current()[0], self.cluster.refused()
        wins = collections.Counter()
        for number in range(1, races + 1):
            self.articles.change()
            self.say(f"race {number}: {self.articles.expected()}")
            runs = [(machine, machine.start()) for machine in self.random.sample(self.machines, 2)]
            for machine, run in runs:
                if not machine.end(run):
                    raise Violation(f"race {number}: the build of {machine.name} ended with {run.returncode}")
            self.is_published()
            after, manifest = self.chronicle.current()
            if after == before:
                raise Violation(f"race {number}: nobody committed")
            wins[after - before] += 1
            before = after
            if number % 100 == 0:
                self.is_whole()
                print(f"  {number} races, {now() - self.began:.0f} s, edition {after}", flush=True)
        self.at_rest()
        self.counts["one edition of two"] = wins.pop(1, 0)
        self.counts["two editions of two"] = wins.pop(2, 0)
        if wins:
            raise Violation(f"editions of a race: {wins}")
        self.counts["conditional puts refused"] = self.cluster.refused() - refused
        self.is_tidy()

    def convergence(self):
        texts = []
        for kind in ("calm", "after an outage", "restarted"):
            seconds = sorted(sample[0] for sample in self.converged[kind])
            if seconds:
                at = [seconds[min(len(seconds) - 1, int(len(seconds) * part))] for part in (0.5, 0.99)]
                texts.append(f"{kind}: p50 {at[0]:.2f} p99 {at[1]:.2f} max {seconds[-1]:.2f} s of {len(seconds)}")
        return "; ".join(texts)

    def summary(self, what):
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        lines = [f"{what}, {len(self.chronicle.editions)} editions seen, "
                 f"{len(self.chronicle.checked)} blobs, {now() - self.began:.0f} s: {counts}"]
        if self.converged:
            lines.append(f"  convergence of replicas: {self.convergence()}")
        lines += [f"  {count} × {reason}" for reason, count in self.reasons.most_common(12)]
        return "\n".join(lines)

    def keep_evidence(self, error):
        """Everything that tells of a violation, in a folder of its own."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tidings-chaos-evidence-"))
        (folder / "violation.txt").write_text("".join(traceback.format_exception(error)))
        (folder / "events.txt").write_text("\n".join(self.events))
        # each names what was left by all before it
        (folder / "editions.json").write_text(json.dumps(dict(sorted(self.chronicle.editions.items())[-50:])))
        for replica in self.replicas:
            (folder / f"{replica.name}.txt").write_text("".join(replica.told))
        for log in self.cluster.home.glob("*.log"):
            shutil.copy(log, folder)
        shutil.copytree(self.home, folder / "machines")
        answer = self.cluster.object(f"{self.prefix}/manifest.json")
        (folder / "manifest.json").write_bytes(answer[2] if answer else b"")
        try:
            keys = self.cluster.keys(f"{self.prefix}/")
            (folder / "listing.txt").write_text("\n".join(keys))
            for key in keys:
                if "/blobs/" not in key:
                    place = folder / "bucket" / key
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(self.cluster.surely(key) or b"")
        except (OSError, Violation) as error:
            (folder / "listing.txt").write_text(f"the store does not answer: {error!r}")
        return folder

    def halt(self):
        with self.lock:
            self.over = True
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def stop(self):
        self.halt()
        shutil.rmtree(self.home, ignore_errors=True)


def run(options, cluster, seed):
    """Both parts; what is to be said of a violation, if there is one."""
    for part, count in (("one", options.publications), ("two", options.races)):
        if not count:
            continue
        campaign = Campaign(options.tidings, cluster, f"part-{part}/site", seed, options.held_up)
        what = f"part {part}: {count} {'publications' if part == 'one' else 'races'}"
        try:
            campaign.part_one(count) if part == "one" else campaign.part_two(count)
            print(campaign.summary(what), flush=True)
        except Exception as error:
            campaign.halt()
            folder = campaign.keep_evidence(error)
            print(campaign.summary(f"{what}, not all of them done"))
            print("\n".join(event[:400] for event in campaign.events[-25:]))
            return f"{type(error).__name__}: {str(error)[:3000]}\nthe evidence is in {folder}; the seed is {seed}"
        finally:
            campaign.stop()
    return None


def main():
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("tidings", type=os.path.abspath)
    parser.add_argument("weed", type=os.path.abspath)
    parser.add_argument("--publications", type=int, default=500)
    parser.add_argument("--races", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--held-up", type=float, default=0.08)
    options = parser.parse_args()

    def leave(*_):
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, leave)
    print(f"seed {options.seed}", flush=True)
    cluster = None
    try:
        cluster = Cluster(options.weed)
        said = run(options, cluster, options.seed)
    except KeyboardInterrupt:
        said = "interrupted"
    finally:
        if cluster:
            cluster.stop()
    sys.exit(said)


if __name__ == "__main__":
    main()
