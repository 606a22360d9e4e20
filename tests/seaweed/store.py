"""A real S3 store on this machine: SeaweedFS, one node or a cluster, on ports that are free.

Usage: store.py WEED [--cluster]. Prints the endpoint, makes the buckets `feeds` and `alone`, and goes when its standard input ends: whoever
started it need only die. Key and secret are `key` and `secret`.

       store.py dump ENDPOINT PREFIX, or get, delete ENDPOINT KEY: what stands in the bucket `feeds` of one that runs.
"""
import datetime, hashlib, hmac, html, json, os, pathlib, random, re, shutil, signal, socket, subprocess, sys, tempfile, time
import urllib.error, urllib.parse, urllib.request

KEY, SECRET, REGION = "key", "secret", "us-east-1"
LONG = 60


def is_free(port):
    with socket.socket() as listener:
        # as the servers do; what only waits to be forgotten is free
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_port(taken):
    """A port that is free, and the one 10000 above it, where a weed listens too. Below those that the kernel gives out."""
    for _ in range(1000):
        port = random.randrange(11000, 22000)
        if port not in taken and is_free(port) and is_free(port + 10000):
            taken.add(port)
            return port
    raise SystemExit("no free ports")


def signed(method, url, body=b"", headers=()):
    """A request signed as S3 wants it (AWS Signature Version 4)."""
    parts = urllib.parse.urlsplit(url)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    fields = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
    fields.update({name.lower(): value for name, value in dict(headers).items()})
    names = ";".join(sorted(fields))
    query = "&".join(sorted(part if "=" in part else part + "=" for part in parts.query.split("&") if part))
    canonical = "\n".join([method, parts.path or "/", query,
                           "".join(f"{name}:{fields[name]}\n" for name in sorted(fields)), names, digest])
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in (now[:8], REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    fields["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    request = urllib.request.Request(url, data=body if method in ("PUT", "POST") else None, method=method, headers=fields)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=20)


class Store:
    """Its servers, each of which can be killed and started again."""

    def __init__(self, weed, cluster=False):
        self.weed, self.home = weed, pathlib.Path(tempfile.mkdtemp(prefix="tidings-seaweed-"))
        self.processes, self.commands = {}, {}
        taken = self.ports = set()
        users = [{"name": "tidings", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                  "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]
        (self.home / "s3.json").write_text(json.dumps({"identities": users}))
        master, filer, s3 = (free_port(taken) for _ in range(3))
        self.endpoint = f"http://127.0.0.1:{s3}"
        here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        off = ["-port.iceberg=0", "-port.lance=0"]
        if cluster:
            self.commands["master"] = ["master", f"-mdir={self.folder('master')}", f"-port={master}", *here,
                                       "-defaultReplication=001", "-volumeSizeLimitMB=64"]
            for number in range(3):
                port = free_port(taken)
                self.commands[f"volume{number}"] = ["volume", f"-dir={self.folder(f'volume{number}')}", f"-port={port}",
                                                    f"-master=127.0.0.1:{master}", "-max=50", *here]
            self.commands["filer"] = ["filer", f"-defaultStoreDir={self.folder('filer')}", f"-port={filer}",
                                      f"-master=127.0.0.1:{master}", "-defaultReplicaPlacement=001", *here]
            self.commands["s3"] = ["s3", f"-port={s3}", f"-filer=127.0.0.1:{filer}", f"-config={self.home}/s3.json",
                                   "-ip.bind=127.0.0.1", *off]
        else:
            self.commands["server"] = [
                "server", f"-dir={self.folder('data')}", *here, "-s3", f"-s3.port={s3}", f"-s3.config={self.home}/s3.json",
                "-s3.port.iceberg=0", "-s3.port.lance=0", f"-master.port={master}", f"-volume.port={free_port(taken)}",
                f"-filer.port={filer}", "-master.volumeSizeLimitMB=64"]
        try:
            for name in self.commands:
                self.start(name)
            self.wait()
            for bucket in ("feeds", "alone"):
                self.until("a bucket", lambda: signed("PUT", f"{self.endpoint}/{bucket}").status == 200)
            # the first object takes longest: volumes are made for it
            self.until("an object", lambda: signed("PUT", f"{self.endpoint}/feeds/ready", b"x").status == 200)
        except BaseException:
            self.stop()
            raise

    def folder(self, name):
        place = self.home / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    def start(self, name):
        log = open(self.home / f"{name}.log", "ab")
        # its own logs, which it also writes, go where the rest goes
        self.processes[name] = subprocess.Popen([self.weed, "-v=0", f"-logdir={self.folder('logs')}", *self.commands[name]],
                                                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home,
                                                env={**os.environ, "TMPDIR": str(self.home)}, start_new_session=True)

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def until(self, what, holds):
        deadline = time.monotonic() + LONG
        while True:
            try:
                if holds():
                    return
            except (OSError, urllib.error.URLError):
                pass
            if time.monotonic() > deadline:
                logs = "".join(f"== {log.name}\n" + log.read_text(errors="replace")[-2000:]
                               for log in self.home.glob("*.log"))
                raise SystemExit(f"{logs}never in {LONG} seconds: {what}")
            time.sleep(0.05)

    def answers(self):
        try:
            return signed("GET", f"{self.endpoint}/").status == 200
        except urllib.error.HTTPError:
            return False

    def wait(self):
        self.until("the store answers", self.answers)

    def stop(self):
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        # it has sockets elsewhere, too, which nobody takes away after a kill
        for port in self.ports:
            for place in pathlib.Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                place.unlink(missing_ok=True)
            for place in pathlib.Path("/tmp").glob(f"seaweedfs-*-{port + 10000}.sock"):
                place.unlink(missing_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def environment(self):
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": self.endpoint}


def keys(endpoint, prefix):
    found, more = [], ""
    while True:
        query = f"list-type=2&prefix={urllib.parse.quote(prefix, safe='')}{more}"
        text = signed("GET", f"{endpoint}/feeds?{query}").read().decode()
        found += [html.unescape(key) for key in re.findall(r"<Key>([^<]*)</Key>", text)]
        token = re.search(r"<NextContinuationToken>([^<]*)<", text)
        if not token:
            return found
        more = "&continuation-token=" + urllib.parse.quote(html.unescape(token[1]), safe="")


def ask():
    command, endpoint, key = sys.argv[1:]
    if command == "dump":
        for each in keys(endpoint, key):
            try:
                body = signed("GET", f"{endpoint}/feeds/{urllib.parse.quote(each)}").read()
            except urllib.error.HTTPError as error:
                # it went in the meantime
                if error.code != 404:
                    raise
                continue
            sys.stdout.buffer.write(f"{each} {len(body)}\n".encode() + body)
        return
    method = {"get": "GET", "delete": "DELETE"}[command]
    answer = signed(method, f"{endpoint}/feeds/{urllib.parse.quote(key)}")
    for name, value in answer.headers.items():
        print(f"{name.lower()}: {value}")
    print(flush=True)
    sys.stdout.buffer.write(answer.read())


def main():
    if sys.argv[1] in ("dump", "get", "delete"):
        return ask()

    def leave(*_):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, leave)
    store = None
    try:
        store = Store(sys.argv[1], "--cluster" in sys.argv)
        print(store.endpoint, flush=True)
        # the other end closes when whoever started us is gone, however
        sys.stdin.buffer.read()
    except KeyboardInterrupt:
        pass
    finally:
        if store:
            store.stop()


if __name__ == "__main__":
    main()
