//! A plain HTTP server that notes what it is asked and answers as the test says: a callback, or a hub elsewhere.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use url::Url;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    /// The value of a parameter in the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let url = Url::parse("http://a/").unwrap().join(&self.target).unwrap();
        let mut pairs = url.query_pairs();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The value of a field in the form that is the body.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(&self.body);
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What is answered: a status line without its version, further header lines, and a body.
pub struct Answer(pub &'static str, pub String, pub Vec<u8>);

type Behaviour = dyn Fn(&Asked) -> Answer + Send + Sync;

pub struct Listener {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
}

impl Listener {
    pub fn start(behaviour: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", behaviour)
    }

    pub fn at(address: &str, behaviour: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        // a callback that keeps its connections open needs more descriptors than the usual 1,024
        let _ = tidings::server::descriptors();
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (sink, over) = (Arc::clone(&asked), Arc::clone(&is_over));
        let behaviour: Arc<Behaviour> = Arc::new(behaviour);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (sink, behaviour) = (Arc::clone(&sink), Arc::clone(&behaviour));
                let over = Arc::clone(&over);
                std::thread::spawn(move || attend(stream, &sink, &*behaviour, &over));
            }
        });
        Self {
            port,
            asked,
            is_over,
        }
    }

    /// A callback that means what it asked for, and takes what it is sent.
    pub fn willing() -> Self {
        Self::start(willing)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Those requests that delivered something.
    pub fn posts(&self) -> Vec<Asked> {
        let asked = self.asked();
        { asked.into_iter() }
            .filter(|asked| asked.method == "POST")
            .collect()
    }

    /// Those that asked whether it was meant.
    pub fn gets(&self) -> Vec<Asked> {
        let asked = self.asked();
        { asked.into_iter() }
            .filter(|asked| asked.method == "GET")
            .collect()
    }
}

/// Says yes to each question, and 204 to each delivery.
pub fn willing(asked: &Asked) -> Answer {
    match asked.parameter("hub.challenge") {
        Some(challenge) => Answer("200 OK", String::new(), challenge.into_bytes()),
        None => Answer("204 No Content", String::new(), Vec::new()),
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // so that it looks
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn attend(stream: TcpStream, sink: &Mutex<Vec<Asked>>, behaviour: &Behaviour, over: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(asked) = read(&mut reader) {
        if over.load(Ordering::SeqCst) {
            return;
        }
        sink.lock().unwrap().push(asked.clone());
        let Answer(status, more, body) = behaviour(&asked);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}\r\n",
            body.len()
        );
        if stream
            .write_all(&[head.as_bytes(), &body].concat())
            .is_err()
        {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut parts = line.split(' ');
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length");
    let length = length.map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        method,
        target,
        headers,
        body,
    })
}
