"""Flask-WebSub, which nobody here wrote: its hub and its subscriber, each a process of its own.

Usage: hub.py hub|subscriber FOLDER PORT

The FOLDER keeps the subscriptions, so a hub that is started again still has them, and what happened, a JSON object a line:
`requests.jsonl` what the hub was asked, `deliveries.jsonl` what the subscriber was given and believed. PORT 0 is any free
one; the first line on standard output says which.
"""
import base64, json, pathlib, sys, threading

import flask, flask_websub.subscriber
from flask_websub.errors import FlaskWebSubError
from werkzeug.serving import make_server

# the library gives a hub three seconds, which a busy machine may need for nothing at all
PATIENCE = 30

role, folder, port = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
app = flask.Flask(__name__)
lock = threading.Lock()


def note(name, **what):
    # requests are answered in threads, and must not write into one another's lines
    with lock, open(folder / name, "a") as file:
        file.write(json.dumps(what) + "\n")


def hub():
    from celery import Celery, signals
    from flask_websub.hub import Hub, SQLite3HubStorage

    # eager: a request is answered when its work is done, so whoever got the answer need not wait for anything else
    celery = Celery(set_as_current=False)
    celery.conf.task_always_eager = True
    # the library lets its publishers call it from Python alone, unless told otherwise
    app.config["PUBLISH_SUPPORTED"] = True
    # nobody here is away for long: who does not take a delivery at once never will
    the_hub = Hub(SQLite3HubStorage(str(folder / "hub.db")), celery, REQUEST_TIMEOUT=PATIENCE, MAX_ATTEMPTS=2)

    # nothing else says that a topic could not be fetched, or has no `Link` that the library understands
    @signals.task_failure.connect(weak=False)
    def failed(sender, exception, **_):
        cause = f", because of {exception.__cause__}" if exception.__cause__ else ""
        print(f"{sender.name} failed: {exception!r}{cause}", file=sys.stderr, flush=True)

    @app.before_request
    def write_down():
        note("requests.jsonl", method=flask.request.method, path=flask.request.full_path.rstrip("?"),
             type=flask.request.content_type, form=list(flask.request.form.items(multi=True)))

    app.register_blueprint(the_hub.build_blueprint(url_prefix="/hub"))


def subscriber():
    library = flask_websub.subscriber
    # it asks for signatures only from hubs behind TLS, and tries that first; there is none between two processes here
    library.is_secure = lambda url: True
    # a secret where the test asks for one, and nowhere else
    app.config["AUTO_SET_SECRET"] = False
    database = str(folder / "subscriber.db")
    storage = library.SQLite3SubscriberStorage(database), library.SQLite3TempSubscriberStorage(database)
    the_subscriber = library.Subscriber(*storage, REQUEST_TIMEOUT=PATIENCE)
    app.register_blueprint(the_subscriber.build_blueprint(url_prefix="/callbacks"))

    # called only if there is no secret, or the signature is right
    @the_subscriber.add_listener
    def delivered(topic, callback, body):
        headers = flask.request.headers
        note("deliveries.jsonl", topic=topic, callback=callback, body=base64.b64encode(body).decode(),
             type=headers.get("Content-Type"), signature=headers.get("X-Hub-Signature"))

    @app.get("/discover")
    def discover():
        return library.discover(flask.request.args["url"], timeout=PATIENCE)

    # in a request, since the address of the callback is made of its `Host`
    @app.post("/subscribe")
    def subscribe():
        found = library.discover(flask.request.form["url"], timeout=PATIENCE)
        secret = {"secret": flask.request.form["secret"]} if "secret" in flask.request.form else {}
        return found | {"callback": the_subscriber.subscribe(**found, **secret)}

    @app.errorhandler(FlaskWebSubError)
    def failed(error):
        return f"{type(error).__name__}: {error}\n", 502


{"hub": hub, "subscriber": subscriber}[role]()
server = make_server("127.0.0.1", port, app, threaded=True)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
