//! A folder of its own for each test, and the program run in it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "each test uses a part of it, and says what went wrong"
)]

pub mod listener;
pub mod extent;
pub mod seaweed;
pub mod server;
pub mod tool;
pub mod versions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// 2026-11-01 00:00 UTC.
pub const NOW: i64 = 1_793_491_200;

/// Copies a file, or a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// A working folder with articles.
pub struct Site {
    home: tempfile::TempDir,
    pub now: i64,
    pub variables: Vec<(String, String)>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Site {
    /// With a public base URL and a permalink.
    pub fn new() -> Self {
        let site = Self::bare();
        site.put(
            "tidings.toml",
            "base_url = \"https://example.org/\"\ntitle = \"Notes\"\npermalink = \"/:slug/\"\n",
        );
        site
    }

    /// Without any configuration.
    pub fn bare() -> Self {
        let site = Self {
            home: tempfile::tempdir().unwrap(),
            now: NOW,
            variables: Vec::new(),
        };
        fs::create_dir(site.path("articles")).unwrap();
        site
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Writes a file that an editor may still be at.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let place = self.path(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, text).unwrap();
    }

    /// Writes a file that is an hour old: no editor is still at it.
    pub fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        self.write(path, text);
        let file = fs::File::options().append(true).open(self.path(path));
        let file = file.unwrap();
        let hour = std::time::Duration::from_hours(1);
        let mtime = file.metadata().unwrap().modified().unwrap() - hour;
        file.set_modified(mtime).unwrap();
    }

    /// An article with a title and a date.
    pub fn article(&self, name: &str, title: &str, body: &str) {
        self.put(
            &format!("articles/{name}"),
            format!("---\ntitle: {title}\ndate: 2026-05-01T10:00:00Z\n---\n{body}\n"),
        );
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Moves a file or a folder, over what is there.
    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub fn remove(&self, path: &str) {
        let place = self.path(path);
        if place.is_dir() {
            fs::remove_dir_all(place).unwrap();
        } else {
            fs::remove_file(place).unwrap();
        }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command
            .arg("build")
            .args(arguments)
            .current_dir(self.home.path());
        command
            .env("SOURCE_DATE_EPOCH", self.now.to_string())
            .envs(self.variables.iter().cloned());
        command
    }

    pub fn build(&self, arguments: &[&str]) -> Run {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run {
            code: status.code().unwrap_or(-1),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    /// Builds, and expects that nothing is wrong.
    pub fn build_well(&self) -> Run {
        let run = self.build(&[]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        run
    }
}
