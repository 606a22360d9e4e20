#!/usr/bin/env python3
"""A million subscribers, simulated: what their readers ask of a feed in a day, at its server and at a CDN in front of it.

usage: benches/subscribers.py [--format json] [--subscribers N ...] …        a simulation, and a formula for more
       benches/subscribers.py --against URL [--edit ARTICLE] …               the same readers ask a server that runs

Each poll of each reader of a day is drawn: none is a sample that stands for others, and no clock is asked, so that a run can
be repeated exactly. When a reader asks depends on its habits alone (READERS in this file), never on the answers: so the polls
are drawn first, place by place (a place of the CDN shares nothing with another), and then answered. What an answer is follows
from the instants at which the version changes that is served there: the first poll after one is a 200, the others are 304s.

What is counted: requests and responses of HTTP/1.1, heads and bodies, without TLS and TCP. What is not in it: browsers,
crawlers, readers that fail or back off (nothing fails here), people who press "reload".
"""
import argparse, asyncio, bisect, collections, dataclasses, functools, itertools, json, math, pathlib, random, resource, sys
import time, typing, urllib.parse

MINUTE, HOUR, DAY = 60, 3600, 86400
FORMATS = {"rss": 0.70, "atom": 0.26, "json": 0.04}  # assumed
ROUTES = {"rss": "rss.xml", "atom": "atom.xml", "json": "feed.json"}
CODINGS = ("identity", "gzip", "br", "zstd")
# of `feeds/` of this repository, encoded as `serve` does when it is idle. They are small: `--scale 10` is a usual blog.
SIZES = {"rss": (12478, 3861, 3217, 3848), "atom": (13822, 3829, 3237, 3831), "json": (10492, 3443, 2954, 3444)}
HEAD_200, HEAD_304 = 607, 522  # measured at `serve`

# Who has a computer that sleeps opens it at about eight, somewhere: (weight, hours from UTC, give or take). Assumed.
ZONES = ((0.40, -6, 2), (0.40, 1, 1), (0.20, 8, 2))
OPENS, OPENS_SPREAD = 8, 2
CRON_LAG = 10  # seconds, on average, until it is this feed's turn in a list; assumed


@dataclasses.dataclass(frozen=True)
class Reader:
    """The habits of one program, or of one service."""

    name: str
    share: float  # of all subscribers, in percent
    every: typing.Any  # seconds between polls, or a function of the settings
    accepts: str  # Accept-Encoding
    keeps: str = "both"  # the validators that it sends: both, etag, date, none
    service: bool = False  # asks once for all its subscribers
    pushed: typing.Any = None  # like `every`, once a hub tells it what is new; None: it knows no WebSub
    honours: bool = False  # does not ask before max-age (or ttl, which is the same here) is over
    cron: tuple = ()  # seconds from run to run, and the minutes that many have in common: ((minute, share), …)
    jitter: float = 0  # so much of `every` is added at random, at most
    hours: float = 24  # of a day in which it runs; it asks when it is opened
    by_hand: bool = False  # when somebody feels like it
    forgets: float = 0  # seconds after which it asks once without validators
    agent: str = ""
    extra: str = ""  # further lines of its requests


def commafeed(s):
    """Half the time between two articles, within bounds."""
    return min(max(DAY / max(s.articles, 0.01) / 2, 5 * MINUTE), HOUR)


def newsblur(s):
    """Quicker with more articles a day."""
    return 6 * MINUTE if s.articles >= 1 else (60 - 60 * s.articles) * MINUTE


# The shares of subscribers are assumptions, since nobody publishes any: count your own in the log of `serve`, which tells how
# many an aggregator reads for, and give them with `--share`. All else has its source, or is said to be assumed; encodings are
# known of Miniflux, newsboat and Feedbin, and else assumed. Something to compare with: of feed requests 64 % (jonudell.net,
# 2003), 77 % (tbray.org, 2003), 67 % (utcc.utoronto.ca/~cks, 2013) and, without those that were refused, 56 % (the same,
# FeedLimitingImportance) got a 304, and 4 % of the 200s were not compressed (the same); services that are pushed were an
# eighth of all hits (blog.superfeedr.com/wh-fetches-our-blog-feed).
ALL = "gzip, deflate, br, zstd"
CURL = "deflate, gzip, br, zstd"
ON_THE_HOUR = (HOUR, ((0, 0.60), (30, 0.05), (5, 0.05)))  # assumed
COPIED = (HOUR // 2, ((13, 0.20), (3, 0.15), (4, 0.10), (0, 0.15), (7, 0.05)))  # minutes that examples have; how often is assumed
READERS = [
    # feedly.com/fetcher.html: hourly at most, on average. It is pushed (superfeedr, above); how often it asks then is assumed.
    Reader("Feedly", 30, HOUR, "gzip", service=True, pushed=3 * HOUR, jitter=0.2,
           agent="Feedly/1.0 (+http://www.feedly.com/fetcher.html; {} subscribers; like FeedFetcher-Google)"),
    # intervals assumed; pushed (superfeedr, above)
    Reader("Inoreader", 9, HOUR, "gzip, deflate", service=True, pushed=3 * HOUR, jitter=0.2,
           agent="Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; {} subscribers; )"),
    # samuelclay/NewsBlur apps/rss_feeds/models.py: by stories a day; times 12 when pushed; a quarter more at random
    Reader("NewsBlur", 4, newsblur, "gzip, deflate", service=True, pushed=lambda s: 12 * newsblur(s), jitter=0.25,
           agent="NewsBlur Feed Fetcher - {} subscribers - http://www.newsblur.com/site/1/x"),
    # feedbin/feedbin feed_crawler/schedule.rb: not within 15 minutes of the last round, pushed or not; feedkit request.rb
    Reader("Feedbin", 4, 15 * MINUTE, "gzip, deflate", service=True, pushed=15 * MINUTE, jitter=0.4,
           agent="Feedbin feed-id:1 - {} subscribers"),
    # assumed
    Reader("The Old Reader", 2, HOUR, "gzip", service=True, jitter=0.2, agent="theoldreader.com ({} subscribers)"),
    # Athou/commafeed FeedRefreshIntervalCalculator.java, CommaFeedConfiguration.java, issue 1677: 5 minutes to a quarter of
    # 4 hours, and max-age
    Reader("commafeed.com", 1, commafeed, "gzip, br", service=True, honours=True, agent="CommaFeed/5 (https://www.commafeed.com)"),
    # blog.feedmail.org/2022/04/faster-updates.html: max-age; when pushed once a week
    Reader("FeedMail", 1, 5 * MINUTE, "gzip, br", service=True, pushed=7 * DAY, honours=True, agent="FeedMail.org ({} subscribers)"),
    # blogtrottr.com/robot: the ttl; when pushed "much less frequently", which is assumed to be twice a day
    Reader("Blogtrottr", 1, 5 * MINUTE, "gzip", service=True, pushed=DAY / 2, honours=True,
           agent="Blogtrottr/2.1 (+https://blogtrottr.com/robot)"),
    # synzen/MonitoRSS .env.example: 10 minutes; the ETag alone is assumed
    Reader("MonitoRSS", 2, 10 * MINUTE, "gzip, deflate", "etag", service=True, agent="MonitoRSS [Feed Fetcher]/1.0"),
    # assumed: twenty small ones, as one
    Reader("other services", 4, 3 * MINUTE, "gzip", "etag", service=True, jitter=0.5, agent="Aggregator/1.0 ({} subscribers)"),

    # FreshRSS feedController.php: asks when ttl_default (3,600 s) and 10 s more are over, so at each third of the runs of cron
    # that Docker/README.md and docker-compose.yml suggest, twice an hour; max-age since pull request 6812
    Reader("FreshRSS", 4, HOUR + 10, CURL, honours=True, cron=COPIED, agent="FreshRSS/1.28.0 (Linux; https://freshrss.org)"),
    # the same: pushed where the installer saw a public address; then once a day
    Reader("FreshRSS, WebSub", 2, HOUR + 10, CURL, honours=True, cron=COPIED, pushed=DAY,
           agent="FreshRSS/1.28.0 (Linux; https://freshrss.org)"),
    # miniflux/v2 config/options.go: 60 minutes from the start of the process (issue 2201: some versions take 120);
    # model/feed.go: or max-age, ttl; fetcher/request_builder.go
    Reader("Miniflux", 4, HOUR, "br, gzip", honours=True, agent="Mozilla/5.0 (compatible; Miniflux/2.2.10; +https://miniflux.app)"),
    # tt-rss classes/Prefs.php: 30 minutes; a round each 2 minutes; classes/UrlHelper.php: the date alone;
    # classes/Config.php MAX_CONDITIONAL_INTERVAL: without it once in 12 hours
    Reader("tt-rss", 3, 30 * MINUTE, CURL, "date", jitter=0.07, forgets=12 * HOUR, agent="Tiny Tiny RSS/25.07 (https://tt-rss.org/)"),
    # nextcloud/news discussion 1257: 3,600 s, by a cron each 5 minutes; the date alone is assumed
    Reader("Nextcloud News", 3, HOUR + 1, "gzip, deflate", "date", cron=(5 * MINUTE, ((0, 1.0),)), agent="NextCloud-News/1.0"),
    # as commafeed.com
    Reader("CommaFeed", 1, commafeed, "gzip, br", honours=True, agent="CommaFeed/5 (https://github.com/Athou/commafeed)"),
    # NetNewsWire AppDefaults.swift: hourly; LocalAccountRefresher.swift: no Cache-Control; a 304's validators replace its own.
    # The hours in which a computer is awake are assumed here and below.
    Reader("NetNewsWire", 8, HOUR, "gzip, deflate, br", hours=12, agent="NetNewsWire (RSS Reader; https://netnewswire.com/)"),
    # comm-central FeedUtils kBiffMinutesDefault: 100 minutes; Feed.sys.mjs: the date alone, past all caches
    Reader("Thunderbird", 3, 100 * MINUTE, ALL, "date", hours=9, extra="Cache-Control: no-cache\r\nPragma: no-cache\r\n",
           agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"),
    # newsboat configcontainer.cpp: reload-time 60, but auto-reload off, so mostly by hand; rss/parser.cpp
    Reader("newsboat", 1, 2 * HOUR, "gzip, deflate", hours=10, by_hand=True, extra="A-IM: feed\r\n", agent="newsboat/2.40 (Linux x86_64)"),
    # Reeder, Unread, lire and others that ask by themselves: assumed
    Reader("Apple apps", 4, HOUR, "gzip, deflate, br", hours=16, jitter=0.3, agent="Reeder/5060000 CFNetwork/1568 Darwin/24.0.0"),
    # spacecowboy/Feeder SettingsStore.kt, and others: hourly; OkHttp keeps what is fresh; Android puts it off at will (assumed)
    Reader("Android apps", 3, HOUR, "gzip", honours=True, jitter=0.5, agent="Feeder/2.8 (Android)"),
    # extensions of browsers: 30 minutes assumed; the browser's cache answers while it is fresh
    Reader("browser extensions", 2, 30 * MINUTE, ALL, honours=True, hours=9,
           agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    # learn.microsoft.com, Feed.Interval: 24 hours; Outlook's way is assumed to be the same
    Reader("Windows RSS, Outlook", 0.5, DAY, "gzip, deflate", agent="Windows-RSS-Platform/2.0 (MSIE 11.0; Windows NT 10.0)"),
    # developer.wordpress.org, wp_feed_cache_transient_lifetime: 12 hours, and its validators are gone with the transient
    Reader("WordPress", 0.5, 12 * HOUR, "deflate, gzip, br", "none", jitter=0.2, agent="WordPress/6.9; https://blog.example"),
    # MagicMirrorOrg/MagicMirror issue 2883: 5 minutes or the ttl; nothing kept
    Reader("MagicMirror", 0.5, 5 * MINUTE, "gzip, deflate, br", "none", honours=True, agent="Mozilla/5.0 (Node.js 22) MagicMirror/2.30"),
    # scripts that keep nothing, by cron: assumed; feedparser asks for gzip, curl for nothing
    Reader("scripts, gzip", 1.5, HOUR, "gzip, deflate", "none", cron=ON_THE_HOUR,
           agent="feedparser/6.0.11 +https://github.com/kurtmckee/feedparser/"),
    Reader("scripts, plain", 1, HOUR, "", "none", cron=ON_THE_HOUR, agent="curl/8.9.1"),
]


# ------------------------------------------------------------------------------------------------- when they ask


def interval(reader, s):
    """Seconds between two polls, without the jitter."""
    every = reader.pushed if s.websub and reader.pushed else reader.every
    every = every(s) if callable(every) else every
    if reader.honours:
        every = max(every, s.max_age)
    if reader.cron:
        every = math.ceil(every / reader.cron[0]) * reader.cron[0]
    return every


def morning(rng):
    """When somebody opens a computer, in seconds of the day in UTC."""
    _, zone, spread = rng.choices(ZONES, [z[0] for z in ZONES])[0]
    return (OPENS - zone + rng.uniform(-spread, spread) + rng.uniform(-OPENS_SPREAD, OPENS_SPREAD)) * HOUR % DAY


def polls(reader, s, rng):
    """The instants of one day, in order; before them the last one of the day before."""
    every, times = interval(reader, s), []
    if reader.by_hand or reader.hours < 24:
        opens = morning(rng)
        for t in (opens - 2 * DAY, opens - DAY, opens):
            end = t + reader.hours * HOUR
            if reader.by_hand:
                t += rng.expovariate(1 / every)
            while t < end:
                times.append(t)
                t += rng.expovariate(1 / every) if reader.by_hand else every * (1 + reader.jitter * rng.random())
    elif reader.cron:
        grid, common = reader.cron
        weights = [w for _, w in common]
        minute = rng.choices([m for m, _ in common] + [None], [*weights, max(0, 1 - sum(weights))])[0]
        offset = (rng.randrange(grid // MINUTE) if minute is None else minute) * MINUTE
        offset += grid * rng.randrange(every // grid)
        times = [offset + every * n + rng.expovariate(1 / CRON_LAG) for n in range(-2, math.ceil((DAY - offset) / every))]
    elif reader.jitter:
        t = -every * (1 + reader.jitter) * (1 + rng.random())
        while t < DAY:
            times.append(t)
            t += every * (1 + reader.jitter * rng.random())
    else:
        first = rng.random() * every
        return [first + every * n for n in range(-1, math.ceil((DAY - first) / every))]
    first = bisect.bisect_left(times, 0)
    return [times[first - 1] if first else -DAY, *times[first : bisect.bisect_left(times, DAY)]]


def publications(s):
    """The instants at which the feeds change: today's, and the same in the week before, since some look that seldom."""
    rng = random.Random(f"{s.seed} publications")
    today = s.publish_at or [rng.uniform(0, DAY) for _ in range(s.articles)]
    return sorted(t - DAY * n for t in today for n in range(9))


# ------------------------------------------------------------------------------------------------- what they get


def coding(accepts, sizes):
    """Which of the encodings of a document `serve` sends: the smallest of those that are liked."""
    tokens = {token.strip() for token in accepts.split(",")}
    liked = [c for c in CODINGS[1:] if c in tokens]
    return min(liked, key=lambda c: sizes[CODINGS.index(c)], default="identity")


def news(times, changes):
    """Those of a reader's polls that find a version other than the poll before."""
    found, last = [], 0
    for change in changes[bisect.bisect_right(changes, times[0]) :]:
        i = bisect.bisect_left(times, change)
        if i == len(times):
            break
        if i != last:
            found.append(times[i])
            last = i
    return found


def changes_for(reader, changes, due, rng):
    """The instants after which this reader's next poll is a 200."""
    if reader.keeps == "date":
        # Last-Modified is a whole second that is not over when the version changes: who asks within it asks in vain again
        changes = sorted(changes + due)
    if reader.forgets:
        changes = sorted(changes + forgotten(reader, rng))
    return changes


def forgotten(reader, rng):
    """When a reader asks as if it had nothing, as some do now and then because servers are wrong."""
    first = rng.random() * reader.forgets
    return [first + reader.forgets * n for n in range(math.ceil((DAY - first) / reader.forgets))]


@dataclasses.dataclass(frozen=True)
class Cdn:
    """One way of caching in front. It heeds no `no-cache` of a reader (Thunderbird sends one), as CDNs mostly do not."""

    name: str
    swr: bool
    purge: bool


CDNS = (
    Cdn("max-age alone", swr=False, purge=False),
    Cdn("stale-while-revalidate", swr=True, purge=False),
    Cdn("that and purges", swr=True, purge=True),
    Cdn("max-age and purges", swr=False, purge=True),
)


def cache(times, published, s, cdn):
    """A shared cache (RFC 9111) that holds one encoding of one feed, asked at `times` of a day.

    The instants at which what it gives out changes, with those at which that was published; what it asks the origin for
    (when, and whether there was something new: a 200, else a 304); how many of its readers had to wait for the origin. It
    lives through the day twice, since it is empty at first.
    """
    changes, asked, waiting = [], [], 0
    have, checked = None, -math.inf
    for offset in (-DAY, 0):
        i = 0
        while True:
            stale, purged = checked + s.max_age, False
            if cdn.purge and have is not None:
                n = bisect.bisect_right(published, checked)
                if n < len(published) and published[n] + s.purge_delay < stale:
                    stale, purged = published[n] + s.purge_delay, True
            i = bisect.bisect_left(times, stale - offset, i)
            if i == len(times):
                break
            t = times[i] + offset
            back = bisect.bisect_left(times, t + s.rtt - offset, i)
            version = bisect.bisect_right(published, t)
            waits = not cdn.swr or purged or t >= checked + s.max_age + s.swr
            if have not in (None, version):
                changes.append((t if waits else t + s.rtt, published[version - 1]))
            if offset == 0:
                # one asks and the others of that moment wait for it, or each asks
                asked += [(t, version != have)] * (1 if s.collapse else max(1, back - i))
                waiting += max(1, back - i) if waits else 0
            have, checked, i = version, t, max(back, i + 1)
    return [c for c, _ in changes], [p for _, p in changes], asked, waiting


class Traffic:
    """Requests and bytes, minute by minute."""

    def __init__(self):
        self.requests, self.modified, self.bytes = [0] * 1440, 0, [0.0] * 1440
        self.late, self.waiting = [0] * 1440, 0

    def add(self, times, size):
        for t in times:
            minute = int(t) // 60
            self.requests[minute] += 1
            self.bytes[minute] += size

    def full(self, times, size):
        """Those among the requests that were answered with a 200, which has so many bytes more."""
        self.modified += len(times)
        for t in times:
            self.bytes[int(t) // 60] += size

    def news(self, found, changes, born):
        """Those that brought something new, and how many minutes after it was published."""
        for t in found:
            self.late[min(1439, int(t - born[bisect.bisect_right(changes, t) - 1]) // 60)] += 1

    def row(self):
        requests, peak = sum(self.requests), max(self.requests)
        row = {"requests_s": requests / DAY, "peak_requests_s": peak / 60, "peak_minute": self.requests.index(peak)}
        row |= {"bytes_s": sum(self.bytes) / DAY, "peak_bytes_s": max(self.bytes) / 60}
        row |= {"share_304": 1 - self.modified / requests if requests else 0, "waiting_s": self.waiting / DAY}
        if any(self.late):
            half = sum(self.late) / 2
            row["news_min"] = next(n for n, total in enumerate(itertools.accumulate(self.late)) if total >= half)
        return row


def pollers(reader, n):
    """How many of each format ask; a service asks for each that one of its subscribers wants."""
    count = n * reader.share / 100
    if reader.service:
        return {f: 1 for f in FORMATS if round(count * FORMATS[f]) or f == "rss"}
    return {f: count * share for f, share in FORMATS.items()}


def places(s):
    """What share of all readers each place of the CDN serves: a few are large. Assumed."""
    weights = [1 / (rank + 1) ** 0.7 for rank in range(s.pops)]
    return [w / sum(weights) for w in weights]


def simulate(n, s):
    """One day of so many subscribers."""
    rng = random.Random(f"{s.seed} {n}")
    published, shares = publications(s), places(s)
    due = [math.floor(p) + 1.0 for p in published]
    crowd = [collections.Counter() for _ in shares]
    for reader in READERS:
        for form, count in pollers(reader, n).items():
            # rounded at random, so that small classes are not all lost
            count = int(count) + (rng.random() < count % 1)
            for place in rng.choices(range(len(shares)), shares, k=count):
                crowd[place][reader, form] += 1
    alone = Traffic()
    edges, behind = {cdn: Traffic() for cdn in CDNS}, {cdn: Traffic() for cdn in CDNS}
    by_reader = {reader.name: [0, 0, 0] for reader in READERS}
    for members in crowd:
        keys = collections.defaultdict(list)
        for (reader, form), count in members.items():
            keys[form, coding(reader.accepts, s.sizes[form])] += [(reader, polls(reader, s, rng)) for _ in range(count)]
        for (form, code), asking in keys.items():
            times = sorted(itertools.chain.from_iterable(day[1:] for _, day in asking))
            more = s.head_200 + s.sizes[form][CODINGS.index(code)] - s.head_304
            views = [(alone, published, published, due)]
            for cdn in CDNS:
                changes, born, asked, waiting = cache(times, published, s, cdn)
                views.append((edges[cdn], changes, born, []))
                behind[cdn].add([t for t, _ in asked], s.head_304)
                behind[cdn].full([t for t, new in asked if new], more)
                behind[cdn].waiting += waiting
            for traffic, changes, born, due_here in views:
                traffic.add(times, s.head_304)
                for reader, day in asking:
                    if reader.keeps == "none":
                        found = day[1:]
                    elif reader.keeps == "date" or reader.forgets:
                        found = news(day, changes_for(reader, changes, due_here, rng))
                    else:
                        found = news(day, changes)
                        if not (s.websub and reader.pushed):
                            traffic.news(found, changes, born)
                    traffic.full(found, more)
                    if traffic is alone:
                        tally = by_reader[reader.name]
                        tally[0] += len(day) - 1
                        tally[1] += len(found)
                        tally[2] += (len(day) - 1) * s.head_304 + len(found) * more
    rows = {"alone": alone.row(), "edge": edges[CDNS[1]].row()}
    for cdn in CDNS:
        rows[f"behind, {cdn.name}"] = behind[cdn].row() | {"news_min": edges[cdn].row().get("news_min", 0)}
    return {"rows": rows, "readers": by_reader, "hub": fan_out(n, s)}


def fan_out(n, s):
    """What the hub of `serve` delivers for each change: the document, unencoded, to whoever is pushed."""
    if not s.websub:
        return {"deliveries": 0, "bytes": 0}
    to = [(form, count) for reader in READERS if reader.pushed for form, count in pollers(reader, n).items()]
    size = sum(count * (s.head_200 + s.sizes[form][0]) for form, count in to)
    return {"deliveries": round(sum(count for _, count in to)), "bytes": round(size)}


# ------------------------------------------------------------------------------------------------- the formula


@functools.lru_cache
def openings():
    """How probably a computer is opened in each minute of the day in UTC: `morning`, written down."""
    chance = [0.0] * 1440
    for weight, zone, spread in ZONES:
        for a in range(-spread * 60, spread * 60):
            for b in range(-OPENS_SPREAD * 60, OPENS_SPREAD * 60):
                chance[((OPENS - zone) * 60 + a + b) % 1440] += weight / (spread * 120) / (OPENS_SPREAD * 120)
    return chance


def profile(reader, s):
    """How many polls one poller makes in each minute of a day, and the time since the one before: a few parts."""
    every = interval(reader, s)
    mean = every * (1 + reader.jitter / 2)
    if reader.by_hand:
        opened, span = openings(), int(reader.hours * 60)
        return [([60 / every * sum(opened[minute - n] for n in range(span)) for minute in range(1440)], every)]
    if reader.hours < 24:
        opened, span = openings(), reader.hours * HOUR
        # with jitter: of a renewal process
        times = span / mean + 0.5 if reader.jitter else math.ceil(span / mean)
        shifts = [(round(mean * n / 60), min(1, times - n)) for n in range(1, math.ceil(times))]
        later = [sum(share * opened[(minute - shift) % 1440] for shift, share in shifts) for minute in range(1440)]
        return [(opened, DAY - mean * (times - 1)), (later, mean)]
    if reader.cron:
        grid, common = reader.cron
        slots = grid // 60
        rest = max(0, 1 - sum(w for _, w in common)) / slots
        at = [rest + sum(w for m, w in common if m == slot) for slot in range(slots)]
        on_time = 1 - math.exp(-60 / CRON_LAG)
        polls_at = [at[m % slots] * on_time + at[(m - 1) % slots] * (1 - on_time) for m in range(1440)]
        return [([polls * grid / every for polls in polls_at], every)]
    return [([60 / mean] * 1440, mean)]


def chance_of_news(gap, articles, by_hand=False):
    """That at least one of the day's articles came in the time between two polls."""
    if by_hand:
        return articles * gap / DAY / (1 + articles * gap / DAY)
    return 1 - (1 - min(gap, DAY) / DAY) ** articles


def formula(n, s):
    """The same in closed form, for n_c pollers of class c:

    requests/s  Σ n_c p_c / 86,400, with p_c polls a day; in the peak minute the largest Σ n_c p_c(m) / 60 of all minutes m,
                where p_c(m) is 60 / interval for those who ask at any time, and a day's runs at once for those of cron
    304s        1 - Σ n_c p_c q_c / Σ n_c p_c, with q_c = 1 - (1 - gap / day) ^ articles, or 1 for those who keep nothing
    bytes/s     the same with the sizes; in the peak minute with the articles at the instants of the simulated day
    behind it   Σ λ / (1 + λ max-age) over the copies that the CDN has, one for each place, feed and encoding, which is asked
                λ times a second: less than copies / max-age, however many subscribers there are
    """
    published = publications(s)
    asked, full, sent = 0.0, 0.0, 0.0
    minutes, volume = [0.0] * 1440, [0.0] * 1440
    rates = collections.Counter()

    @functools.cache
    def fresh(gap):
        middles = [m * 60 + 30 for m in range(1440)]
        return [bisect.bisect_right(published, t) > bisect.bisect_right(published, t - gap) for t in middles]

    for reader in READERS:
        for vector, gap in profile(reader, s):
            total = sum(vector)
            always = reader.keeps == "none"
            chance = 1 if always else chance_of_news(gap, s.articles, reader.by_hand)
            if reader.forgets:
                chance += (1 - chance) * DAY / reader.forgets / total
            for form, count in pollers(reader, n).items():
                code = coding(reader.accepts, s.sizes[form])
                more = s.head_200 + s.sizes[form][CODINGS.index(code)] - s.head_304
                asked += count * total
                full += count * total * chance
                sent += count * total * (s.head_304 + chance * more)
                rates[form, code] += count * total / DAY
                for m, now in enumerate(fresh(gap)):
                    minutes[m] += count * vector[m]
                    volume[m] += count * vector[m] * (s.head_304 + (more if always or now else 0))
    alone = {"requests_s": asked / DAY, "peak_requests_s": max(minutes) / 60, "peak_minute": minutes.index(max(minutes))}
    alone |= {"bytes_s": sent / DAY, "peak_bytes_s": max(volume) / 60, "share_304": 1 - full / asked}
    asked, full, sent, copies = 0.0, 0.0, 0.0, 0.0
    for (form, code), rate in rates.items():
        more = s.head_200 + s.sizes[form][CODINGS.index(code)] - s.head_304
        for share in places(s):
            gap = s.max_age + 1 / (rate * share)
            chance = chance_of_news(gap, s.articles)
            asked += DAY / gap
            full += DAY / gap * chance
            sent += DAY / gap * (s.head_304 + chance * more)
            copies += 1 - math.exp(-rate * share * DAY)
    behind = {"requests_s": asked / DAY, "bytes_s": sent / DAY, "share_304": 1 - full / asked, "copies": copies}
    return {"alone": alone, "behind": behind}


# ------------------------------------------------------------------------------------------------- what is said


def number(x):
    """Three digits: 0.234, 86.5, 40.2k."""
    for unit in ("", "k", "M"):
        if abs(x) < 999.5:
            return f"{x:.3g}{unit}"
        x /= 1000
    return f"{x:.3g}G"


def clock(minute):
    return f"{int(minute) // 60:02}:{int(minute) % 60:02}"


HEADING = f"""{'':46} {'requests/s':>19} {'':6} {'bytes/s':>13}
{'subscribers':>13} {'where':32} {'mean':>6} {'peak':>6} {'at':>5} {'mean':>7} {'peak':>7} {'304':>7} {'news':>8} {'waiting':>8}"""


def line(n, where, row):
    cells = [f"{n:>13} {where:32} {number(row['requests_s']):>6}"]
    cells.append(f"{number(row['peak_requests_s']):>6} {clock(row['peak_minute'])}" if "peak_requests_s" in row else f"{'':12}")
    cells.append(f"{number(row['bytes_s']):>7} {number(row['peak_bytes_s']) if 'peak_bytes_s' in row else '':>7}")
    cells.append(f"{row['share_304'] * 100:5.1f} %")
    cells.append(f"{row['news_min']:>4} min" if "news_min" in row else f"{'':8}")
    cells.append(f"{number(row['waiting_s']):>6}/s" if where.startswith("origin, ") and row.get("waiting_s") else "")
    return " ".join(cells).rstrip()


def compared(a, b):
    """How far `a` is from `b`, in percent."""
    numbers = ("requests_s", "peak_requests_s", "bytes_s", "peak_bytes_s")
    return {k: (a[k] / b[k] - 1) * 100 for k in numbers if k in a} | {"points_304": (a["share_304"] - b["share_304"]) * 100}


def told(difference):
    names = {"requests_s": "requests/s", "peak_requests_s": "in the peak", "bytes_s": "bytes/s", "peak_bytes_s": "in the peak"}
    parts = [f"{name} {difference[k]:+.1f} %" for k, name in names.items() if k in difference]
    return ", ".join([*parts, f"304s {difference['points_304']:+.1f} points"])


def grown(results, fewer, more):
    """What so many subscribers cause, times so much, against what more of them do, in percent. Services do not grow."""
    own = [r.name for r in READERS if not r.service]
    sums = [[sum(results[n]["readers"][name][i] for name in own) for i in range(3)] for n in (fewer, more)]
    return {k: (a * more / fewer / b - 1) * 100 for k, a, b in zip(("requests", "200s", "bytes"), *sums)}


def report(s):
    results = {}
    for n in s.subscribers:
        began = time.perf_counter()
        results[n] = simulate(n, s)
        results[n]["seconds"] = round(time.perf_counter() - began, 1)
    most = max(s.subscribers)
    closed = {n: formula(n, s) for n in sorted({most, *s.beyond})}
    rows = results[most]["rows"]
    deviation = {"no CDN": compared(closed[most]["alone"], rows["alone"])}
    deviation["behind it"] = compared(closed[most]["behind"], rows["behind, max-age alone"])
    pair = sorted(set(s.subscribers))[-2:]
    sample = grown(results, *pair) if len(pair) == 2 else {}
    memory = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if s.format == "json":
        chosen = {k: v for k, v in vars(s).items() if k not in ("against", "edit", "readers", "factor", "by_reader")}
        said = {"settings": chosen, "published": [p for p in publications(s) if p >= 0], "simulated": results, "formula": closed}
        print(json.dumps(said | {"deviation_percent": deviation, "sample_percent": sample, "memory_mb": memory}, indent=1))
        return
    at = ", ".join(clock(p / 60) for p in publications(s) if p >= 0)
    push = "WebSub" if s.websub else "no WebSub"
    print(f"{s.articles} articles a day (at {at} UTC), max-age {s.max_age} s, {push}, a CDN of {s.pops} places")
    print("peak: the busiest minute of the day; news: until half of those who poll have what is new;")
    print(f"waiting: requests at the CDN that wait for the origin\n\n{HEADING}")
    for n, result in results.items():
        for where, row in result["rows"].items():
            place = {"alone": "origin, no CDN", "edge": "CDN"}.get(where, f"origin{where.removeprefix('behind')}")
            print(line(f"{n:,}" if where == "alone" else "", place, row))
        print(f"{'':13} hub, each change: {result['hub']['deliveries']:,} deliveries, {number(result['hub']['bytes'])}B\n")
    print(f"By formula\n{HEADING}")
    for n, rows in closed.items():
        print(line(f"{n:,}", "origin, no CDN; CDN", rows["alone"]))
        copies = rows["behind"]["copies"]
        print(line("", "origin behind the CDN", rows["behind"]) + f"   {copies:,.0f} copies: each once, in the worst minute, {copies / 60:.1f}/s")
    print(f"\nThe formula against the simulation of {most:,}")
    for where, difference in deviation.items():
        print(f"  {where}: {told(difference)}")
    if sample:
        print(f"{pair[0]:,}, times {pair[1] / pair[0]:g}, against {pair[1]:,} (without services): "
              + ", ".join(f"{k} {v:+.2f} %" for k, v in sample.items()))
    if s.by_reader:
        say_readers(most, results[most]["readers"], s)
    print("\n" + ", ".join(f"{n:,}: {r['seconds']} s" for n, r in results.items()) + f"; {memory} MB")


def say_readers(n, tallies, s):
    print(f"\n{'of ' + format(n, ','):22} {'subscribers':>11} {'requests':>9} {'bytes':>7} {'304':>6}   polls every")
    everything = [sum(tally[i] for tally in tallies.values()) for i in range(3)]
    for reader in READERS:
        asked, full, size = tallies[reader.name]
        every = interval(reader, s) * (1 + reader.jitter / 2) / 60
        how = f", {reader.hours} hours a day" if reader.hours < 24 else ", by cron" if reader.cron else ", for all" if reader.service else ""
        parts = f"{asked / everything[0] * 100:7.2f} % {size / everything[2] * 100:5.1f} %"
        unchanged = (1 - full / asked) * 100 if asked else 0
        print(f"{reader.name:22} {reader.share:9.1f} % {parts} {unchanged:4.0f} % {every:7.0f} min{how}")


# ------------------------------------------------------------------------------------------------- against a server


class Site:
    """Where the server is."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.tls = parts.scheme == "https"
        self.host, self.port, self.authority = parts.hostname, parts.port or (443 if self.tls else 80), parts.netloc
        self.path = parts.path.rstrip("/") + "/"


class Poller:
    """One reader at a server that runs: its connection, its validators, and what it got."""

    def __init__(self, reader, form, subscribers, day, rng):
        self.reader, self.form, self.day = reader, form, day
        self.agent = reader.agent.format(subscribers)
        self.forgotten = forgotten(reader, rng) if reader.forgets else []
        self.streams, self.etag, self.date = None, None, None
        self.got, self.bytes, self.late = collections.Counter(), 0, 0.0
        self.size, self.raw, self.surplus = 0, 0, 0

    def request(self, site):
        lines = [f"GET {site.path}{ROUTES[self.form]} HTTP/1.1", f"Host: {site.authority}", f"User-Agent: {self.agent}", "Accept: */*"]
        if self.reader.accepts:
            lines.append(f"Accept-Encoding: {self.reader.accepts}")
        if self.etag and self.reader.keeps in ("both", "etag"):
            lines.append(f"If-None-Match: {self.etag}")
        if self.date and self.reader.keeps in ("both", "date"):
            lines.append(f"If-Modified-Since: {self.date}")
        return ("\r\n".join(lines) + f"\r\n{self.reader.extra}\r\n").encode()

    async def ask(self, site):
        """Status, fields, bytes of the head and of the body; on a new connection if the server closed the old one meanwhile."""
        for again in (False, True):
            if self.streams is None or again:
                self.streams = await asyncio.open_connection(site.host, site.port, ssl=site.tls or None)
            reading, writing = self.streams
            try:
                writing.write(self.request(site))
                head = await reading.readuntil(b"\r\n\r\n")
                break
            except (asyncio.IncompleteReadError, ConnectionError):
                writing.close()
                if again:
                    raise
        status = int(head.split(b" ", 2)[1])
        pairs = (field.partition(":") for field in head.decode("latin-1").split("\r\n")[1:])
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        length = 0 if status == 304 else int(fields.get("content-length", 0))
        await reading.readexactly(length)
        if status in (200, 304):
            # the validators of a 304 replace those that were kept; one that it does not have is forgotten (NetNewsWire)
            self.etag, self.date = fields.get("etag"), fields.get("last-modified")
        if fields.get("connection", "").lower() == "close":
            writing.close()
            self.streams = None
        return status, fields, len(head), length

    async def live(self, site, start, factor, versions):
        forgotten = collections.deque(self.forgotten)
        for t in self.day[1:]:
            due = start + t / factor
            await asyncio.sleep(due - time.perf_counter())
            self.late = max(self.late, time.perf_counter() - due)
            while forgotten and t >= forgotten[0]:
                forgotten.popleft()
                self.etag = self.date = None
            status, fields, head, body = await self.ask(site)
            self.got[status] += 1
            self.bytes += head + body
            if status == 200:
                self.surplus += head + body - self.size
                self.raw += "gzip" in self.reader.accepts and "content-encoding" not in fields
            versions.setdefault((self.form, self.etag), (time.perf_counter() - start) * factor)

    def expected(self, changes, due):
        """How many of its polls the simulation answers with a 200."""
        if self.reader.keeps == "none":
            return len(self.day) - 1
        instants = changes + self.forgotten + (due if self.reader.keeps == "date" else [])
        return len(news([-1, *self.day[1:]], sorted(instants)))


async def author(path, instants, start, factor, saved):
    """At each of the instants another sentence; at the end all is as it was."""
    text = path.read_text()
    try:
        for n, t in enumerate(instants, 1):
            await asyncio.sleep(start + t / factor - time.perf_counter())
            path.write_text(f"{text.rstrip()}\n\nMark {n}.\n")
            saved.append((time.perf_counter() - start) * factor)
        await asyncio.sleep(start + DAY / factor - time.perf_counter())
    finally:
        path.write_text(text)


async def replay(s):
    rng, site = random.Random(f"{s.seed} {s.readers} against"), Site(s.against)
    crowd = []
    for reader in READERS:
        for form, count in pollers(reader, s.readers).items():
            count = int(count) + (rng.random() < count % 1)
            subscribers = max(1, round(s.readers * reader.share / 100 * FORMATS[form]))
            crowd += [Poller(reader, form, subscribers, polls(reader, s, rng), rng) for _ in range(count)]
    crowd = [poller for poller in crowd if len(poller.day) > 1]
    # what was published a moment ago has neither its date nor its best encodings
    await asyncio.sleep(3)
    # everybody has the feed already; what it costs to get it tells the simulation the sizes
    for n in range(0, len(crowd), 100):
        for poller, (status, _, head, body) in zip(crowd[n:], await asyncio.gather(*(p.ask(site) for p in crowd[n : n + 100]))):
            if status != 200:
                sys.exit(f"{s.against}: {ROUTES[poller.form]} is a {status}")
            poller.size = head + body
    probe = Poller(READERS[0], "rss", 1, [], rng)
    await probe.ask(site)
    status, _, head_304, _ = await probe.ask(site)
    if status != 304:
        sys.exit(f"{s.against}: who has the feed is sent it again ({status})")
    start, wall = time.perf_counter() + 0.5, time.time() + 0.5
    versions, saved = {(p.form, p.etag): -math.inf for p in crowd}, []
    jobs = [p.live(site, start, s.factor, versions) for p in crowd]
    if s.edit:
        jobs.append(author(pathlib.Path(s.edit), [p for p in publications(s) if p >= 0], start, s.factor, saved))
    await asyncio.gather(*jobs)
    seen = {form: sorted(t for (f, _), t in versions.items() if f == form and t >= 0) for form in FORMATS}
    # if it is somebody else who writes, a change was when it was seen first
    changes = {form: saved if s.edit else found for form, found in seen.items()}
    # in HTTP a date is a whole second, which is long here
    due = {form: [(math.floor(wall + t / s.factor) + 1 - wall) * s.factor for t in found] for form, found in changes.items()}
    lag = [min((t for found in seen.values() for t in found if t >= c), default=math.inf) - c for c in changes["rss"]]
    if math.inf in lag:
        sys.exit(f"{s.edit}: nobody saw the change; is it in the feeds?")
    table = collections.defaultdict(lambda: {"simulated": [0] * 4, "measured": [0] * 4})
    for p in crowd:
        asked, full = len(p.day) - 1, p.expected(changes[p.form], due[p.form])
        simulated = (asked, full, asked - full, full * p.size + (asked - full) * head_304)
        measured = (sum(p.got.values()), p.got[200], p.got[304], p.bytes)
        for name in (p.reader.name, "all"):
            for kind, values in (("simulated", simulated), ("measured", measured)):
                table[name][kind] = [a + b for a, b in zip(table[name][kind], values)]
    table["all"] = table.pop("all")
    seconds = {"first_seen_ms": [round(x / s.factor * 1000) for x in lag], "latest_poll_ms": round(max(p.late for p in crowd) * 1000)}
    facts = {"pollers": len(crowd), "raw": sum(p.raw for p in crowd), "surplus": sum(p.surplus for p in crowd), **seconds}
    if s.format == "json":
        run = {"against": s.against, "subscribers": s.readers, "factor": s.factor, "changes": changes}
        print(json.dumps({**run, **facts, "readers": table}, indent=1))
    else:
        say_replay(s, facts, table)


def say_replay(s, facts, table):
    print(f"{s.readers:,} subscribers ({facts['pollers']:,} pollers, each with a connection of its own), a day in {DAY / s.factor:.0f} s: "
          f"a second is {s.factor / 60:.0f} minutes.")
    if facts["first_seen_ms"]:
        print(f"Changes: the first to ask saw them {', '.join(map(str, facts['first_seen_ms']))} ms after the save.", end=" ")
    print(f"Polls were late by {facts['latest_poll_ms']} ms at most.")
    print(f"Bytes: those of the 200s are {facts['surplus']:+,} against the sizes before the changes; {facts['raw']} went out unencoded to who knows")
    print("gzip, since a version is served before its encodings are made, and those get better later. The quicker the replay,")
    print("the more polls fall into that time.\n")
    print(f"{'':20} {'requests':>9} {'':>9} {'200':>9} {'':>9} {'304':>9} {'':>9} {'bytes':>12}")
    print(f"{'':20} {'':>9} {'simulated':>9} {'measured':>9} {'simulated':>9} {'measured':>9} {'simulated':>12} {'measured':>12}")
    for name, row in table.items():
        a, b = row["simulated"], row["measured"]
        others = b[0] - b[1] - b[2]
        print(f"{name:20} {b[0]:>9,} {a[1]:>9,} {b[1]:>9,} {a[2]:>9,} {b[2]:>9,} {a[3]:>12,} {b[3]:>12,} {(b[3] / a[3] - 1) * 100:+7.2f} %"
              + (f"   {others} had another status" if others else ""))


# ------------------------------------------------------------------------------------------------- settings


def four(text):
    sizes = tuple(int(n) for n in text.split(","))
    if len(sizes) != 4:
        raise argparse.ArgumentTypeError("four sizes: identity,gzip,br,zstd")
    return sizes


def hours(text):
    return sorted((int(h) * 60 + int(m)) * 60.0 for h, _, m in (part.partition(":") for part in text.split(",")))


EXAMPLES = """examples:
  --no-websub                            nobody is pushed
  --max-age 7200                         what a longer [serve] fresh would save
  --scale 10                             a feed of long articles
  --pops 1                               a single cache: nginx, or a shield of the CDN
  --publish-at 07:58,12:58,17:58         just before the full hour, which is the worst minute
  --share Feedly=50 --by-reader          other subscribers, and what each reader has of it
  --against http://127.0.0.1:8080/ --edit articles/first.md
                                         a day in two minutes at a server that runs; the file is restored in the end
"""


def option(group, name, metavar, kind, default, text, **more):
    shown = " ".join(map(str, default)) if isinstance(default, list) else ",".join(map(str, default)) if isinstance(default, tuple) else default
    group.add_argument(name, type=kind, default=default, metavar=metavar, help=text if default is None else f"{text} ({shown})", **more)


def settings():
    about = __doc__.partition("usage:")[0] + __doc__.split("\n\n", 2)[2]
    p = argparse.ArgumentParser(description=about, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = functools.partial(option, p)
    add("--subscribers", "N", int, [10**3, 10**4, 10**5, 10**6], "how many are simulated", nargs="+")
    add("--beyond", "N", int, [10**7, 10**8], "how many the formula is asked for", nargs="*")
    p.add_argument("--share", action="append", default=[], metavar="READER=PERCENT", help="how many use one of the readers; the others make room")
    p.add_argument("--by-reader", action="store_true", help="also: what each reader has of it")
    p.add_argument("--format", choices=("text", "json"), default="text", help="json: one object on standard output")
    add("--seed", "N", int, 1, "another day")
    g = p.add_argument_group("the publisher")
    add = functools.partial(option, g)
    add("--articles", "N", int, 3, "articles a day")
    g.add_argument("--publish-at", type=hours, metavar="HH:MM,…", help="when they come, in UTC (at random)")
    for form in FORMATS:
        add(f"--{form}-size", "N,N,N,N", four, SIZES[form], f"bytes of {ROUTES[form]}: identity, gzip, br, zstd")
    add("--scale", "X", float, 1, "all these sizes times X")
    add("--head-200", "N", int, HEAD_200, "bytes of the head of a 200")
    add("--head-304", "N", int, HEAD_304, "bytes of a 304")
    add("--max-age", "SECONDS", int, 1800, "[serve] fresh")
    g.add_argument("--no-websub", dest="websub", action="store_false", help="no hub: those that could be pushed poll like the others")
    g = p.add_argument_group("the CDN")
    add = functools.partial(option, g)
    add("--pops", "N", int, 50, "places, each with a cache of its own, by feed and encoding")
    add("--swr", "SECONDS", int, 600, "stale-while-revalidate")
    add("--rtt", "SECONDS", float, 0.1, "from a place to the origin and back")
    g.add_argument("--no-collapse", dest="collapse", action="store_false", help="whoever finds a stale copy asks the origin, not one for all")
    add("--purge-delay", "SECONDS", float, 2, "from a change until all places have dropped it")
    g = p.add_argument_group("a server that runs")
    add = functools.partial(option, g)
    add("--against", "URL", str, None, "replay the polls there, quicker, and compare what it answers")
    add("--readers", "N", int, 2000, "subscribers whose polls are replayed")
    add("--factor", "X", float, 720, "how much quicker than life")
    add("--edit", "ARTICLE", str, None, "one of the newest, to change at the hours of the simulation; without it, the changes of others count")
    s = p.parse_args()
    if s.publish_at:
        s.articles = len(s.publish_at)
    s.sizes = {form: tuple(round(n * s.scale) for n in getattr(s, f"{form}_size")) for form in FORMATS}
    if s.against:
        s.websub = False  # nobody is there to be pushed
    given = {}
    for pair in s.share:
        name, _, percent = pair.rpartition("=")
        if name not in {r.name for r in READERS}:
            p.error(f"no reader is called `{name}`; there are: {'; '.join(r.name for r in READERS)}")
        given[name] = float(percent)
    room = (100 - sum(given.values())) / sum(r.share for r in READERS if r.name not in given)
    READERS[:] = [dataclasses.replace(r, share=given.get(r.name, r.share * room)) for r in READERS]
    return s


def main():
    s = settings()
    if not s.against:
        report(s)
        return
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(replay(s))


main()
