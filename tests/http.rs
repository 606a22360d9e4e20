//! What every request must get: the rows of the table of HTTP rules, each by its number, against the pure function
//! that answers. What only a socket shows stands in `tests/sockets.rs`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::common::{NOW, Site};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use tidings::config::{Config, Raw};
use tidings::crank::{Crank, Herald, Offer, Window};
use tidings::edition::Manifest;
use tidings::problem::{Level, Problem};
use tidings::publisher::Turn;
use tidings::respond::{Head, Moment, Payload, Reply, respond};
use tidings::served::Content;

const CONFIG: &str = "base_url = \"https://example.org/\"\ntitle = \"Notes\"\n";

struct Mute;

impl Herald for Mute {
    fn problem(&self, _: &Problem) {}
    fn turn(&self, _: &Turn, _: &Config) {}
    fn published(&self, _: &Manifest, _: &Config) {}
    fn state(&self, _: Level, _: &str) {}
}

/// A site that is published, and the present.
struct House {
    site: Site,
    crank: Crank,
    window: Window,
    now: SystemTime,
}

fn at(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap())
}

fn config(site: &Site) -> Config {
    let raw = Raw::parse(&site.read("tidings.toml"), "tidings.toml").unwrap();
    Config::resolve(&raw, "tidings.toml", site.home()).unwrap()
}

fn crank(site: &Site) -> Crank {
    let refuse = Box::new(|| Err(Vec::new()));
    // files of these tests are written before they are read
    Crank::new(
        config(site),
        site.path("tidings.toml"),
        refuse,
        Box::new(Mute),
        || SystemTime::UNIX_EPOCH,
    )
}

impl House {
    fn with(settings: &str, arrange: impl FnOnce(&Site)) -> Self {
        let site = Site::bare();
        site.put("tidings.toml", format!("{CONFIG}{settings}"));
        site.article("a.md", "One", &"Words of the first article. ".repeat(60));
        arrange(&site);
        let crank = crank(&site);
        let window = crank.window();
        let mut house = Self {
            site,
            crank,
            window,
            now: at(NOW),
        };
        house.turn();
        // the date of what was published is due
        house.now += Duration::from_secs(10);
        house
    }

    fn new() -> Self {
        Self::with("", |_| ())
    }

    fn turn(&mut self) {
        self.crank.turn(self.now.into(), true, None);
    }

    /// As if the program had been stopped and started, before anything is read.
    fn restart(&mut self) {
        self.crank = crank(&self.site);
        self.window = self.crank.window();
        assert!(self.crank.load());
    }

    fn offer(&self) -> Arc<Offer> {
        self.window.load_full().unwrap()
    }

    fn send(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("example.org"));
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            if name == "host" {
                headers.insert(name, value);
            } else {
                headers.append(name, value);
            }
        }
        self.send_head(method, target, &headers, Version::HTTP_11)
    }

    fn send_head(
        &self,
        method: &str,
        target: &str,
        headers: &HeaderMap,
        version: Version,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let uri: Uri = target.parse().unwrap();
        let head = Head {
            method: &method,
            uri: &uri,
            version,
            headers,
        };
        let moment = Moment {
            now: self.now,
            draining: false,
        };
        Answer(respond(&self.offer().served, head, moment))
    }

    fn get(&self, fields: &[(&str, &str)]) -> Answer {
        self.send("GET", "/rss.xml", fields)
    }

    fn at(&self, target: &str) -> Answer {
        self.send("GET", target, &[])
    }

    fn body(&self) -> Bytes {
        self.get(&[]).bytes()
    }

    /// `W/"…"`
    fn tag(&self) -> String {
        self.get(&[]).field("etag").to_owned()
    }

    /// The part between the quotes.
    fn opaque(&self) -> String {
        self.tag()
            .trim_start_matches("W/")
            .trim_matches('"')
            .to_owned()
    }

    fn modified(&self) -> SystemTime {
        httpdate::parse_http_date(self.get(&[]).field("last-modified")).unwrap()
    }

    fn since(&self, offset: i64) -> String {
        let modified = self
            .modified()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        httpdate::fmt_http_date(at(i64::try_from(modified.as_secs()).unwrap() + offset))
    }
}

struct Answer(Reply);

impl Answer {
    fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    fn field(&self, name: &str) -> &str {
        self.0
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn has(&self, name: &str) -> bool {
        self.0.headers.contains_key(name)
    }

    fn bytes(&self) -> Bytes {
        match &self.0.payload {
            Payload::Bytes(bytes) => bytes.clone(),
            Payload::Nothing => Bytes::new(),
            Payload::Shelf(_) | Payload::Form => panic!("its bytes are elsewhere"),
        }
    }

    /// A 304 as it must be: all fields of the 200 but those of the content, and no body.
    fn is_304_of(&self, house: &House) {
        assert_eq!(self.status(), 304);
        assert!(matches!(self.0.payload, Payload::Nothing));
        for name in ["content-type", "content-length", "content-encoding"] {
            assert!(!self.has(name), "{name}");
        }
        let full = house.get(&[]);
        for name in [
            "etag",
            "last-modified",
            "vary",
            "cache-control",
            "link",
            "access-control-allow-origin",
            "access-control-expose-headers",
            "cross-origin-resource-policy",
            "x-content-type-options",
        ] {
            assert!(full.has(name), "{name}");
            assert_eq!(self.field(name), full.field(name), "{name}");
        }
    }

    /// The whole feed, with all its fields.
    fn is_200_of(&self, house: &House) {
        assert_eq!(self.status(), 200);
        assert_eq!(self.bytes(), house.body());
        assert_eq!(self.field("etag"), house.tag());
    }
}

fn decoded(answer: &Answer) -> Vec<u8> {
    use std::io::Read;
    let bytes = answer.bytes();
    let mut out = Vec::new();
    match answer.field("content-encoding") {
        "gzip" => flate2::read::GzDecoder::new(&bytes[..])
            .read_to_end(&mut out)
            .unwrap(),
        "br" => brotli::Decompressor::new(&bytes[..], 4096)
            .read_to_end(&mut out)
            .unwrap(),
        "zstd" => {
            out = zstd::stream::decode_all(&bytes[..]).unwrap();
            0
        }
        "" => {
            out = bytes.to_vec();
            0
        }
        other => panic!("{other}"),
    };
    out
}

#[test]
fn row_01_without_conditions_the_whole_feed_with_all_its_headers() {
    let house = House::new();
    let answer = house.get(&[]);
    answer.is_200_of(&house);
    assert_eq!(
        answer.field("content-length"),
        house.body().len().to_string()
    );
    assert!(house.body().starts_with(b"<?xml"));
    let tag = house.opaque();
    assert!(
        tag.len() >= 32
            && tag
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()),
        "{tag}"
    );
    assert!(house.tag().starts_with("W/\""));
    for (name, value) in [
        ("content-type", "application/rss+xml; charset=utf-8"),
        ("vary", "Accept-Encoding"),
        ("accept-ranges", "none"),
        (
            "cache-control",
            "public, max-age=1800, stale-while-revalidate=600, stale-if-error=604800",
        ),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
        (
            "access-control-expose-headers",
            "ETag, Last-Modified, Link, Retry-After",
        ),
        ("cross-origin-resource-policy", "cross-origin"),
        ("link", "<https://example.org/rss.xml>; rel=\"self\""),
    ] {
        assert_eq!(answer.field(name), value, "{name}");
    }
    for name in ["set-cookie", "expires", "pragma", "transfer-encoding"] {
        assert!(!answer.has(name), "{name}");
    }
    for (path, media) in [
        ("/atom.xml", "application/atom+xml; charset=utf-8"),
        ("/feed.json", "application/feed+json; charset=utf-8"),
        ("/feeds.opml", "text/x-opml; charset=utf-8"),
    ] {
        assert_eq!(house.at(path).field("content-type"), media);
    }
}

/// The forms of `If-None-Match` that get a 304, with `E` for the current tag and `T` for what is between its quotes.
fn not_modified(forms: &[&str]) {
    let house = House::new();
    for form in forms {
        let value = form
            .replace('E', &house.tag())
            .replace('T', &house.opaque());
        house.get(&[("if-none-match", &value)]).is_304_of(&house);
    }
}

#[test]
fn row_02_the_current_tag_is_not_modified() {
    not_modified(&["E"]);
}

#[test]
fn row_03_the_tag_without_its_mark_or_with_a_small_one() {
    not_modified(&["\"T\"", "w/\"T\""]);
}

#[test]
fn row_04_the_tag_in_a_list() {
    not_modified(&["\"zzz\", E, \"yyy\""]);
}

#[test]
fn row_05_the_tag_on_the_second_line() {
    let house = House::new();
    let tag = house.tag();
    house
        .get(&[("if-none-match", "\"zzz\""), ("if-none-match", &tag)])
        .is_304_of(&house);
}

#[test]
fn row_06_empty_members_of_a_list() {
    not_modified(&[",, E ,"]);
}

#[test]
fn row_07_a_star() {
    not_modified(&["*"]);
}

#[test]
fn row_08_a_star_in_a_list_is_no_error() {
    let house = House::new();
    let value = format!("*, {}", house.tag());
    assert!([200, 304].contains(&house.get(&[("if-none-match", &value)]).status()));
}

#[test]
fn row_09_an_older_tag_gets_the_new_feed() {
    let mut house = House::new();
    let old = house.tag();
    house.site.article("b.md", "Two", "More.");
    house.turn();
    house.now += Duration::from_secs(10);
    house.get(&[("if-none-match", &old)]).is_200_of(&house);
}

#[test]
fn row_10_an_older_tag_beats_a_current_date() {
    let house = House::new();
    let since = house.since(0);
    house
        .get(&[("if-none-match", "\"old\""), ("if-modified-since", &since)])
        .is_200_of(&house);
}

#[test]
fn row_11_the_current_tag_beats_an_old_date() {
    let house = House::new();
    let tag = house.tag();
    let old = "Sat, 01 Jan 2000 00:00:00 GMT";
    house
        .get(&[("if-none-match", &tag), ("if-modified-since", old)])
        .is_304_of(&house);
}

#[test]
fn row_12_the_tag_without_quotes() {
    not_modified(&["T"]);
}

#[test]
fn row_13_what_proxies_hang_on_a_tag() {
    not_modified(&[
        "\"T-gzip\"",
        "W/\"T-br\"",
        "\"T--gzip\"",
        "\"T;gzip\"",
        "\"T:gzip\"",
        "W/\"T-zstd\"",
    ]);
}

#[test]
fn row_14_quotes_with_backslashes() {
    not_modified(&["\\\"T\\\""]);
}

#[test]
fn row_15_an_empty_condition_is_none() {
    let house = House::new();
    house.get(&[("if-none-match", "")]).is_200_of(&house);
}

#[test]
fn row_16_bytes_that_are_no_text() {
    let house = House::new();
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("a"));
    for bytes in [
        &b"\xff\xfe\x80"[..],
        b"\"\xc3\x28\"",
        b"W/\xff",
        b"\\",
        b"\"",
        b"W/",
    ] {
        headers.insert("if-none-match", HeaderValue::from_bytes(bytes).unwrap());
        house
            .send_head("GET", "/rss.xml", &headers, Version::HTTP_11)
            .is_200_of(&house);
    }
}

#[test]
fn row_17_the_tag_of_another_feed() {
    let house = House::new();
    let other = house.at("/atom.xml").field("etag").to_owned();
    house.get(&[("if-none-match", &other)]).is_200_of(&house);
}

#[test]
fn row_18_the_current_date_is_not_modified() {
    let house = House::new();
    let since = house.since(0);
    house
        .get(&[("if-modified-since", &since)])
        .is_304_of(&house);
}

#[test]
fn row_19_a_second_earlier_is_modified() {
    let house = House::new();
    let since = house.since(-1);
    house
        .get(&[("if-modified-since", &since)])
        .is_200_of(&house);
}

#[test]
fn row_20_a_later_date_counts_unless_it_is_in_the_future() {
    let house = House::new();
    let since = house.since(1);
    house
        .get(&[("if-modified-since", &since)])
        .is_304_of(&house);
    let since = house.since(1000);
    house
        .get(&[("if-modified-since", &since)])
        .is_200_of(&house);
}

#[test]
fn row_21_all_three_forms_of_a_date() {
    let house = House::new();
    let modified = chrono::DateTime::<chrono::Utc>::from(house.modified());
    for form in ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"] {
        let since = modified.format(form).to_string();
        house
            .get(&[("if-modified-since", &since)])
            .is_304_of(&house);
    }
}

#[test]
fn row_22_what_is_no_date_is_no_condition() {
    let house = House::new();
    for value in [
        "0",
        "-1",
        "2026-11-01T00:00:00Z",
        "Sun, 01 Nov 2026 00:00:01 +0000",
        "",
        "\u{e9}",
    ] {
        house.get(&[("if-modified-since", value)]).is_200_of(&house);
    }
}

#[test]
fn row_23_two_dates_are_no_condition() {
    let house = House::new();
    let since = house.since(0);
    house
        .get(&[("if-modified-since", &since), ("if-modified-since", &since)])
        .is_200_of(&house);
}

#[test]
fn row_24_two_versions_within_one_second_are_told_apart_by_date_alone() {
    let mut house = House::new();
    house.now = at(NOW + 60);
    house.site.article("b.md", "Two", "More.");
    house.turn();
    // the client polls in that very second …
    house.now += Duration::from_millis(300);
    let first = house.get(&[]);
    let date = first.field("last-modified").to_owned();
    assert_eq!(
        httpdate::parse_http_date(&date).unwrap(),
        at(NOW + 60),
        "never later than Date"
    );
    // … and nothing is said to be unmodified before the second is over
    assert_eq!(house.get(&[("if-modified-since", &date)]).status(), 200);
    house.now += Duration::from_millis(300);
    house.site.article("c.md", "Three", "More still.");
    house.turn();
    for wait in [0, 1, 2, 3600] {
        house.now += Duration::from_secs(wait);
        let second = house.get(&[("if-modified-since", &date)]);
        second.is_200_of(&house);
        assert_ne!(second.bytes(), first.bytes());
    }
}

#[test]
fn row_25_a_deletion_is_a_change_by_date() {
    let mut house = House::with("", |site| site.article("b.md", "Newest", "Soon gone."));
    let (old, before) = (house.since(0), house.modified());
    house.site.remove("articles/b.md");
    house.now += Duration::from_mins(1);
    house.turn();
    house.now += Duration::from_secs(10);
    house.get(&[("if-modified-since", &old)]).is_200_of(&house);
    assert!(house.modified() > before);
}

#[test]
fn row_26_an_older_content_is_a_newer_version() {
    let mut house = House::new();
    let mut last = house.modified();
    let mut tags = Vec::new();
    for text in ["Other.", "First.", "Other.", "First."] {
        house.site.article("a.md", "One", text);
        house.now += Duration::from_mins(1);
        house.turn();
        house.now += Duration::from_secs(10);
        assert!(house.modified() > last);
        last = house.modified();
        tags.push(house.tag());
    }
    tags.dedup();
    assert_eq!(tags.len(), 4, "a 304 is never wrong");
}

#[test]
fn row_27_a_file_of_the_future_does_not_make_a_date_of_the_future() {
    let house = House::with("", |site| {
        let file = std::fs::File::options()
            .write(true)
            .open(site.path("articles/a.md"))
            .unwrap();
        file.set_modified(at(4_070_908_800)).unwrap();
    });
    assert!(house.modified() <= house.now);
}

#[test]
fn row_28_a_restart_changes_no_validator() {
    let mut house = House::new();
    let (tag, since) = (house.tag(), house.since(0));
    for round in 0..3 {
        house.now += Duration::from_hours(1);
        house.restart();
        if round > 0 {
            let file = std::fs::File::options()
                .write(true)
                .open(house.site.path("articles/a.md"))
                .unwrap();
            file.set_modified(house.now).unwrap();
            house.turn();
        }
        house
            .get(&[("if-none-match", &tag), ("if-modified-since", &since)])
            .is_304_of(&house);
        house
            .get(&[("if-modified-since", &since)])
            .is_304_of(&house);
        assert_eq!((house.tag(), house.since(0)), (tag.clone(), since.clone()));
    }
}

#[test]
fn row_29_if_match_with_a_star() {
    let house = House::new();
    house.get(&[("if-match", "*")]).is_200_of(&house);
}

#[test]
fn row_30_a_weak_tag_never_matches_strongly() {
    let house = House::new();
    let tag = house.tag();
    assert_eq!(house.get(&[("if-match", &tag)]).status(), 412);
}

#[test]
fn row_31_if_unmodified_since() {
    let house = House::new();
    let (before, then) = (house.since(-1), house.since(0));
    assert_eq!(house.get(&[("if-unmodified-since", &before)]).status(), 412);
    house
        .get(&[("if-unmodified-since", &then)])
        .is_200_of(&house);
}

#[test]
fn row_32_conditions_do_not_matter_where_nothing_is() {
    let house = House::with("[serve]\nmoved = { \"/old.xml\" = \"/rss.xml\" }\n", |_| ());
    let tag = house.tag();
    let condition = [("if-none-match", tag.as_str())];
    assert_eq!(house.send("GET", "/nothing.xml", &condition).status(), 404);
    assert_eq!(house.send("GET", "/old.xml", &condition).status(), 301);
}

#[test]
fn row_33_head_is_get_without_a_body() {
    let house = House::new();
    let answer = house.send("HEAD", "/rss.xml", &[]);
    assert_eq!((answer.status(), answer.bytes().len()), (200, 0));
    let full = house.get(&[]);
    for name in full.0.headers.keys() {
        assert_eq!(
            answer.field(name.as_str()),
            full.field(name.as_str()),
            "{name}"
        );
    }
    let tag = house.tag();
    house
        .send("HEAD", "/rss.xml", &[("if-none-match", &tag)])
        .is_304_of(&house);
}

#[test]
fn row_35_preflight() {
    let house = House::new();
    let fields = [
        ("origin", "https://reader.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "if-none-match"),
    ];
    let answer = house.send("OPTIONS", "/rss.xml", &fields);
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.field("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(answer.field("access-control-allow-origin"), "*");
    assert!(answer.field("access-control-allow-methods").contains("GET"));
    assert!(
        answer
            .field("access-control-allow-headers")
            .contains("If-None-Match")
    );
}

#[test]
fn row_36_other_methods() {
    let house = House::new();
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW", "TRACE", "CONNECT"] {
        let answer = house.send(method, "/rss.xml", &[]);
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.field("allow"), "GET, HEAD, OPTIONS");
    }
}

#[test]
fn row_37_an_encoding_that_the_client_names() {
    let house = House::new();
    for (accept, allowed) in [
        ("gzip", &["gzip"][..]),
        ("br,gzip", &["br", "gzip"]),
        ("zstd, br, gzip, deflate", &["zstd", "br", "gzip"]),
        ("zstd", &["zstd"]),
    ] {
        let answer = house.get(&[("accept-encoding", accept)]);
        assert!(
            allowed.contains(&answer.field("content-encoding")),
            "{accept}"
        );
        assert_eq!(decoded(&answer), house.body(), "{accept}");
        assert_eq!(answer.field("vary"), "Accept-Encoding");
        assert_eq!(answer.field("etag"), house.tag());
        assert_eq!(
            answer.field("content-length"),
            answer.bytes().len().to_string()
        );
        assert!(answer.bytes().len() < house.body().len());
    }
    // of equals the smallest
    let sizes =
        ["gzip", "br", "zstd"].map(|one| house.get(&[("accept-encoding", one)]).bytes().len());
    let any = house
        .get(&[("accept-encoding", "gzip, br, zstd")])
        .bytes()
        .len();
    assert_eq!(Some(any), sizes.into_iter().min());
    // what is liked better is not the smallest, perhaps
    let answer = house.get(&[("accept-encoding", "br;q=0.5, gzip;q=0.8, zstd;q=0.1")]);
    assert_eq!(answer.field("content-encoding"), "gzip");
}

#[test]
fn row_38_no_encoding() {
    let house = House::new();
    for accept in ["gzip;q=0", "none", "", "identity", "br;q=x"] {
        let answer = house.get(&[("accept-encoding", accept)]);
        assert!(!answer.has("content-encoding"), "{accept}");
        answer.is_200_of(&house);
    }
}

#[test]
fn row_39_gzip_by_its_other_names() {
    let house = House::new();
    for accept in ["identity;q=0, gzip", "x-gzip", "GZIP;Q=0.5"] {
        let answer = house.get(&[("accept-encoding", accept)]);
        assert_eq!(answer.field("content-encoding"), "gzip", "{accept}");
    }
}

#[test]
fn row_40_never_a_406() {
    let house = House::new();
    for accept in ["*;q=0", "identity;q=0", "identity;q=0, *;q=0", "deflate"] {
        house.get(&[("accept-encoding", accept)]).is_200_of(&house);
    }
}

#[test]
fn row_41_one_tag_for_all_encodings() {
    let house = House::new();
    let tag = house
        .get(&[("accept-encoding", "gzip")])
        .field("etag")
        .to_owned();
    house
        .get(&[("accept-encoding", "br"), ("if-none-match", &tag)])
        .is_304_of(&house);
}

#[test]
fn row_42_a_feed_has_no_ranges() {
    let house = House::new();
    let tag = house.tag();
    for fields in [
        vec![("range", "bytes=0-9")],
        vec![("range", "bytes=999999-")],
        vec![("range", "bytes=0-9"), ("if-range", tag.as_str())],
    ] {
        house.get(&fields).is_200_of(&house);
    }
}

#[test]
fn row_43_the_path_says_the_format() {
    let house = House::new();
    let answer = house.get(&[("accept", "application/json")]);
    assert!(
        answer
            .field("content-type")
            .starts_with("application/rss+xml")
    );
}

const NAVIGATION: [(&str, &str); 3] = [
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("accept", "text/html"),
];

#[test]
fn row_44_a_person_who_opens_a_feed_sees_its_preview() {
    let house = House::new();
    for path in ["/rss.xml", "/atom.xml", "/feed.json"] {
        let answer = house.send("GET", path, &NAVIGATION);
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.field("location"), "./preview/");
        assert_eq!(answer.field("cache-control"), "no-store");
        assert_eq!(answer.field("vary"), "Sec-Fetch-Mode, Sec-Fetch-Dest");
    }
    let preview = house.at("/preview/");
    assert_eq!(preview.status(), 200);
    assert!(preview.field("content-type").starts_with("text/html"));
    let tag = house.tag();
    let conditional = [&NAVIGATION[..], &[("if-none-match", &tag)]].concat();
    assert_eq!(house.get(&conditional).status(), 304, "no first visit");
}

#[test]
fn row_45_raw_is_the_feed_itself() {
    let house = House::new();
    house
        .send("GET", "/rss.xml?raw", &NAVIGATION)
        .is_200_of(&house);
}

#[test]
fn row_46_a_script_of_another_site_may_read_it() {
    let house = House::new();
    let answer = house.get(&[
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-mode", "cors"),
        ("origin", "https://reader.example"),
    ]);
    answer.is_200_of(&house);
    assert_eq!(answer.field("access-control-allow-origin"), "*");
}

#[test]
fn row_47_a_reader_that_accepts_html_is_a_reader() {
    let house = House::new();
    let accept = "application/xml,application/atom+xml,application/rss+xml,application/rdf+xml,application/feed+json,text/html,*/*;q=0.9";
    house.get(&[("accept", accept)]).is_200_of(&house);
}

#[test]
fn row_48_a_query_changes_nothing() {
    let house = House::new();
    for target in ["/rss.xml?null", "/rss.xml?utm_source=x"] {
        let answer = house.at(target);
        answer.is_200_of(&house);
        assert_eq!(answer.field("link"), house.get(&[]).field("link"));
    }
}

#[test]
fn row_49_other_spellings_are_other_paths() {
    let house = House::new();
    for target in [
        "/rss.xml/",
        "//rss.xml",
        "/RSS.XML",
        "/./rss.xml",
        "/rss.xml%20",
    ] {
        assert_eq!(house.at(target).status(), 404, "{target}");
    }
}

#[test]
fn row_50_no_path_leads_out() {
    let house = House::with("", |site| site.put("secret.txt", "secret"));
    let mut paths: Vec<String> = [
        "/../../etc/passwd",
        "/%2e%2e/secret.txt",
        "/%00",
        "/..%5csecret.txt",
        "/%",
        "/%zz",
        "/articles/..%2f..%2fsecret.txt",
    ]
    .map(str::to_owned)
    .to_vec();
    // three hundred ways to write a way out
    let dots = [
        "..",
        "%2e%2e",
        "%2E.",
        ".%2e",
        "%252e%252e",
        "%c0%ae%c0%ae",
        "..%00",
        "....",
        "%u002e%u002e",
        "..;",
    ];
    let slashes = ["/", "%2f", "%5c", "\\", "//", "%252f"];
    let targets = [
        "secret.txt",
        "tidings.toml",
        "ledger.jsonl",
        ".tidings/state.json",
        "feeds/tidings.json",
    ];
    for dot in dots {
        for slash in slashes {
            for target in targets {
                paths.push(format!("/articles{slash}{dot}{slash}{dot}{slash}{target}"));
            }
        }
    }
    assert!(paths.len() > 300);
    for path in paths {
        let Ok(uri) = path.parse::<Uri>() else {
            continue;
        };
        let status = house.at(&uri.to_string()).status();
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    for path in [
        "/tidings.json",
        "/manifest.json",
        "/rss.xml.gz",
        "/rss.xml.etag",
        "/articles/a.md",
        "/.tidings/state.json",
    ] {
        assert_eq!(house.at(path).status(), 404, "{path}");
    }
}

#[test]
fn row_51_no_host_and_no_authority_changes_a_byte() {
    let house = House::new();
    house.at("http://other.example/rss.xml").is_200_of(&house);
    house.get(&[("host", "evil.example")]).is_200_of(&house);
}

#[test]
fn row_52_exactly_one_valid_host() {
    let house = House::new();
    let with = |hosts: &[&str]| {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append("host", HeaderValue::from_str(host).unwrap());
        }
        house
            .send_head("GET", "/rss.xml", &headers, Version::HTTP_11)
            .status()
    };
    for bad in [
        &[][..],
        &["a", "a"],
        &["x y"],
        &[""],
        &["a:b"],
        &["a/b"],
        &["[::1"],
        &["a,b:1:2"],
        &["@a"],
    ] {
        assert_eq!(with(bad), 400, "{bad:?}");
    }
    for good in [
        "a",
        "example.org:8080",
        "[::1]:8080",
        "127.0.0.1",
        "xn--mnchen-3ya.example",
    ] {
        assert_eq!(with(&[good]), 200, "{good}");
    }
}

#[test]
fn row_53_http_1_0_needs_no_host() {
    let house = House::new();
    let answer = house.send_head("GET", "/rss.xml", &HeaderMap::new(), Version::HTTP_10);
    answer.is_200_of(&house);
}

#[test]
fn row_54_what_proxies_say_changes_no_byte() {
    let house = House::new();
    let answer = house.get(&[
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "ftp"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=ftp"),
        ("x-original-url", "/etc/passwd"),
        ("x-rewrite-url", "/etc/passwd"),
        ("x-http-method-override", "DELETE"),
    ]);
    answer.is_200_of(&house);
    assert_eq!(answer.0.headers, house.get(&[]).0.headers);
}

#[test]
fn row_56_moved_in_one_hop_and_gone() {
    let settings = "[serve]\nmoved = { \"/a.xml\" = \"/b.xml\", \"/b.xml\" = \"/rss.xml\", \"/x\" = \"https://other.example/y\" }\ngone = [\"/dead.xml\"]\n";
    let house = House::with(settings, |_| ());
    for (path, to) in [
        ("/a.xml", "https://example.org/rss.xml"),
        ("/b.xml", "https://example.org/rss.xml"),
        ("/x", "https://other.example/y"),
    ] {
        let answer = house.at(path);
        assert_eq!((answer.status(), answer.field("location")), (301, to));
    }
    let gone = house.at("/dead.xml");
    assert_eq!(gone.status(), 410);
    assert!(gone.field("content-type").starts_with("text/plain") && !gone.bytes().is_empty());
}

#[test]
fn row_57_aliases_answer_themselves() {
    let settings = "[serve]\naliases = { \"/feed\" = \"/rss.xml\", \"/feed/\" = \"/rss.xml\", \"/index.xml\" = \"/rss.xml\", \"/feed.xml\" = \"/atom.xml\" }\n";
    let house = House::with(settings, |_| ());
    for path in ["/feed", "/feed/", "/index.xml"] {
        let answer = house.at(path);
        answer.is_200_of(&house);
        assert_eq!(
            answer.field("link"),
            "<https://example.org/rss.xml>; rel=\"self\""
        );
    }
    assert!(house.at("/feed.xml").field("link").contains("/atom.xml"));
    let answer = house.send("GET", "/feed/", &NAVIGATION);
    assert_eq!(
        (answer.status(), answer.field("location")),
        (303, "../preview/")
    );
}

#[test]
fn row_58_what_is_broken_stays_as_it_was() {
    let mut house = House::with("", |site| site.article("b.md", "Two", "Second."));
    let tag = house.tag();
    std::fs::rename(house.site.path("articles"), house.site.path("elsewhere")).unwrap();
    house.now += Duration::from_mins(1);
    house.turn();
    house.get(&[("if-none-match", &tag)]).is_304_of(&house);
    std::fs::rename(house.site.path("elsewhere"), house.site.path("articles")).unwrap();
    house
        .site
        .put("articles/b.md", "---\ntitle: [\n---\nBroken.");
    house.site.article("c.md", "Three", "Third.");
    house.turn();
    let body = String::from_utf8(house.body().to_vec()).unwrap();
    assert!(
        body.contains("Second.") && body.contains("Third."),
        "{body}"
    );
}

#[test]
fn row_63_health() {
    let house = House::new();
    for path in ["/livez", "/readyz"] {
        for method in ["GET", "HEAD"] {
            let answer = house.send(method, path, &[]);
            assert_eq!(
                (answer.status(), answer.field("cache-control")),
                (200, "no-store"),
                "{method} {path}"
            );
        }
    }
    let headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static("a"))]);
    for (path, status) in [("/livez", 200), ("/readyz", 503)] {
        let uri: Uri = path.parse().unwrap();
        let head = Head {
            method: &Method::GET,
            uri: &uri,
            version: Version::HTTP_11,
            headers: &headers,
        };
        let moment = Moment {
            now: house.now,
            draining: true,
        };
        assert_eq!(
            respond(&house.offer().served, head, moment).status.as_u16(),
            status,
            "{path}"
        );
    }
}

#[test]
fn row_64_the_list_of_feeds() {
    let house = House::new();
    for path in ["/feeds.opml", "/.well-known/feeds"] {
        let answer = house.at(path);
        assert_eq!(answer.status(), 200);
        assert!(String::from_utf8_lossy(&answer.bytes()).contains("<opml version=\"2.0\">"));
        let tag = answer.field("etag").to_owned();
        assert_eq!(
            house.send("GET", path, &[("if-none-match", &tag)]).status(),
            304
        );
    }
}

#[test]
fn row_65_the_path_of_the_base_url_may_be_taken_off() {
    let house = House::with("", |site| {
        site.put(
            "tidings.toml",
            "base_url = \"https://example.org/blog/\"\ntitle = \"Notes\"\n",
        );
    });
    for path in ["/rss.xml", "/blog/rss.xml"] {
        let answer = house.at(path);
        answer.is_200_of(&house);
        assert_eq!(
            answer.field("link"),
            "<https://example.org/blog/rss.xml>; rel=\"self\""
        );
    }
    for path in [
        "/",
        "/blog/",
        "/articles/a/",
        "/blog/articles/a/",
        "/blog/preview/",
        "/tidings.css",
        "/blog/tidings.css",
    ] {
        assert_eq!(house.at(path).status(), 200, "{path}");
    }
    assert_eq!(house.at("/blog").status(), 301);
    assert_eq!(house.at("/blo/rss.xml").status(), 404);
}

#[test]
fn row_66_no_negotiation() {
    let house = House::new();
    house.get(&[("a-im", "feed")]).is_200_of(&house);
    house.get(&[("accept", "text/html")]).is_200_of(&house);
}

#[test]
fn row_67_the_page_of_an_article() {
    let house = House::new();
    let answer = house.at("/articles/a/");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("content-type"), "text/html; charset=utf-8");
    let policy = answer.field("content-security-policy");
    assert!(policy.starts_with(
        "default-src 'none'; style-src 'self'; img-src https: data: 'self'; media-src https: 'self'"
    ));
    let (tag, date) = (
        answer.field("etag").to_owned(),
        answer.field("last-modified").to_owned(),
    );
    assert!(tag.starts_with("W/\"") && !date.is_empty());
    let head = house.send("HEAD", "/articles/a/", &[]);
    assert_eq!(
        (head.status(), head.field("content-length")),
        (200, answer.field("content-length"))
    );
    assert_eq!(
        house
            .send("GET", "/articles/a/", &[("if-none-match", &tag)])
            .status(),
        304
    );
    // the ways that people write it
    let file = house.at("/articles/a/index.html");
    assert_eq!((file.status(), file.field("location")), (301, "./"));
    assert_eq!(
        (
            house.at("/articles/a").status(),
            house.at("/articles/a").field("location")
        ),
        (301, "a/")
    );
}

#[test]
fn row_68_what_is_not_public_is_not_there() {
    let house = House::with("", |site| {
        site.put(
            "articles/draft.md",
            "---\ntitle: D\ndraft: true\n---\n![x](draft.png)",
        );
        site.put("articles/draft.png", "png");
        site.put(
            "articles/later.md",
            "---\ntitle: L\ndate: 2099-01-01\n---\nLater.",
        );
        site.put("articles/unused.png", "png");
    });
    for path in [
        "/articles/draft/",
        "/articles/draft.png",
        "/articles/later/",
        "/articles/unknown/",
        "/articles/unused.png",
    ] {
        assert_eq!(house.at(path).status(), 404, "{path}");
    }
}

#[test]
fn row_69_a_withdrawn_page_is_gone_and_an_alias_leads_on() {
    let mut house = House::with("", |site| {
        site.put(
            "articles/b.md",
            "---\ntitle: B\ndate: 2026-05-01\naliases: [/old/b/, old-b.html]\n---\nText.",
        );
        site.article("c.md", "C", "Text.");
    });
    for path in ["/old/b/", "/old-b.html"] {
        let answer = house.at(path);
        assert_eq!(
            (answer.status(), answer.field("location")),
            (301, "https://example.org/articles/b/"),
            "{path}"
        );
    }
    house.site.remove("articles/c.md");
    house.now += Duration::from_mins(1);
    house.turn();
    assert_eq!(house.at("/articles/c/").status(), 410);
    house.restart();
    assert_eq!(house.at("/articles/c/").status(), 410);
    assert_eq!(house.at("/old/b/").status(), 301);
}

fn with_asset() -> House {
    House::with("", |site| {
        site.put("articles/b.md", "---\ntitle: B\ndate: 2026-05-01\n---\n![p](p.png) [f](f.bin) [h](h.svg) [x](x.xml) [a](a.mp3)");
        for name in ["p.png", "f.bin2", "h.svg", "x.xml", "a.mp3"] {
            site.put(&format!("articles/{name}"), "0123456789abcdefghij");
        }
        site.put("articles/f.bin", "0123456789abcdefghij");
    })
}

#[test]
fn row_70_an_asset() {
    let house = with_asset();
    let answer = house.at("/articles/p.png");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("content-type"), "image/png");
    assert!(answer.field("etag").starts_with('"'), "a strong tag");
    assert_eq!(answer.field("accept-ranges"), "bytes");
    assert_eq!(answer.field("content-length"), "20");
    assert_eq!(
        house.at("/articles/a.mp3").field("content-type"),
        "audio/mpeg"
    );
    let unknown = house.at("/articles/f.bin");
    assert_eq!(
        (
            unknown.field("content-type"),
            unknown.field("content-disposition")
        ),
        ("application/octet-stream", "attachment")
    );
    let tag = answer.field("etag").to_owned();
    assert_eq!(
        house
            .send("GET", "/articles/p.png", &[("if-none-match", &tag)])
            .status(),
        304
    );
    assert_eq!(
        house
            .send("GET", "/articles/p.png", &[("if-match", &tag)])
            .status(),
        200
    );
}

#[test]
fn row_71_ranges_of_an_asset() {
    let house = with_asset();
    let part = |range: &str| {
        let answer = house.send("GET", "/articles/p.png", &[("range", range)]);
        let Payload::Shelf(part) = answer.0.payload.clone() else {
            return (
                answer.status(),
                0..0,
                answer.field("content-range").to_owned(),
            );
        };
        assert_eq!(
            answer.field("content-length"),
            (part.end - part.start).to_string()
        );
        (
            answer.status(),
            part,
            answer.field("content-range").to_owned(),
        )
    };
    assert_eq!(part("bytes=0-9"), (206, 0..10, "bytes 0-9/20".to_owned()));
    assert_eq!(
        part("bytes=-10"),
        (206, 10..20, "bytes 10-19/20".to_owned())
    );
    assert_eq!(part("bytes=5-"), (206, 5..20, "bytes 5-19/20".to_owned()));
    assert_eq!(
        part("bytes=5-999"),
        (206, 5..20, "bytes 5-19/20".to_owned())
    );
    assert_eq!(part("bytes=-99"), (206, 0..20, "bytes 0-19/20".to_owned()));
    assert_eq!(part("bytes=999999-"), (416, 0..0, "bytes */20".to_owned()));
    assert_eq!(part("bytes=-0").0, 416);
    for whole in [
        "bytes=0-4,6-8",
        "bytes=9-5",
        "bytes=x-",
        "lines=0-4",
        "bytes",
        "bytes=-",
        "bytes= 0 - 4",
    ] {
        assert_eq!(part(whole), (200, 0..20, String::new()), "{whole}");
    }
}

#[test]
fn row_72_a_range_of_the_version_that_the_client_knows() {
    let house = with_asset();
    let full = house.at("/articles/p.png");
    let range = ("range", "bytes=0-9");
    for (condition, status) in [
        (full.field("etag"), 206),
        (full.field("last-modified"), 206),
        ("\"other\"", 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
    ] {
        let answer = house.send("GET", "/articles/p.png", &[range, ("if-range", condition)]);
        assert_eq!(answer.status(), status, "{condition}");
    }
}

#[test]
fn row_73_what_could_run_scripts_is_caged() {
    let house = with_asset();
    for path in ["/articles/h.svg", "/articles/x.xml"] {
        let answer = house.at(path);
        assert_eq!(
            answer.field("content-security-policy"),
            "sandbox; default-src 'none'",
            "{path}"
        );
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
    }
}

#[test]
fn row_75_an_empty_feed_is_a_feed_and_one_that_left_is_gone() {
    let mut house = House::new();
    house.site.remove("articles/a.md");
    house.now += Duration::from_mins(1);
    house.turn();
    assert_eq!(house.at("/rss.xml").status(), 200);
    assert!(!String::from_utf8_lossy(&house.body()).contains("<item>"));
    house.site.put(
        "tidings.toml",
        format!("{CONFIG}[defaults]\nformats = [\"rss\"]\n"),
    );
    house.restart();
    house.turn();
    assert_eq!(
        (
            house.at("/rss.xml").status(),
            house.at("/atom.xml").status()
        ),
        (200, 410)
    );
    house.restart();
    house.turn();
    assert_eq!(house.at("/atom.xml").status(), 410, "for good");
    house.site.put("tidings.toml", CONFIG);
    house.restart();
    house.turn();
    assert_eq!(house.at("/atom.xml").status(), 200, "and back");
}

#[test]
fn an_edition_that_is_not_on_disk_yet_is_served_from_memory_and_then_from_the_shelf() {
    let house = House::new();
    let offer = house.offer();
    let page = offer.served.resource("articles/a/").unwrap();
    assert!(matches!(page.content, Content::Shelf(_)));
    let feed = offer.served.resource("rss.xml").unwrap();
    assert!(feed.has_encodings());
}

/// With a permalink and without a limit that matters: what is public is in the feed.
#[test]
fn an_hour_of_scheduled_articles_appears_each_at_its_instant() {
    let mut house = House::with(
        "permalink = \"/:slug/\"\n[defaults]\nlimit = 100\n",
        |site| {
            for minute in 1..=60 {
                let instant = chrono::DateTime::from_timestamp(NOW + 60 * minute, 0).unwrap();
                let gone = chrono::DateTime::from_timestamp(NOW + 60 * (minute + 30), 0).unwrap();
                site.put(
                    &format!("articles/s{minute:02}.md"),
                    format!(
                        "---\ntitle: S{minute:02}\ndate: {}\nexpires: {}\n---\nText {minute}.",
                        instant.to_rfc3339(),
                        gone.to_rfc3339()
                    ),
                );
            }
        },
    );
    let mut turns = 0;
    while let Some(next) = house.crank.next() {
        // a second before nothing is seen of it
        let count = |house: &House| {
            String::from_utf8_lossy(&house.body())
                .matches("<item>")
                .count()
        };
        let before = count(&house);
        house.now = SystemTime::from(next) - Duration::from_secs(1);
        house.turn();
        assert_eq!(count(&house), before, "too early");
        house.now = next.into();
        house.turn();
        turns += 1;
        let minute = (next.timestamp() - NOW) / 60;
        assert_eq!((next.timestamp() - NOW) % 60, 0);
        let expected = (1..=60).filter(|n| *n <= minute && minute < n + 30).count() + 1;
        assert_eq!(count(&house), expected, "minute {minute}");
        assert!(turns <= 100);
    }
    assert_eq!(turns, 90, "sixty come, sixty go, thirty times both at once");
}

#[test]
fn a_folder_that_shrank_is_believed_after_five_minutes_of_being_so() {
    let mut house = House::with("", |site| {
        for n in 0..12 {
            site.article(&format!("n{n}.md"), &format!("N{n}"), "Text.");
        }
    });
    let step = |house: &mut House, minutes: u64| {
        house.now += Duration::from_mins(minutes);
        house.crank.turn(house.now.into(), false, None);
        String::from_utf8_lossy(&house.body())
            .matches("<item>")
            .count()
    };
    // away, as a disk that is not mounted: however long
    std::fs::rename(house.site.path("articles"), house.site.path("aside")).unwrap();
    assert_eq!(step(&mut house, 1), 13);
    assert_eq!(step(&mut house, 10), 13);
    // and back, but almost empty
    house
        .site
        .article("a.md", "One", &"Words of the first article. ".repeat(60));
    for minutes in [1, 1, 3] {
        assert_eq!(step(&mut house, minutes), 13);
    }
    assert_eq!(step(&mut house, 1), 1);
}

#[test]
fn heads_that_are_too_long_are_refused() {
    let house = House::new();
    let long = format!("/{}", "a".repeat(9000));
    assert_eq!(house.at(&long).status(), 414);
    let big = "a".repeat(17 << 10);
    assert_eq!(house.get(&[("x-big", &big)]).status(), 431);
    for (name, value, status) in [
        ("content-length", "5", 413),
        ("content-length", "0", 200),
        ("transfer-encoding", "chunked", 400),
    ] {
        assert_eq!(house.get(&[(name, value)]).status(), status, "{name}");
    }
}
