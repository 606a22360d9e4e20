//! Many subscribers to one feed: the real program is the hub, and this is all of its callbacks. It says how long it takes
//! until so many are subscribed, until all of them have a change, and until all others have it when some do not answer;
//! whether each has it once and whole, and what memory and what time of a processor the hub needs for that.
//!
//! `hub PROGRAM CALLBACKS SLOW [HOSTS [DELAY]]` prints lines of `what | seconds | note`; without seconds there is a `-`.
//! The callbacks share so many hosts, and take so many milliseconds to answer, as if they were far away.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a yardstick"
)]

use std::fmt::Write as _;
use std::hash::Hasher;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ring::hmac;
use tidings::announce::BURST;
use tokio::net::{TcpListener, TcpSocket};
use twox_hash::XxHash3_64;

const CONFIG: &str = "base_url = \"https://example.org/\"\ntitle = \"Bench\"\npermalink = \"/:slug/\"\n\
    [serve]\nlog = \"off\"\n[hub]\nenabled = true\nallow = [\"127.0.0.0/8\"]\n";
const TOPIC: &str = "https://example.org/rss.xml";
/// As many as a feed shows; together about 50 KB.
const ARTICLES: usize = 30;
/// So many share the callbacks, if nothing is said: one may have a thousand subscriptions.
const HOSTS: usize = 12;
/// One in so many has a secret.
const SIGNED: usize = 10;
/// So often the feed is changed while all are quick, and again while some are slow.
const CHANGES: usize = 3;
/// Who does not answer does not for so long: nobody waits longer.
const SILENCE: Duration = Duration::from_mins(1);
/// So many connections ask to subscribe, and send what shows how quick callbacks can be.
const LINES: usize = 8;
/// Between two looks at what came: whoever looks without a pause takes a core from the hub.
const PAUSE: Duration = Duration::from_millis(2);
/// Until all is written down, and what comes twice has come.
const REST: Duration = Duration::from_secs(3);
/// What is not there after this is not waited for.
const LONGEST: Duration = Duration::from_mins(1);

/// Something that came to a callback.
struct Event {
    callback: usize,
    at: Instant,
    what: What,
}

enum What {
    /// Whether it meant it.
    Question,
    Delivery(Delivery),
}

/// The hash of a body, and how it is signed.
struct Delivery {
    body: u64,
    signature: Option<String>,
}

/// All callbacks, on a thread that ends with the process.
struct Callbacks {
    count: usize,
    hosts: usize,
    port: u16,
    events: Receiver<Event>,
    manner: Arc<Manner>,
}

/// How they answer deliveries.
#[derive(Default)]
struct Manner {
    /// After so many milliseconds.
    delay: AtomicU64,
    /// So many of them not at all.
    slow: AtomicUsize,
    of: usize,
}

impl Manner {
    /// The slow ones are spread evenly.
    fn is_slow(&self, callback: usize) -> bool {
        let slow = self.slow.load(Ordering::SeqCst);
        callback * slow % self.of < slow
    }
}

impl Callbacks {
    fn start(count: usize, hosts: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _inside = runtime.enter();
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
            socket.listen(4096).unwrap()
        };
        let port = listener.local_addr().unwrap().port();
        let (sink, events) = channel();
        let manner = Arc::new(Manner {
            of: count,
            ..Manner::default()
        });
        let shared = Arc::clone(&manner);
        std::thread::spawn(move || runtime.block_on(attend(listener, sink, shared)));
        Self {
            count,
            hosts,
            port,
            events,
            manner,
        }
    }

    fn host(&self, callback: usize) -> Ipv4Addr {
        let behind = u32::try_from(callback % self.hosts).unwrap();
        Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + behind)
    }

    fn url(&self, callback: usize) -> String {
        format!("http://{}:{}/{callback}", self.host(callback), self.port)
    }

    /// Takes what comes until it is enough.
    fn until(&self, mut is_enough: impl FnMut(Event) -> bool) {
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            // nobody is woken for each of them
            for event in self.events.try_iter() {
                if is_enough(event) {
                    return;
                }
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn secret(callback: usize) -> Option<String> {
    (callback % SIGNED == 1).then(|| format!("secret {callback}"))
}

async fn attend(listener: TcpListener, sink: Sender<Event>, manner: Arc<Manner>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sink, manner) = (sink.clone(), Arc::clone(&manner));
        let service = service_fn(move |request| answer(request, sink.clone(), Arc::clone(&manner)));
        let connection = hyper::server::conn::http1::Builder::new()
            .max_buf_size(1 << 16)
            .serve_connection(TokioIo::new(stream), service);
        // who goes away in the middle has lost his patience
        tokio::spawn(async { drop(connection.await) });
    }
}

async fn answer(
    request: Request<Incoming>,
    sink: Sender<Event>,
    manner: Arc<Manner>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let callback = request.uri().path()[1..].parse().unwrap();
    let tell = |what| {
        let at = Instant::now();
        // at the end nobody listens
        let _ = sink.send(Event { callback, at, what });
    };
    if request.method() == Method::GET {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let challenge = { url::form_urlencoded::parse(query) }
            .find(|(name, _)| name == "hub.challenge")
            .map(|(_, challenge)| challenge.into_owned());
        tell(What::Question);
        return Ok(Response::new(challenge.unwrap_or_default().into()));
    }
    let signature = request.headers().get("x-hub-signature");
    let signature = signature.map(|signature| signature.to_str().unwrap().to_owned());
    let mut hash = XxHash3_64::new();
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            hash.write(&data);
        }
    }
    if manner.is_slow(callback) {
        tokio::time::sleep(SILENCE).await;
    } else {
        let body = hash.finish();
        tell(What::Delivery(Delivery { body, signature }));
        let delay = manner.delay.load(Ordering::SeqCst);
        // no time at all would be a millisecond
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
    }
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    Ok(answer)
}

/// A connection that stays open.
struct Line(BufReader<TcpStream>);

impl Line {
    fn to(host: Ipv4Addr, port: u16) -> Self {
        let stream = TcpStream::connect((host, port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::with_capacity(1 << 16, stream))
    }

    /// Status and body of the answer.
    fn ask(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.0.get_mut().write_all(request).unwrap();
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let text = line.trim_end();
            if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            match text.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap();
                }
                _ => {}
            }
            if text.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, body)
    }
}

/// The program, until this goes.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(program: &str, site: &Path) -> Self {
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(site)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        // whatever comes next, it is stopped
        let mut server = Self { child, port: 0 };
        let mut lines = said.lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let rest = line.split("open http://localhost:").nth(1)?;
            rest.split('/').next()?.parse().ok()
        });
        let Some(port) = port else {
            panic!("the program serves nothing");
        };
        server.port = port;
        std::thread::spawn(move || lines.for_each(drop));
        server
    }

    fn line(&self) -> Line {
        Line::to(Ipv4Addr::LOCALHOST, self.port)
    }

    fn feed(&self) -> Vec<u8> {
        let (status, body) = self
            .line()
            .ask(b"GET /rss.xml HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(status, 200);
        body
    }

    fn about(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    /// A line of its status, in MB.
    fn memory(&self, name: &str) -> f64 {
        let status = self.about("status");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1024.0
    }

    /// From here on the peak is counted anew.
    fn forget_peak(&self) {
        // where that may not be, it is the peak of all that was
        let path = format!("/proc/{}/clear_refs", self.child.id());
        let _ = std::fs::write(path, "5");
    }

    /// Seconds of a processor that it has used.
    fn worked(&self) -> f64 {
        let stat = self.about("stat");
        let fields = stat.rsplit(") ").next().unwrap().split(' ');
        let ticks: f64 = fields
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<f64>().unwrap())
            .sum();
        ticks / 100.0
    }

    fn memories(&self) -> String {
        let (now, most) = (self.memory("VmRSS"), self.memory("VmHWM"));
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        format!(
            "{now:.0} MB, at most {most:.0}, {} descriptors",
            open.count()
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hash(body: &[u8]) -> u64 {
    let mut hash = XxHash3_64::new();
    hash.write(body);
    hash.finish()
}

fn make(site: &Path) {
    std::fs::write(site.join("tidings.toml"), CONFIG).unwrap();
    std::fs::create_dir(site.join("articles")).unwrap();
    for number in 0..ARTICLES {
        save(site, number, "As it was at first.");
    }
}

/// As an editor that writes beside and renames.
fn save(site: &Path, number: usize, first: &str) {
    let words = "the boat came in at dawn with a hold full of herring and the keeper lit his *lamp* & slept until <noon>";
    let words: Vec<&str> = words.split(' ').collect();
    let mut text = format!(
        "---\ntitle: Article {number}\ndate: 2024-01-{:02}T10:00:00Z\n---\n{first}\n",
        number + 1
    );
    for word in 0..235 {
        let pause = if word % 30 == 0 { "\n\n" } else { " " };
        let word = words[(word * (number + 3)) % words.len()];
        write!(text, "{pause}{word}").unwrap();
    }
    text.push('\n');
    let beside = site.join("beside");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, site.join(format!("articles/a{number}.md"))).unwrap();
}

fn say(what: &str, taken: Option<Duration>, note: &str) {
    let taken = taken.map_or("-".to_owned(), |taken| {
        format!("{:.3}", taken.as_secs_f64())
    });
    println!("{what:34} | {taken:>7} | {note}");
}

/// The least that it takes: the same bytes to the same callbacks, over few connections, from somebody who knows what to do.
fn floor(callbacks: &Callbacks, body: &[u8]) {
    let count = callbacks.count;
    let began = Instant::now();
    std::thread::scope(|scope| {
        for first in 0..LINES {
            let mut line = Line::to(callbacks.host(first), callbacks.port);
            scope.spawn(move || {
                for callback in (first..count).step_by(LINES) {
                    let mut request = format!(
                        "POST /{callback} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    )
                    .into_bytes();
                    request.extend_from_slice(body);
                    assert_eq!(line.ask(&request).0, 204);
                }
            });
        }
    });
    let taken = began.elapsed();
    callbacks.events.try_iter().for_each(drop);
    say("floor", Some(taken), &rate(callbacks.count, taken));
}

fn rate(count: usize, taken: Duration) -> String {
    format!("{:.0}/s", count as f64 / taken.as_secs_f64())
}

/// Subscribes all, and waits until all have what is current.
fn subscribe(server: &Server, callbacks: &Callbacks) {
    let requests = (0..callbacks.count).map(|callback| request(callbacks, callback));
    let requests: Vec<Vec<u8>> = requests.collect();
    let (began, worked) = (Instant::now(), server.worked());
    std::thread::scope(|scope| {
        for first in 0..LINES {
            let own = requests.iter().skip(first).step_by(LINES);
            scope.spawn(move || {
                let mut line = server.line();
                for request in own {
                    let (status, text) = line.ask(request);
                    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&text));
                }
            });
        }
    });
    let answered = began.elapsed();
    let (mut asked, mut have) = (vec![0; callbacks.count], vec![0; callbacks.count]);
    let (mut askings, mut haves) = (Tally::default(), Tally::default());
    callbacks.until(|event| {
        match event.what {
            What::Question => askings.count(&mut asked[event.callback], event.at),
            What::Delivery(_) => haves.count(&mut have[event.callback], event.at),
        }
        askings.firsts == callbacks.count && haves.firsts == callbacks.count
    });
    let cpu = (server.worked() - worked) * 1e6 / callbacks.count as f64;
    std::thread::sleep(REST);
    say(
        "subscriptions asked for",
        Some(answered),
        &rate(callbacks.count, answered),
    );
    let verified = askings.last.unwrap() - began;
    let note = format!(
        "{}, {}",
        rate(callbacks.count, verified),
        askings.said(callbacks.count)
    );
    say("verified", Some(verified), &note);
    let sent = haves.last.unwrap() - began;
    let note = format!(
        "{}, {}, {cpu:.0} µs of CPU each, {}",
        rate(callbacks.count, sent),
        haves.said(callbacks.count),
        server.memories()
    );
    say("sent what is current", Some(sent), &note);
}

fn request(callbacks: &Callbacks, callback: usize) -> Vec<u8> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("hub.mode", "subscribe")
        .append_pair("hub.topic", TOPIC)
        .append_pair("hub.callback", &callbacks.url(callback));
    if let Some(secret) = secret(callback) {
        form.append_pair("hub.secret", &secret);
    }
    let form = form.finish();
    format!(
        "POST /hub HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// What came to those of whom it is expected.
#[derive(Default)]
struct Tally {
    first: Option<Instant>,
    last: Option<Instant>,
    firsts: usize,
    others: usize,
    wrong: usize,
}

impl Tally {
    fn count(&mut self, times: &mut u32, at: Instant) {
        *times += 1;
        if *times > 1 {
            self.others += 1;
            return;
        }
        self.firsts += 1;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }

    fn said(&self, expected: usize) -> String {
        if (self.firsts, self.others, self.wrong) == (expected, 0, 0) {
            return "each once".to_owned();
        }
        format!(
            "{} HAVE IT NOT, {} TWICE, {} WRONG",
            expected - self.firsts,
            self.others,
            self.wrong
        )
    }
}

/// Changes the feed, and waits until all have it of whom that is expected.
fn change(what: &str, number: usize, site: &Path, server: &Server, callbacks: &Callbacks) {
    let mark = format!("Change {number}.");
    let expected = (0..callbacks.count).filter(|callback| !callbacks.manner.is_slow(*callback));
    let expected = expected.count();
    callbacks.events.try_iter().for_each(drop);
    server.forget_peak();
    let (saved, worked) = (Instant::now(), server.worked());
    save(site, ARTICLES - 1, &mark);
    let (mut times, mut tally) = (vec![0; callbacks.count], Tally::default());
    let mut came = Vec::new();
    let mut take = |event: Event| {
        if let What::Delivery(delivery) = event.what {
            tally.count(&mut times[event.callback], event.at);
            came.push((event.callback, delivery));
        }
        tally.firsts == expected
    };
    callbacks.until(&mut take);
    let cpu = (server.worked() - worked) * 1e6 / expected as f64;
    let memories = server.memories();
    std::thread::sleep(REST);
    for event in callbacks.events.try_iter() {
        take(event);
    }
    let body = server.feed();
    let is_changed = String::from_utf8(body.clone()).unwrap().contains(&mark);
    assert!(is_changed, "another edition is served");
    let right = hash(&body);
    for (callback, delivery) in came {
        let signature = secret(callback).map(|secret| signature(&secret, &body));
        if delivery.body != right || delivery.signature != signature {
            tally.wrong += 1;
        }
    }
    let (Some(first), Some(last)) = (tally.first, tally.last) else {
        return say(what, None, "nobody has it");
    };
    let taken = last - saved;
    let note = format!(
        "{:.3} without the {} s for bursts, first after {:.3}; {}, {}, {cpu:.0} µs of CPU each, {memories}",
        (taken.saturating_sub(BURST)).as_secs_f64(),
        BURST.as_secs(),
        (first - saved).as_secs_f64(),
        rate(tally.firsts, taken.saturating_sub(BURST)),
        tally.said(expected),
    );
    say(what, Some(taken), &note);
}

fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut text = "sha256=".to_owned();
    for byte in hmac::sign(&key, body).as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, program, count, slow, more @ ..] = args.as_slice() else {
        // `cargo bench` asks for nothing
        return;
    };
    let (count, slow): (usize, usize) = (count.parse().unwrap(), slow.parse().unwrap());
    let mut more = more.iter().map(|text| text.parse().unwrap());
    let hosts = more.next().unwrap_or(HOSTS);
    let delay = u64::try_from(more.next().unwrap_or(0)).unwrap();
    // both ends of each connection are ours or the program's
    let _ = tidings::server::descriptors();
    let site = tempfile::Builder::new()
        .prefix("tidings-hub-")
        .tempdir()
        .unwrap();
    let site = site.path();
    make(site);
    let callbacks = Callbacks::start(count, hosts);
    let server = Server::start(program, site);
    let feed = server.feed();
    let note = format!(
        "{:.1} KB, {count} callbacks at {hosts} hosts, {delay} ms away",
        feed.len() as f64 / 1000.0
    );
    say("feed", None, &note);
    floor(&callbacks, &feed);
    callbacks.manner.delay.store(delay, Ordering::SeqCst);
    say("memory before", None, &server.memories());
    subscribe(&server, &callbacks);
    for number in 1..=CHANGES {
        change("change", number, site, &server, &callbacks);
    }
    callbacks.manner.slow.store(slow, Ordering::SeqCst);
    for number in 1..=CHANGES {
        let what = format!("change, {slow} slow");
        change(&what, CHANGES + number, site, &server, &callbacks);
    }
    say("memory after", None, &server.memories());
}
