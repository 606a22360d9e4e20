//! A reader that is in a hurry: saves an article, and asks for the main feeds until each has the new text. It says how
//! long that takes, from the close of the file to the last byte of the last answer.
//!
//! `reader PORT FILE FIRST TIMES` prints one line of milliseconds; `FIRST` is the number of its first mark.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a yardstick"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Between two questions: whoever asks without a pause takes a core from the one who answers.
const PAUSE: Duration = Duration::from_micros(200);
/// Between two saves: until the last one is on disk, encoded, and quiet.
const REST: Duration = Duration::from_millis(200);

struct Reader {
    connection: BufReader<TcpStream>,
    tags: [String; 3],
}

impl Reader {
    /// The body, if it is another one than the last that was seen.
    fn ask(&mut self, feed: usize) -> Option<Vec<u8>> {
        let route = ["rss.xml", "atom.xml", "feed.json"][feed];
        let tag = &self.tags[feed];
        let request = format!(
            "GET /blog/{route} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n"
        );
        self.connection
            .get_mut()
            .write_all(request.as_bytes())
            .unwrap();
        let (mut line, mut length, mut is_new) = (String::new(), 0, false);
        loop {
            line.clear();
            self.connection.read_line(&mut line).unwrap();
            let text = line.trim_end();
            is_new |= text.starts_with("HTTP/1.1 200");
            match text.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("etag") => {
                    value.clone_into(&mut self.tags[feed]);
                }
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") && is_new => {
                    length = value.parse().unwrap();
                }
                _ => {}
            }
            if text.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body).unwrap();
        is_new.then_some(body)
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, port, file, first, times] = args.as_slice() else {
        // `cargo bench` asks for nothing
        return;
    };
    let port: u16 = port.parse().unwrap();
    let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_nodelay(true).unwrap();
    let mut reader = Reader {
        connection: BufReader::with_capacity(1 << 18, connection),
        tags: Default::default(),
    };
    (0..3).for_each(|feed| drop(reader.ask(feed)));
    let first: u32 = first.parse().unwrap();
    for mark in first..first + times.parse::<u32>().unwrap() {
        let text = std::fs::read_to_string(file).unwrap();
        let (head, body) = text.split_once("\n---\n").unwrap();
        let body = body.rsplit("<!-- m -->").next().unwrap();
        let text = format!("{head}\n---\n\nMark {mark}.\n<!-- m -->{body}");
        let mut file = std::fs::File::create(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        drop(file);
        let closed = Instant::now();
        let mut bodies = Vec::new();
        for feed in 0..3 {
            loop {
                if let Some(body) = reader.ask(feed) {
                    bodies.push(body);
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
        let taken = closed.elapsed();
        let mark = format!("Mark {mark}.");
        for body in bodies {
            let body = String::from_utf8(body).unwrap();
            assert!(body.contains(&mark), "another edition came first");
        }
        print!("{:.3} ", taken.as_secs_f64() * 1000.0);
        std::thread::sleep(REST);
    }
    println!();
}
