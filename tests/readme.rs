//! The README's commands work, its tables are complete, and what it shows is true.

use std::path::Path;
use std::process::Command;

use crate::common::server::{Server, until};
use crate::common::{Site, copy};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The lines of the fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let text = readme();
    let commands: Vec<String> = blocks(&text, "sh")
        .iter()
        .flat_map(|block| block.lines().map(str::to_owned))
        .collect();
    // the second runs this very test
    assert_eq!(
        commands,
        [
            "cargo run --release",
            "cargo test",
            "tidings serve",
            "tidings build",
            "tidings serve --from s3://bucket/site",
            "tidings check https://example.org/rss.xml",
            "tidings completions bash > ~/.local/share/bash-completion/completions/tidings",
            "tidings man > ~/.local/share/man/man1/tidings.1",
        ]
    );
    // the last three are run by `tests/commands.rs`, the first of them at an address that answers, and the one with a
    // bucket by `tests/bucket.rs`
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // on a copy of the sample site, with the program that was built for the tests
    let site = Site::bare();
    for part in ["articles", "feeds", "tidings.toml", "ledger.jsonl"] {
        copy(&root.join(part), &site.path(part));
    }
    let before = site.read("feeds/tidings.json");
    let run = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .arg("build")
        .current_dir(site.home())
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(
        (&*run.stdout, &*run.stderr),
        (&b""[..], &b""[..]),
        "the samples are committed: nothing changes"
    );
    assert_eq!(site.read("feeds/tidings.json"), before);
    // `cargo run --release`, on a free port instead of the one that the README names
    let settings = site.read("tidings.toml");
    site.put(
        "tidings.toml",
        format!("{settings}\n[serve]\nlisten = [\"127.0.0.1:0\"]\n"),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.current_dir(site.home());
    let mut server = Server::spawn(command);
    until("it prints the address to open", || {
        server.told().contains("open http://localhost:")
    });
    let port = server
        .told()
        .split("localhost:")
        .nth(1)
        .and_then(|rest| rest.split('/').next()?.parse().ok());
    server.port = port.unwrap();
    assert!(server.body("/").contains("Harbour Notes"));
    assert_eq!(server.body("/rss.xml"), site.read("feeds/rss.xml"));
    // `tidings serve` in a folder that has nothing but articles
    let site = Site::bare();
    site.article("a.md", "One", "Text.");
    let server = Server::start(&site);
    assert!(server.body("/").contains("One"));
    // `tidings build` in a folder that has nothing but articles
    let site = Site::bare();
    site.article("a.md", "One", "Text.");
    let run = site.build(&[]);
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("base_url") && site.path("feeds/rss.xml").exists());
}

#[test]
fn every_option_and_exit_code_stands_in_the_readme() {
    let text = readme();
    let help = |command| {
        let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args([command, "--help"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let commands = ["build", "serve", "init", "list", "explain", "check"];
    let help: String = commands.into_iter().map(help).collect();
    let options: Vec<&str> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .map(|word| word.trim_end_matches([',', ']']))
        .collect();
    assert!(options.len() > 10, "{help}");
    for option in options.iter().filter(|option| **option != "--help") {
        assert!(
            text.contains(&format!("{option}`")) || text.contains(&format!("{option} ")),
            "{option}"
        );
    }
    for code in ["| 0 |", "| 2 |", "| 3 |", "| 4 |", "| 5 |"] {
        assert!(text.contains(code), "{code}");
    }
}

#[test]
fn the_configurations_of_the_readme_are_valid() {
    for block in blocks(&readme(), "toml") {
        // where there is one is shown by `tests/bucket.rs`
        let block = block.replace("\"s3://bucket/site\"", "\"feeds\"");
        let site = Site::bare();
        site.put("tidings.toml", &block);
        site.article("a.md", "One", "Text.");
        let run = site.build(&[]);
        assert_eq!(run.code, 0, "{block}\n{run:?}");
    }
}

#[test]
fn what_is_installed_has_every_optimization_that_the_quick_profile_leaves_out() {
    let text = include_str!("../Cargo.toml");
    let manifest: toml::Table = toml::from_str(text).unwrap();
    let profile = |name: &str| &manifest["profile"][name];
    assert!(readme().contains("`cargo install --profile dist --path .`"));
    assert_eq!(profile("dist")["lto"].as_str(), Some("fat"));
    assert_eq!(profile("dist")["codegen-units"].as_integer(), Some(1));
    for package in profile("release")["package"].as_table().unwrap().keys() {
        let level = profile("dist")["package"][package]["opt-level"].as_integer();
        assert_eq!(level, Some(3), "{package}");
    }
}
