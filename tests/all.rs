//! All tests that need no feature, as one program: it compiles and links once, and its tests run side by side.
//! `cargo test --test all hub::` runs those of `tests/hub.rs`. A test that needs a tool beyond Rust, a C compiler and
//! git is skipped where the tool is missing (`common::tool`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::format_collect,
    reason = "a test may fail, print, write files and ask for the time, and need not be quick"
)]

// the program's allocator: property tests run thousands of builds in this process
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod common;

mod announce;
mod build;
mod cases;
mod clock;
mod commands;
mod corpora;
mod crash;
mod dates;
mod deploy;
mod dialects;
mod fault_injection;
mod feeds;
mod folder;
mod gate;
mod held;
mod html;
mod http;
mod hub;
mod identity;
mod keys;
mod ledger;
mod media;
mod odd_values;
mod pairwise;
mod proxies;
mod readme;
mod round_trip;
mod serve;
mod sockets;
mod unprotected;
mod upgrades;
mod watch;

#[test]
fn every_file_of_tests_is_a_module_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let here = std::fs::read_to_string(folder.join("all.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".rs") else {
            continue;
        };
        // `bucket` is a program of its own, since it needs a feature
        let is_listed = here.contains(&format!("\nmod {name};\n"));
        assert!(is_listed || ["all", "bucket"].contains(&name), "{name}");
    }
}
