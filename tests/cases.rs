//! Each folder of `tests/cases` is a small copy of the house and makes one promise: `articles/`, `tidings.toml` and
//! `ledger.jsonl` in; `feeds/`, `ledger.after.jsonl` and `said.txt` (what is printed, and the exit code) out.
//!
//! `UPDATE_CASES=1 cargo test --test all cases::` takes over what comes out; read the difference before you commit it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::copy;

/// 2026-11-01 00:00 UTC; a case that needs another time has it in `now.txt`.
const NOW: &str = "1793491200";

/// Every file below `root`, without what is made anew from the documents.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(Result::unwrap)
        {
            let path = entry.path();
            let made = path
                .extension()
                .is_some_and(|end| ["gz", "br", "etag"].iter().any(|known| end == *known));
            if path.is_dir() {
                folders.push(path);
            } else if !made {
                found.insert(
                    path.strip_prefix(root).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

/// Runs one case; what came out, as files of the case's folder.
fn run(case: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let home = tempfile::tempdir().unwrap();
    for name in ["articles", "feeds.before"] {
        if case.join(name).is_dir() {
            copy(
                &case.join(name),
                &home.path().join(name.trim_end_matches(".before")),
            );
        }
    }
    for name in ["tidings.toml", "ledger.jsonl"] {
        if case.join(name).exists() {
            fs::copy(case.join(name), home.path().join(name)).unwrap();
        }
    }
    let now = fs::read_to_string(case.join("now.txt")).unwrap_or_else(|_| NOW.to_owned());
    let arguments = fs::read_to_string(case.join("arguments.txt")).unwrap_or_default();
    let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .arg("build")
        .args(arguments.split_whitespace())
        .current_dir(home.path())
        .env("SOURCE_DATE_EPOCH", now.trim())
        .output()
        .unwrap();
    let said = format!(
        "{}{}exit {}\n",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout),
        output.status.code().unwrap_or(-1)
    );
    let mut found: BTreeMap<PathBuf, Vec<u8>> = files(&home.path().join("feeds"))
        .into_iter()
        .map(|(path, bytes)| (Path::new("feeds").join(path), bytes))
        .collect();
    found.insert(
        "said.txt".into(),
        said.replace(&*home.path().to_string_lossy(), "HOME")
            .into_bytes(),
    );
    found.extend(
        fs::read(home.path().join("ledger.jsonl"))
            .ok()
            .map(|ledger| ("ledger.after.jsonl".into(), ledger)),
    );
    found
}

#[test]
fn every_case_keeps_its_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut broken = Vec::new();
    let mut cases: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 20, "the cases are missing");
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let came = run(&case);
        if update {
            drop(fs::remove_dir_all(case.join("feeds")));
            for (path, bytes) in came {
                let path = case.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::copy(write_aside(&bytes).path(), path).unwrap();
            }
            continue;
        }
        let mut wanted: BTreeMap<PathBuf, Vec<u8>> = files(&case.join("feeds"))
            .into_iter()
            .map(|(path, bytes)| (Path::new("feeds").join(path), bytes))
            .collect();
        for file in ["said.txt", "ledger.after.jsonl"] {
            wanted.extend(
                fs::read(case.join(file))
                    .ok()
                    .map(|bytes| (file.into(), bytes)),
            );
        }
        let paths: std::collections::BTreeSet<&PathBuf> =
            came.keys().chain(wanted.keys()).collect();
        for path in paths {
            if came.get(path) != wanted.get(path) {
                let show = |bytes: Option<&Vec<u8>>| {
                    bytes.map_or("(no file)".to_owned(), |b| {
                        String::from_utf8_lossy(b).into_owned()
                    })
                };
                broken.push(format!(
                    "{name}: {} is\n{}\nbut should be\n{}",
                    path.display(),
                    show(came.get(path)),
                    show(wanted.get(path))
                ));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} differences\n{}",
        broken.len(),
        broken.join("\n\n")
    );
}

fn write_aside(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    file
}
