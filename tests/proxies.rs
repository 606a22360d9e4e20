//! Behind the real nginx, Caddy and `HAProxy` as the README sets them up, with compression; and behind nginx and Varnish
//! with a cache. What is not installed is skipped, and says so.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::Site;
use crate::common::server::{LONG, Server, field, until};
use crate::common::tool::is_installed;

fn site() -> Site {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\n[serve]\nlog = \"json\"\ntrusted_proxies = [\"127.0.0.1\"]\n",
    );
    write(&site, 0);
    site
}

fn write(site: &Site, version: usize) {
    let text = format!("BEGIN {version} {}", "words and words ".repeat(200));
    site.article("a.md", "One", &text);
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The block of the README in this language that mentions `word`.
fn block(language: &str, word: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    let mut blocks = text.split(&fence).skip(1);
    let found = blocks.find_map(|rest| {
        rest.split("```")
            .next()
            .filter(|block| block.contains(word))
    });
    found.unwrap().to_owned()
}

/// A proxy in front of tidings.
struct Proxy {
    child: Child,
    port: u16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // its workers go with it
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Proxy {
    fn start(program: &str, arguments: &[&str], port: u16, home: &Path) -> Self {
        let log = fs::File::create(home.join("proxy.log")).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(home)
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let proxy = Self { child, port };
        let began = std::time::Instant::now();
        loop {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return proxy;
            }
            let log = || fs::read_to_string(home.join("proxy.log")).unwrap_or_default();
            assert!(
                began.elapsed() < LONG,
                "{program} does not start: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn nginx(site: &Site, server: &Server, cache: bool) -> Option<Self> {
        let home = site.home().display();
        let (zone, on) = if cache {
            (
                format!("proxy_cache_path {home}/cache keys_zone=feeds:1m;"),
                "proxy_cache feeds; proxy_cache_revalidate on;",
            )
        } else {
            (String::new(), "")
        };
        Self::nginx_with(site, server, &zone, on)
    }

    /// nginx as the README has it, with more settings around and in its server.
    fn nginx_with(site: &Site, server: &Server, zone: &str, on: &str) -> Option<Self> {
        let port = free_port();
        let home = site.home().display();
        let snippet = block("nginx", "upstream")
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", server.port))
            .replace("listen 80;", &format!("listen 127.0.0.1:{port}; {on}"));
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {home}/{name};"))
            .join(" ");
        site.put(
            "nginx.conf",
            format!("daemon off; pid {home}/nginx.pid; error_log {home}/error.log; events {{}} http {{ access_log off; {temporary} {zone} {snippet} }}"),
        );
        // its workers are another user, who must reach its folders
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(site.home(), open).unwrap();
        let conf = format!("{home}/nginx.conf");
        let prefix = home.to_string();
        is_installed("nginx").then(|| {
            Self::start(
                "nginx",
                &["-e", "stderr", "-p", &prefix, "-c", &conf],
                port,
                site.home(),
            )
        })
    }

    fn caddy(site: &Site, server: &Server) -> Option<Self> {
        let port = free_port();
        let snippet = block("caddy", "reverse_proxy")
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", server.port))
            .replace("example.org", &format!("http://:{port}"));
        site.put(
            "Caddyfile",
            format!("{{\n\tadmin off\n\tauto_https off\n}}\n{snippet}"),
        );
        is_installed("caddy").then(|| {
            Self::start(
                "caddy",
                &["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
                port,
                site.home(),
            )
        })
    }

    fn haproxy(site: &Site, server: &Server) -> Option<Self> {
        let port = free_port();
        let snippet = block("haproxy", "backend")
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", server.port))
            .replace("bind :80", &format!("bind 127.0.0.1:{port}"));
        site.put("haproxy.cfg", format!("defaults\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n{snippet}"));
        is_installed("haproxy")
            .then(|| Self::start("haproxy", &["-db", "-f", "haproxy.cfg"], port, site.home()))
    }

    fn varnish(site: &Site, server: &Server) -> Option<Self> {
        let port = free_port();
        let (listen, back) = (
            format!("127.0.0.1:{port}"),
            format!("127.0.0.1:{}", server.port),
        );
        let name = site.path("varnish").display().to_string();
        let arguments = [
            "-F",
            "-j",
            "none",
            "-a",
            &listen,
            "-b",
            &back,
            "-n",
            &name,
            "-s",
            "malloc,10m",
            "-T",
            "none",
        ];
        is_installed("varnishd").then(|| Self::start("varnishd", &arguments, port, site.home()))
    }

    fn get(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        get(self.port, target, fields)
    }
}

#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    head: String,
    /// As it is without its encoding.
    body: Vec<u8>,
}

fn get(port: u16, target: &str, fields: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut lines = String::new();
    for (name, value) in fields {
        lines += &format!("{name}: {value}\r\n");
    }
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes[end + 4..].to_vec();
    if field(&head, "transfer-encoding") == "chunked" {
        body = dechunked(&body);
    }
    let mut decoded = Vec::new();
    match field(&head, "content-encoding") {
        // a 304 of some proxies names the encoding that the 200 would have
        _ if body.is_empty() => {}
        "gzip" => drop(
            flate2::read::MultiGzDecoder::new(&body[..])
                .read_to_end(&mut decoded)
                .unwrap(),
        ),
        "br" => drop(
            brotli::Decompressor::new(&body[..], 4096)
                .read_to_end(&mut decoded)
                .unwrap(),
        ),
        "zstd" => decoded = zstd::stream::decode_all(&body[..]).unwrap(),
        _ => decoded = body,
    }
    Answer {
        status: head[9..12].parse().unwrap(),
        head,
        body: decoded,
    }
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").unwrap();
        let length =
            usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap().trim(), 16).unwrap();
        if length == 0 {
            return out;
        }
        out.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 4 + length..];
    }
}

impl Answer {
    fn field(&self, name: &str) -> &str {
        field(&self.head, name)
    }

    fn opaque(&self) -> String {
        opaque(self.field("etag"))
    }

    /// The tag tells these very bytes.
    fn is_whole(&self) {
        let expected = tidings::edition::tag("rss.xml", &tidings::edition::hash(&self.body));
        assert_eq!(self.opaque(), expected, "{}", self.head);
        assert!(self.body.starts_with(b"<?xml"));
    }
}

fn opaque(tag: &str) -> String {
    tag.trim_start_matches("W/").trim_matches('"').to_owned()
}

/// The rows of the table that a proxy could spoil.
fn rows(site: &Site, server: &Server, proxy: &Proxy, name: &str) {
    let direct = get(server.port, "/rss.xml", &[]);
    let plain = proxy.get("/rss.xml", &[]);
    // 1
    assert_eq!(plain.status, 200, "{name}");
    assert!(plain.body == direct.body, "{name}: {}", plain.head);
    assert_eq!(
        plain.field("content-length"),
        direct.body.len().to_string(),
        "{name}"
    );
    for header in [
        "content-type",
        "etag",
        "last-modified",
        "cache-control",
        "link",
        "access-control-allow-origin",
        "accept-ranges",
    ] {
        assert_eq!(plain.field(header), direct.field(header), "{name} {header}");
    }
    plain.is_whole();
    let tag = direct.opaque();
    let with = |form: &str| {
        form.replace('E', &format!("W/\"{tag}\""))
            .replace('T', &tag)
    };
    // 2 to 6, 12, 41
    for form in [
        "E",
        "\"T\"",
        "w/\"T\"",
        "\"zzz\", E, \"yyy\"",
        ",, E ,",
        "T",
    ] {
        for accept in ["identity", "gzip", "br, gzip, zstd"] {
            let answer = proxy.get(
                "/rss.xml",
                &[("If-None-Match", &with(form)), ("Accept-Encoding", accept)],
            );
            assert_eq!(
                (answer.status, answer.body.len()),
                (304, 0),
                "{name} {form}"
            );
            assert_eq!(answer.opaque(), tag, "{name}: a 304 keeps its tag");
            assert_eq!(
                answer.field("last-modified"),
                direct.field("last-modified"),
                "{name}"
            );
        }
    }
    // 9, 10, 11
    let since = direct.field("last-modified").to_owned();
    assert_eq!(
        proxy
            .get("/rss.xml", &[("If-None-Match", "W/\"old\"")])
            .status,
        200,
        "{name}"
    );
    assert_eq!(
        proxy
            .get(
                "/rss.xml",
                &[
                    ("If-None-Match", "W/\"old\""),
                    ("If-Modified-Since", &since)
                ]
            )
            .status,
        200,
        "{name}"
    );
    let old = ("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT");
    assert_eq!(
        proxy
            .get("/rss.xml", &[("If-None-Match", &with("E")), old])
            .status,
        304,
        "{name}"
    );
    // 18 to 21
    let instant = httpdate::parse_http_date(&since).unwrap();
    let second = Duration::from_secs(1);
    let date = chrono::DateTime::<chrono::Utc>::from(instant);
    for (value, status) in [
        (since.clone(), 304),
        (httpdate::fmt_http_date(instant - second), 200),
        (httpdate::fmt_http_date(instant + second * 3600), 200),
        (date.format("%A, %d-%b-%y %H:%M:%S GMT").to_string(), 304),
        (date.format("%a %b %e %H:%M:%S %Y").to_string(), 304),
    ] {
        assert_eq!(
            proxy
                .get("/rss.xml", &[("If-Modified-Since", &value)])
                .status,
            status,
            "{name} {value}"
        );
    }
    // 37 to 40
    for (accept, encoded) in [
        ("gzip", true),
        ("br,gzip", true),
        ("zstd, br, gzip, deflate", true),
        ("identity;q=0, gzip", true),
        ("GZIP;Q=0.5", true),
        ("gzip;q=0", false),
        ("none", false),
        ("*;q=0", false),
    ] {
        let answer = proxy.get("/rss.xml", &[("Accept-Encoding", accept)]);
        assert_eq!(answer.status, 200, "{name} {accept}");
        assert_eq!(
            !answer.field("content-encoding").is_empty(),
            encoded,
            "{name} {accept}"
        );
        assert_eq!(
            answer
                .field("vary")
                .to_lowercase()
                .matches("accept-encoding")
                .count()
                .min(1),
            1,
            "{name} {accept}"
        );
        answer.is_whole();
    }
    // 43 to 48
    let navigation = [
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "document"),
    ];
    assert_eq!(
        proxy
            .get("/rss.xml", &[("Accept", "application/json")])
            .field("content-type"),
        direct.field("content-type")
    );
    let preview = proxy.get("/rss.xml", &navigation);
    assert_eq!(
        (preview.status, preview.field("cache-control")),
        (303, "no-store"),
        "{name}"
    );
    assert!(preview.field("location").ends_with("/preview/"), "{name}");
    assert_eq!(proxy.get("/preview/", &[]).status, 200);
    for (target, fields) in [
        ("/rss.xml?raw", &navigation[..]),
        (
            "/rss.xml",
            &[
                ("Sec-Fetch-Dest", "empty"),
                ("Origin", "https://reader.example"),
            ],
        ),
        (
            "/rss.xml",
            &[(
                "Accept",
                "application/xml,application/rss+xml,text/html,*/*;q=0.9",
            )],
        ),
        ("/rss.xml?null", &[]),
        ("/rss.xml?utm_source=x", &[]),
    ] {
        let answer = proxy.get(target, fields);
        assert_eq!(
            (answer.status, answer.field("access-control-allow-origin")),
            (200, "*"),
            "{name} {target}"
        );
        answer.is_whole();
    }
    // 24
    write(site, 1001);
    until("the first is served", || {
        String::from_utf8_lossy(&proxy.get("/rss.xml", &[]).body).contains("BEGIN 1001 ")
    });
    let date = proxy.get("/rss.xml", &[]).field("last-modified").to_owned();
    write(site, 1002);
    until("the second is seen by its date alone", || {
        let answer = proxy.get("/rss.xml", &[("If-Modified-Since", &date)]);
        answer.status == 200 && String::from_utf8_lossy(&answer.body).contains("BEGIN 1002 ")
    });
    swaps(site, proxy, 50);
}

/// 59: while editions swap, each answer is one version, and each 304 is right.
fn swaps(site: &Site, proxy: &Proxy, versions: usize) {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let over = &over;
            scope.spawn(move || {
                let mut known = String::new();
                let mut round = 0;
                while !over.load(Ordering::Relaxed) {
                    round += 1;
                    let accept = ["identity", "gzip", "br"][(client + round) % 3];
                    let condition = format!("W/\"{known}\"");
                    let mut fields = vec![("Accept-Encoding", accept)];
                    match round % 5 {
                        0 => fields.push(("If-None-Match", &condition)),
                        1 => fields.extend([
                            ("Sec-Fetch-Mode", "navigate"),
                            ("Sec-Fetch-Dest", "document"),
                        ]),
                        _ => {}
                    }
                    let answer = proxy.get("/rss.xml", &fields);
                    match answer.status {
                        304 => assert_eq!(answer.opaque(), known, "a wrong 304"),
                        303 => assert_eq!(round % 5, 1, "a reader was sent away"),
                        status => {
                            assert_eq!(status, 200, "{}", answer.head);
                            assert!(
                                answer
                                    .field("content-type")
                                    .starts_with("application/rss+xml"),
                                "{}",
                                answer.head
                            );
                            answer.is_whole();
                            known = answer.opaque();
                        }
                    }
                }
            });
        }
        let _over = Over(&over);
        for version in 0..versions {
            write(site, version);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

#[test]
fn behind_nginx() {
    let site = site();
    let server = Server::start(&site);
    if let Some(proxy) = Proxy::nginx(&site, &server, false) {
        due(&server);
        rows(&site, &server, &proxy, "nginx");
        proxy.get("/rss.xml", &[("X-Forwarded-For", "1.2.3.4, 127.0.0.1")]);
        until("the client is logged", || {
            server.logged().contains("\"client\":\"1.2.3.4\"")
        });
    }
}

#[test]
fn behind_caddy() {
    let site = site();
    let server = Server::start(&site);
    if let Some(proxy) = Proxy::caddy(&site, &server) {
        due(&server);
        rows(&site, &server, &proxy, "caddy");
    }
}

#[test]
fn behind_haproxy() {
    let site = site();
    let server = Server::start(&site);
    if let Some(proxy) = Proxy::haproxy(&site, &server) {
        due(&server);
        rows(&site, &server, &proxy, "haproxy");
    }
}

#[test]
fn behind_a_cache_of_nginx() {
    let site = site();
    // short, so that the cache has to ask again in this very test
    site.put(
        "tidings.toml",
        site.read("tidings.toml")
            .replace("[serve]", "[serve]\nfresh = \"1 second\""),
    );
    let server = Server::start(&site);
    if let Some(proxy) = Proxy::nginx(&site, &server, true) {
        due(&server);
        proxy.get(
            "/rss.xml",
            &[
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "document"),
            ],
        );
        proxy.get("/rss.xml", &[]).is_whole();
        swaps(&site, &proxy, 150);
    }
}

#[test]
fn behind_varnish() {
    let site = site();
    site.put(
        "tidings.toml",
        site.read("tidings.toml")
            .replace("[serve]", "[serve]\nfresh = \"1 second\""),
    );
    let server = Server::start(&site);
    if let Some(proxy) = Proxy::varnish(&site, &server) {
        until("varnish is warm", || {
            proxy.get("/rss.xml", &[]).status == 200
        });
        swaps(&site, &proxy, 150);
    }
}

/// Until the date of what is served is no later than the present.
fn due(server: &Server) {
    until("the date is due", || {
        let head = server.get("/rss.xml", "").1;
        let since = field(&head, "last-modified").to_owned();
        server
            .get("/rss.xml", &format!("If-Modified-Since: {since}\r\n"))
            .0
            == 304
    });
}

#[test]
fn check_says_what_a_proxy_does_to_validators() {
    for (on, code, says) in [
        ("", 0, "who asks again is told 304 Not Modified"),
        (
            "proxy_hide_header ETag; proxy_hide_header Last-Modified;",
            3,
            "neither `ETag` nor `Last-Modified`: every reader fetches all of it each time",
        ),
        (
            "proxy_hide_header ETag;",
            0,
            "`ETag` is missing: readers that know only that fetch all of it each time",
        ),
        (
            "proxy_hide_header Content-Type; add_header Content-Type text/html always;",
            3,
            "its type is text/html: some readers refuse it",
        ),
        (
            "proxy_hide_header Cache-Control; add_header Cache-Control no-store;",
            0,
            "no reader may keep it",
        ),
    ] {
        let site = site();
        let server = Server::start(&site);
        let Some(proxy) = Proxy::nginx_with(&site, &server, "", on) else {
            return;
        };
        let url = format!("http://127.0.0.1:{}/atom.xml", proxy.port);
        let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["check", &url])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(says), "{on}: {told}");
        assert_eq!(output.status.code(), Some(code), "{on}: {told}");
        assert!(told.contains("answered by nginx"), "{told}");
    }
}
