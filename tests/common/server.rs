//! The real program serving a site on a free port, until the test is over.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Site;

/// Longer than anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_mins(1);

pub struct Server {
    pub child: Child,
    pub port: u16,
    told: Arc<Mutex<String>>,
    logged: Arc<Mutex<String>>,
}

/// Waits for a condition.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LONG, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn collect(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = writeln!(sink.lock().unwrap(), "{line}");
        }
    });
    text
}

impl Server {
    pub fn start(site: &Site) -> Self {
        Self::with(site, &["--listen", "127.0.0.1:0"])
    }

    pub fn with(site: &Site, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command
            .arg("serve")
            .args(arguments)
            .current_dir(site.home());
        command.envs(site.variables.iter().cloned());
        let mut server = Self::spawn(command);
        until("the server says where it is", || {
            server.told().contains("open http://") || server.told().contains("listening on ")
        });
        let told = server.told();
        let port = told
            .split("open http://localhost:")
            .nth(1)
            .and_then(|rest| rest.split('/').next()?.parse().ok());
        server.port = port.unwrap_or(0);
        server
    }

    pub fn spawn(command: Command) -> Self {
        Self::spawn_with(command, Stdio::null())
    }

    /// Starts a server whose standard input is `stdin`.
    pub fn spawn_with(mut command: Command, stdin: Stdio) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = collect(child.stderr.take().unwrap());
        let logged = collect(child.stdout.take().unwrap());
        Self {
            child,
            port: 0,
            told,
            logged,
        }
    }

    /// What it said on standard error.
    pub fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// What it logged on standard output.
    pub fn logged(&self) -> String {
        self.logged.lock().unwrap().clone()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes.
    pub fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        // who refuses a head does not read all of it
        let _ = stream.write_all(request.as_ref());
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            // one that is cut off is an answer too; one that never ends is none
            let never_ends = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
            assert!(!never_ends, "no end within {LONG:?} of {answer:?}");
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Status, head and body of one GET.
    pub fn get(&self, target: &str, fields: &str) -> (u16, String, String) {
        let answer = self.raw(format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n"
        ));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        (status.unwrap_or(0), head.to_owned(), body.to_owned())
    }

    pub fn body(&self, target: &str) -> String {
        self.get(target, "").2
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < LONG, "does not end: {}", self.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.told());
        }
    }
}

/// One field of a head.
pub fn field<'h>(head: &'h str, name: &str) -> &'h str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    { lines }
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map_or("", |(_, value)| value)
}
