//! Tools that some tests need beyond Rust, a C compiler, git and the tools of POSIX.

use std::io::Write as _;
use std::path::PathBuf;

/// Returns whether `program` is on the `PATH`; if it is not, the test that asks is skipped.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// Returns a Python that has the feed readers of `tests/readers/requirements.txt`; without one the test that asks is
/// skipped.
pub fn python_with_readers() -> Option<PathBuf> {
    let python = cache().join("tidings-readers/python/bin/python");
    if python.is_file() {
        return Some(python);
    }
    skip("feedparser is not installed");
    None
}

/// Returns the folder in which `.ci/install` puts what no package manager installs.
pub fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME") {
        return cache.into();
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    home.unwrap_or_default().join(".cache")
}

/// Says that the test of this thread is skipped, and why.
///
/// # Panics
/// If `CI` is set: everything that a test needs is installed there.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // not by `eprintln!`, whose output the harness keeps to itself while a test passes
    let _ = std::io::stderr().write_all(format!("skipped: {why} ({test})\n").as_bytes());
}
