//! A real S3 store, one for all tests of a program, and a way to it that can be watched and cut.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::tool::{self, cache, skip};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seaweed/store.py");

/// The store's `weed`.
fn weed() -> PathBuf {
    if let Some(weed) = std::env::var_os("TIDINGS_WEED") {
        return weed.into();
    }
    cache().join("tidings-weed/bin/weed")
}

/// Returns whether there is a store to test with; without one the test that asks is skipped.
pub fn is_installed() -> bool {
    if !weed().is_file() {
        skip(
            "SeaweedFS is not installed (`.ci/install` does that; TIDINGS_WEED names another `weed`)",
        );
        return false;
    }
    tool::is_installed("python3")
}

/// The endpoint of the store; it goes with this process, when its standard input ends.
pub fn endpoint() -> &'static str {
    static STORE: OnceLock<(Mutex<Child>, String)> = OnceLock::new();
    let (_, endpoint) = STORE.get_or_init(|| {
        let mut store = Command::new("python3")
            .arg(SCRIPT)
            .arg(weed())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(store.stdout.take().unwrap());
        told.read_line(&mut line).unwrap();
        let endpoint = line.trim().to_owned();
        assert!(endpoint.starts_with("http://"), "the store does not start");
        (Mutex::new(store), endpoint)
    });
    endpoint
}

/// What the program must know to use the store at `endpoint`.
pub fn variables(endpoint: &str) -> Vec<(String, String)> {
    [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", endpoint),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn ask(command: &str, key: &str) -> Vec<u8> {
    let answer = Command::new("python3")
        .args([SCRIPT, command, endpoint(), key])
        .output()
        .unwrap();
    assert!(
        answer.status.success(),
        "{command} {key}: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    answer.stdout
}

/// Every object beneath a prefix, by its key without it.
pub fn dump(prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = ask("dump", &format!("{prefix}/"));
    let mut rest = bytes.as_slice();
    let mut found = BTreeMap::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        let (key, length) = line.rsplit_once(' ').unwrap();
        let (body, behind) = rest[end + 1..].split_at(length.parse().unwrap());
        found.insert(key[prefix.len() + 1..].to_owned(), body.to_vec());
        rest = behind;
    }
    found
}

/// Head and body of an object.
pub fn get(key: &str) -> (String, String) {
    let text = String::from_utf8(ask("get", key)).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub fn delete(key: &str) {
    ask("delete", key);
}

type Watcher = dyn Fn(usize) + Send + Sync;

/// A way to the store that counts what is put, and that can be cut.
pub struct Way {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    puts: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    pub fn new() -> Self {
        Self::watched(|_| ())
    }

    /// `watch` is told of each PUT before it goes on, with its number from 1.
    pub fn watched(watch: impl Fn(usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Self {
            port,
            is_cut: Arc::default(),
            puts: Arc::default(),
            open: Arc::default(),
        };
        let (is_cut, puts, open) = (
            Arc::clone(&way.is_cut),
            Arc::clone(&way.puts),
            Arc::clone(&way.open),
        );
        let watch: Arc<Watcher> = Arc::new(watch);
        let to = endpoint().strip_prefix("http://").unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(store) = TcpStream::connect(to) else {
                    continue;
                };
                open.lock()
                    .unwrap()
                    .extend([client.try_clone().unwrap(), store.try_clone().unwrap()]);
                let (puts, watch) = (Arc::clone(&puts), Arc::clone(&watch));
                let back = (store.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    carry(client, store, |bytes| {
                        // a head comes in one piece
                        if bytes.starts_with(b"PUT /") {
                            watch(puts.fetch_add(1, Ordering::SeqCst) + 1);
                        }
                    });
                });
                std::thread::spawn(move || carry(back.0, back.1, |_| ()));
            }
        });
        way
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many objects were put.
    pub fn puts(&self) -> usize {
        self.puts.load(Ordering::SeqCst)
    }

    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, seen: impl Fn(&[u8])) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut piece) {
        if length == 0 {
            break;
        }
        seen(&piece[..length]);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
