//! What only a socket shows: framing, limits of time and size, listeners, the end. The real program, raw bytes.

use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::Site;
use crate::common::server::{LONG, Server, field, until};

fn site() -> Site {
    let site = Site::bare();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n",
    );
    site.article("a.md", "One", &"Words of the first article. ".repeat(60));
    site
}

/// Splits the answers of one connection by their lengths.
fn answers(mut text: &str, heads_only: &[usize]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let length: usize = field(head, "content-length").parse().unwrap_or(0);
        let length = if heads_only.contains(&found.len()) || head.contains(" 304 ") {
            0
        } else {
            length
        };
        found.push((head.to_owned(), rest[..length].to_owned()));
        text = &rest[length..];
    }
    assert_eq!(text, "", "nothing is left over");
    found
}

#[test]
fn row_34_and_62_framing_on_one_connection() {
    let site = site();
    let server = Server::start(&site);
    let (_, head, body) = server.get("/rss.xml", "");
    let tag = field(&head, "etag").to_owned();
    assert_eq!(field(&head, "content-length"), body.len().to_string());
    assert!(field(&head, "date").ends_with(" GMT"));
    // a HEAD, then a GET, then a 304, then a 404, in one go
    let pipelined = format!(
        "HEAD /rss.xml HTTP/1.1\r\nHost: a\r\n\r\nGET /rss.xml HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /rss.xml HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n\
         OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /rss.xml HTTP/1.1\r\nHost: a\r\n\r\n"
    );
    let text = server.raw(pipelined);
    let answers = answers(&text, &[0]);
    let statuses: Vec<&str> = answers.iter().map(|(head, _)| &head[9..12]).collect();
    assert_eq!(
        statuses,
        ["200", "200", "304", "204", "404"],
        "and none after `close`"
    );
    assert_eq!(
        field(&answers[0].0, "content-length"),
        body.len().to_string()
    );
    assert_eq!(answers[1].1, body);
    assert_eq!(
        field(&answers[2].0, "content-length"),
        "",
        "{}",
        answers[2].0
    );
    assert_eq!(field(&answers[3].0, "content-length"), "");
    for (head, _) in &answers {
        assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    }
    // what follows a body that nobody wants is no request
    for body in [
        "Content-Length: 30\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: x\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    ] {
        let text = server.raw(format!("GET /rss.xml HTTP/1.1\r\nHost: a\r\n{body}\r\nGET /atom.xml HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{body}: {text}");
        assert!(text.starts_with("HTTP/1.1 4"), "{text}");
    }
    // half a connection is enough to be answered
    let mut stream = server.connect();
    stream
        .write_all(b"GET /rss.xml HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.ends_with(&body));
}

#[test]
fn rows_36_50_52_53_61_what_a_hostile_head_gets() {
    let site = site();
    let server = Server::start(&site);
    let first = |request: String| {
        let text = server.raw(request);
        assert!(text.matches("HTTP/1.").count() <= 1, "{text}");
        text.get(9..12).unwrap_or("").to_owned()
    };
    let close = "Connection: close\r\n\r\n";
    for (request, status) in [
        (format!("GET /rss.xml HTTP/1.1\r\n{close}"), "400"),
        (
            format!("GET /rss.xml HTTP/1.1\r\nHost: a\r\nHost: b\r\n{close}"),
            "400",
        ),
        (
            format!("GET /rss.xml HTTP/1.1\r\nHost: x y\r\n{close}"),
            "400",
        ),
        ("GET /rss.xml HTTP/1.0\r\n\r\n".to_owned(), "200"),
        (
            format!("GET http://other.example/rss.xml HTTP/1.1\r\nHost: evil.example\r\n{close}"),
            "200",
        ),
        (
            format!("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n{close}"),
            "405",
        ),
        (
            format!("BREW /rss.xml HTTP/1.1\r\nHost: a\r\n{close}"),
            "405",
        ),
        (format!("TRACE / HTTP/1.1\r\nHost: a\r\n{close}"), "405"),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n{close}", "a".repeat(70_000)),
            "414",
        ),
        (
            format!(
                "GET /rss.xml HTTP/1.1\r\nHost: a\r\nX: {}\r\n{close}",
                "a".repeat(1 << 20)
            ),
            "431",
        ),
        (
            format!(
                "GET /rss.xml HTTP/1.1\r\nHost: a\r\n{}{close}",
                "X: y\r\n".repeat(100)
            ),
            "431",
        ),
        (
            format!(
                "GET /rss.xml HTTP/1.1\r\nHost: a\r\nX: {}\r\n{close}",
                "a".repeat(20_000)
            ),
            "431",
        ),
        (
            format!("GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n{close}"),
            "404",
        ),
        (format!("GET \\..\\x HTTP/1.1\r\nHost: a\r\n{close}"), "400"),
        // a preface of HTTP/2 is no HTTP/1 that could be answered
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(), "400"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (
            format!("GET /rss.xml HTTP/1.1\r\nHost : a\r\n{close}"),
            "400",
        ),
    ] {
        let shown = request.chars().take(60).collect::<String>();
        assert_eq!(first(request), status, "{shown}");
    }
    assert_eq!(server.get("/rss.xml", "").0, 200, "and it is well");
}

#[test]
fn row_61_a_slow_head_is_closed_in_time_and_harms_nobody() {
    let site = site();
    let server = Server::start(&site);
    let mut slow: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for stream in &mut slow {
        stream
            .write_all(b"GET /rss.xml HTTP/1.1\r\nHost: a\r\nX: ")
            .unwrap();
    }
    let began = Instant::now();
    let mut trickle = server.connect();
    let mut closed = None;
    while closed.is_none() {
        assert!(began.elapsed() < LONG);
        // a byte now and then does not buy more time
        if trickle.write_all(b"G").is_err() {
            closed = Some(began.elapsed());
        }
        assert_eq!(server.get("/rss.xml", "").0, 200);
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(closed.unwrap() < Duration::from_secs(25), "{closed:?}");
    for stream in &mut slow {
        let mut rest = Vec::new();
        // closed, with or without a word
        let _ = stream.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
}

#[test]
fn row_60_a_stop_lets_a_slow_reader_finish() {
    let site = site();
    // more than the sockets' buffers hold
    site.put("articles/big.bin", vec![7; 24 << 20]);
    site.put(
        "articles/b.md",
        "---\ntitle: B\ndate: 2026-05-01\n---\n[big](big.bin)\n",
    );
    let mut server = Server::start(&site);
    let mut slow = server.connect();
    slow.write_all(b"GET /articles/big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut first = [0; 1024];
    slow.read_exact(&mut first).unwrap();
    server.signal(Signal::TERM);
    until("it says that it is not ready", || {
        server.get("/readyz", "").0 == 503
    });
    let (status, head, _) = server.get("/rss.xml", "");
    assert_eq!(
        (status, field(&head, "connection")),
        (200, "close"),
        "and answers who still comes"
    );
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    let all = [&first[..], &rest].concat();
    let start = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(all.len() - start, 24 << 20);
    assert!(server.wait().success());
}

#[test]
fn a_second_signal_stops_at_once_and_none_waits_longer_than_the_grace() {
    let site = site();
    site.put("articles/big.bin", vec![7; 24 << 20]);
    site.put(
        "articles/b.md",
        "---\ntitle: B\ndate: 2026-05-01\n---\n[big](big.bin)\n",
    );
    for second in [true, false] {
        let mut server = Server::start(&site);
        let mut stuck = server.connect();
        stuck
            .write_all(b"GET /articles/big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        stuck.read_exact(&mut [0; 64]).unwrap();
        let began = Instant::now();
        server.signal(Signal::INT);
        until("it is stopping", || server.told().contains("stopping"));
        if second {
            server.signal(Signal::INT);
        }
        assert!(server.wait().success());
        let took = began.elapsed();
        assert!(
            if second {
                took.as_secs() < 8
            } else {
                took.as_secs() < 30
            },
            "{took:?}"
        );
        drop(stuck);
    }
    // with nobody there it ends at once
    let mut server = Server::start(&site);
    let mut idle = server.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    idle.read_exact(&mut [0; 64]).unwrap();
    let began = Instant::now();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[test]
fn row_74_an_asset_that_is_replaced_while_it_is_sent_is_cut_off() {
    let site = site();
    // only a look at everything compares what lies in `feeds/`; who saves an article waits for none
    let config = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        format!("{config}[serve]\nscan = \"2 seconds\"\n"),
    );
    site.put("articles/big.bin", vec![b'a'; 24 << 20]);
    site.put(
        "articles/b.md",
        "---\ntitle: B\ndate: 2026-05-01\n---\n[big](big.bin)\n",
    );
    let server = Server::start(&site);
    let mut stream = server.connect();
    stream
        .write_all(b"GET /articles/big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 4096]).unwrap();
    // in place, as nobody should: the published copy itself
    std::fs::write(site.path("feeds/articles/big.bin"), vec![b'b'; 24 << 20]).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 24 << 20, "cut");
    assert!(!rest.contains(&b'b'), "never mixed");
    // and it is mended: the next turn puts the right bytes back
    site.article("c.md", "C", "Text.");
    until("the asset is whole again", || {
        let (status, _, body) = server.get("/articles/big.bin", "Range: bytes=0-9\r\n");
        status == 206 && body == "aaaaaaaaaa"
    });
}

#[test]
fn ranges_and_heads_of_assets_on_the_wire() {
    let site = site();
    let bytes: Vec<u8> = (0..300_000_u32)
        .map(|n| b'a' + u8::try_from(n % 26).unwrap())
        .collect();
    site.put("articles/p.png", &bytes);
    site.put(
        "articles/b.md",
        "---\ntitle: B\ndate: 2026-05-01\n---\n![p](p.png)\n",
    );
    let server = Server::start(&site);
    assert_eq!(server.body("/articles/p.png").as_bytes(), bytes);
    for (range, expected) in [
        ("0-9", &bytes[..10]),
        ("-10", &bytes[299_990..]),
        ("150000-289999", &bytes[150_000..290_000]),
    ] {
        let (status, head, body) =
            server.get("/articles/p.png", &format!("Range: bytes={range}\r\n"));
        assert_eq!((status, body.as_bytes()), (206, expected));
        assert_eq!(field(&head, "content-length"), expected.len().to_string());
    }
    let text = server.raw("HEAD /articles/p.png HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(text.contains("content-length: 300000") && text.ends_with("\r\n\r\n"));
    let (status, head, _) = server.get("/articles/a/", "");
    assert_eq!(
        (status, field(&head, "content-type")),
        (200, "text/html; charset=utf-8")
    );
}

#[test]
fn a_unix_socket_is_made_taken_over_when_stale_and_taken_away() {
    let site = site();
    let path = site.path("t.sock");
    let ask = || {
        let mut stream = UnixStream::connect(&path).ok()?;
        stream.write_all(b"GET /rss.xml HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    };
    let mut server = Server::with(
        &site,
        &["--listen", "unix:t.sock", "--listen", "127.0.0.1:0"],
    );
    until("the socket answers", || {
        ask().is_some_and(|text| text.starts_with("HTTP/1.1 200"))
    });
    let meta = std::fs::metadata(&path).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o777, 0o666);
    until("it is logged", || server.logged().starts_with("unix - - ["));
    // a second one does not take it away
    let mut second = Server::spawn({
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"));
        command
            .args(["serve", "--listen", "unix:t.sock"])
            .current_dir(site.home());
        command
    });
    assert_eq!(second.wait().code(), Some(5));
    until("it says why", || {
        second.told().contains("somebody listens on")
    });
    assert!(ask().is_some());
    // kill -9 leaves it behind, and the next start takes it over
    server.signal(Signal::KILL);
    server.wait();
    assert!(path.exists());
    let mut server = Server::with(
        &site,
        &["--listen", "unix:t.sock", "--listen", "127.0.0.1:0"],
    );
    assert!(ask().is_some());
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(!path.exists(), "and a stop leaves nothing");
}

#[test]
fn systemd_hands_sockets_over_and_is_told() {
    let site = site();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\n[serve]\nlisten = []\n",
    );
    let told = site.path("notify.sock");
    let socket = std::os::unix::net::UnixDatagram::bind(&told).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    // the shell plays systemd: the socket is descriptor 3, and the process that takes over keeps its number
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" serve 3<&0 </dev/null";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_tidings")])
        .env("NOTIFY_SOCKET", &told)
        .current_dir(site.home());
    let mut server = Server::spawn_with(command, std::os::fd::OwnedFd::from(listener).into());
    server.port = port;
    assert_eq!(server.get("/rss.xml", "").0, 200);
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1\n");
    server.signal(Signal::TERM);
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"STOPPING=1\n");
    assert!(server.wait().success());
    // and without systemd it says so
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.arg("serve").current_dir(site.home());
    let mut server = Server::spawn(command);
    assert_eq!(server.wait().code(), Some(5));
    until("it says what to do", || {
        server.told().contains("set `listen`")
    });
}

#[test]
fn row_55_the_log_names_the_client() {
    let site = site();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\n[serve]\nlog = \"json\"\ntrusted_proxies = [\"127.0.0.0/8\", \"5.6.7.8\"]\n",
    );
    let server = Server::start(&site);
    let (_, head, _) = server.get(
        "/rss.xml",
        "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\nAccept-Encoding: gzip\r\n",
    );
    let tag = field(&head, "etag").to_owned();
    server.get("/rss.xml", &format!("If-None-Match: {tag}\r\nUser-Agent: Feedly/1.0 (+http://www.feedly.com; 12 subscribers)\r\n"));
    until("both are logged", || server.logged().lines().count() == 2);
    let logged = server.logged();
    let lines: Vec<serde_json::Value> = logged
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (
            &lines[0]["client"],
            &lines[0]["encoding"],
            &lines[0]["status"]
        ),
        (&"1.2.3.4".into(), &"gzip".into(), &200.into())
    );
    assert_eq!(
        (
            &lines[1]["client"],
            &lines[1]["validator"],
            &lines[1]["subscribers"]
        ),
        (&"127.0.0.1".into(), &"etag".into(), &12.into())
    );
}

#[test]
fn the_admin_listener_has_metrics_and_takes_orders() {
    let site = site();
    site.put(
        "tidings.toml",
        "base_url = \"https://example.org/\"\n[serve]\nadmin = \"unix:admin.sock\"\nscan = \"1 hour\"\n",
    );
    let server = Server::start(&site);
    let ask = |request: &str| {
        let mut stream = UnixStream::connect(site.path("admin.sock")).unwrap();
        stream
            .write_all(
                format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes(),
            )
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert_eq!(
        std::fs::metadata(site.path("admin.sock"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let (_, head, _) = server.get("/rss.xml", "User-Agent: FreshRSS/1.24 (Linux)\r\n");
    let tag = field(&head, "etag").to_owned();
    server.get(
        "/rss.xml",
        &format!("User-Agent: FreshRSS/1.24 (Linux)\r\nIf-None-Match: {tag}\r\n"),
    );
    until("the first turn is counted", || {
        !ask("GET /metrics").contains("tidings_turns 0.0")
    });
    let text = ask("GET /metrics");
    // OpenMetrics 1.0: a family is described once, its samples follow at once, and the end is marked
    let mut described = std::collections::BTreeSet::new();
    let lines = text.lines().filter(|line| line.starts_with("# TYPE "));
    for line in lines {
        assert!(
            described.insert(line.split(' ').nth(2)),
            "{line} stands twice:\n{text}"
        );
    }
    assert!(
        described.len() > 10 && text.trim_end().ends_with("# EOF"),
        "{text}"
    );
    for line in [
        "tidings_requests_total{route=\"/rss.xml\",status=\"200\",outcome=\"-\"} 1",
        "tidings_requests_total{route=\"/rss.xml\",status=\"304\",outcome=\"etag\"} 1",
        "tidings_agent_requests_total{agent=\"FreshRSS\",status=\"304\"} 1",
        "tidings_articles{state=\"public\"} 1",
        "tidings_problems{level=\"error\"} 0",
        "tidings_editions ",
        "tidings_build_seconds ",
        "tidings_edition_age_seconds ",
        "tidings_response_bytes_total ",
        "tidings_connections ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(text.matches("# EOF").count(), 1);
    let turns = |text: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("tidings_turns ").map(str::to_owned))
    };
    let before = turns(&text);
    assert!(ask("POST /refresh").starts_with("HTTP/1.1 202"));
    until("a turn was made", || turns(&ask("GET /metrics")) != before);
    assert!(ask("GET /refresh").starts_with("HTTP/1.1 405"));
    assert!(ask("GET /rss.xml").starts_with("HTTP/1.1 404"));
    assert_eq!(
        server.get("/metrics", "").0,
        404,
        "and nothing of it is public"
    );
}

#[test]
fn ipv4_and_ipv6_share_a_port_and_ipv6_alone_takes_both() {
    use std::net::{TcpListener, TcpStream};
    if TcpListener::bind("[::1]:0").is_err() {
        return crate::common::tool::skip("there is no IPv6 here");
    }
    let site = site();
    let answers = |address: String| TcpStream::connect(address).is_ok();
    for addresses in [&["0.0.0.0", "[::]"][..], &["[::]", "0.0.0.0"], &["[::]"]] {
        // somebody else may take a port that was free a moment ago
        let started = (0..5).find_map(|_| {
            let free = TcpListener::bind("0.0.0.0:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let listen: Vec<String> = addresses
                .iter()
                .flat_map(|address| ["--listen".to_owned(), format!("{address}:{port}")])
                .collect();
            let listen: Vec<&str> = listen.iter().map(String::as_str).collect();
            let server = Server::with(&site, &listen);
            let both = answers(format!("127.0.0.1:{port}")) && answers(format!("[::1]:{port}"));
            both.then_some(server)
        });
        assert!(started.is_some(), "{addresses:?}");
    }
}
