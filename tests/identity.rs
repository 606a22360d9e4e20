//! Properties of whole runs: whatever happens to a folder, no id changes or is shared, and incremental equals batch.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use crate::common::extent::cases;
use tidings::config::{Config, Raw};
use tidings::publisher::{Desk, Order, Progress, Publisher, Turn};

/// Something that happens to the folder, or to the world around it. Numbers choose a file or a name.
#[derive(Debug, Clone)]
enum Step {
    Write { name: usize, dated: Dated },
    Edit { file: usize },
    Touch { file: usize },
    Rename { file: usize, name: usize },
    RenameAndEdit { file: usize, name: usize },
    Copy { file: usize, name: usize },
    Delete { file: usize },
    Draft { file: usize, on: bool },
    Clock { seconds: i64 },
    Restart,
    LoseState,
    LoseFeeds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dated {
    Exactly(i64),
    Day(u8),
    Never,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let file = 0..12usize;
    let name = 0..12usize;
    let dated = prop_oneof![
        (-2_000_000i64..200_000).prop_map(Dated::Exactly),
        (0u8..6).prop_map(Dated::Day),
        Just(Dated::Never),
    ];
    let step = prop_oneof![
        6 => (name.clone(), dated).prop_map(|(name, dated)| Step::Write { name, dated }),
        4 => file.clone().prop_map(|file| Step::Edit { file }),
        1 => file.clone().prop_map(|file| Step::Touch { file }),
        4 => (file.clone(), name.clone()).prop_map(|(file, name)| Step::Rename { file, name }),
        1 => (file.clone(), name.clone()).prop_map(|(file, name)| Step::RenameAndEdit { file, name }),
        2 => (file.clone(), name).prop_map(|(file, name)| Step::Copy { file, name }),
        2 => file.clone().prop_map(|file| Step::Delete { file }),
        3 => (file, any::<bool>()).prop_map(|(file, on)| Step::Draft { file, on }),
        2 => prop_oneof![-5_000i64..0, 0i64..100_000].prop_map(|seconds| Step::Clock { seconds }),
        1 => Just(Step::Restart),
        1 => Just(Step::LoseState),
        1 => Just(Step::LoseFeeds),
    ];
    prop::collection::vec(step, 1..100)
}

/// What the model knows of a file: its text, and which article it is.
#[derive(Debug, Clone)]
struct File {
    /// Two files of one lineage are one article.
    lineage: usize,
    title: String,
    text: usize,
    dated: Dated,
    draft: bool,
}

struct Quiet;

impl Progress for Quiet {
    fn stage(&self, _: &'static str, _: usize) {}
    fn step(&self) {}
}

struct World {
    home: tempfile::TempDir,
    now: DateTime<Utc>,
    files: BTreeMap<String, File>,
    /// Which lineage a path had last: what comes back is the same article.
    paths: BTreeMap<String, usize>,
    ever: BTreeSet<String>,
    ids: BTreeMap<usize, String>,
    next: usize,
    /// What a server keeps from turn to turn, and the files of which it heard; without it each turn is a run of its own.
    desk: Option<(Desk, BTreeSet<PathBuf>)>,
}

fn path(name: usize) -> String {
    if name.is_multiple_of(3) {
        format!("folder/p{name}.md")
    } else {
        format!("p{name}.md")
    }
}

impl World {
    fn new() -> Self {
        // memory is quicker than a disk, and this test does not ask what a disk does
        let root = Path::new("/dev/shm");
        let builder = tempfile::Builder::new()
            .prefix("tidings-test-")
            .rand_bytes(12)
            .to_owned();
        let home = if root.is_dir() {
            builder.tempdir_in(root)
        } else {
            builder.tempdir()
        }
        .unwrap();
        fs::create_dir(home.path().join("articles")).unwrap();
        Self {
            home,
            now: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
            files: BTreeMap::new(),
            paths: BTreeMap::new(),
            ever: BTreeSet::new(),
            ids: BTreeMap::new(),
            next: 0,
            desk: None,
        }
    }

    fn serving() -> Self {
        Self {
            desk: Some((Desk::that_stays(), BTreeSet::new())),
            ..Self::new()
        }
    }

    fn hear(&mut self, path: &str) {
        let place = self.place(path);
        if let Some((_, heard)) = &mut self.desk {
            heard.insert(place);
        }
    }

    fn place(&self, path: &str) -> PathBuf {
        self.home.path().join("articles").join(path)
    }

    fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn put(&mut self, path: &str, file: File) {
        let mut text = format!("---\ntitle: {}\n", file.title);
        match file.dated {
            Dated::Exactly(seconds) => {
                let date = DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap();
                text += &format!("date: {}\n", date.to_rfc3339());
            }
            Dated::Day(day) => text += &format!("date: 2026-09-{:02}\n", 10 + day),
            Dated::Never => {}
        }
        if file.draft {
            text += "draft: true\n";
        }
        text += &format!("tags: [t{}]\n", file.lineage % 3);
        text += &format!(
            "---\nText number {} of this article, see [another](p1.md).\n",
            file.text
        );
        fs::create_dir_all(self.place(path).parent().unwrap()).unwrap();
        fs::write(self.place(path), text).unwrap();
        let mtime = std::time::SystemTime::from(self.now - TimeDelta::seconds(3600));
        fs::File::options()
            .append(true)
            .open(self.place(path))
            .unwrap()
            .set_modified(mtime)
            .unwrap();
        self.hear(path);
        self.paths.insert(path.to_owned(), file.lineage);
        self.ever.insert(path.to_owned());
        self.files.insert(path.to_owned(), file);
    }

    fn take(&mut self, path: &str) -> File {
        fs::remove_file(self.place(path)).unwrap();
        self.hear(path);
        self.files.remove(path).unwrap()
    }

    fn nth(&self, file: usize) -> Option<String> {
        self.files
            .keys()
            .nth(file % self.files.len().max(1))
            .cloned()
    }

    /// A path where nothing ever was: what is put there is not taken for what was there before.
    fn unused(&self, name: usize) -> String {
        let mut path = path(name);
        while self.ever.contains(&path) {
            path = path.replace(".md", "x.md");
        }
        path
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Write { name, dated } => {
                let path = path(name);
                if self.files.contains_key(&path) {
                    return;
                }
                let lineage = match self.paths.get(&path) {
                    Some(lineage) => *lineage,
                    None => self.fresh(),
                };
                let (text, number) = (self.fresh(), self.fresh());
                let title = format!("Title {number}");
                self.put(
                    &path,
                    File {
                        lineage,
                        title,
                        text,
                        dated,
                        draft: false,
                    },
                );
            }
            Step::Edit { file } => {
                let Some(path) = self.nth(file) else { return };
                let text = self.fresh();
                let file = File {
                    text,
                    ..self.files[&path].clone()
                };
                self.put(&path, file);
            }
            Step::Touch { file } => {
                let Some(path) = self.nth(file) else { return };
                let file = self.files[&path].clone();
                self.put(&path, file);
            }
            Step::Rename { file, name } => {
                let Some(old) = self.nth(file) else { return };
                if !self.may_move(&old) {
                    return;
                }
                let new = self.unused(name);
                let file = self.take(&old);
                self.paths.remove(&old);
                self.put(&new, file);
            }
            Step::RenameAndEdit { file, name } => {
                let Some(old) = self.nth(file) else { return };
                if !self.may_move(&old) || !matches!(self.files[&old].dated, Dated::Exactly(_)) {
                    return;
                }
                let new = self.unused(name);
                let text = self.fresh();
                let file = self.take(&old);
                self.paths.remove(&old);
                self.put(&new, File { text, ..file });
            }
            Step::Copy { file, name } => {
                let Some(old) = self.nth(file) else { return };
                let new = self.unused(name);
                // while both exist it is held back; the model deletes it again before it could become something else
                let file = self.files[&old].clone();
                self.put(&new, file);
                self.turn();
                self.take(&new);
                self.paths.remove(&new);
            }
            Step::Delete { file } => {
                let Some(path) = self.nth(file) else { return };
                self.take(&path);
            }
            Step::Draft { file, on } => {
                let Some(path) = self.nth(file) else { return };
                let file = File {
                    draft: on,
                    ..self.files[&path].clone()
                };
                self.put(&path, file);
            }
            Step::Clock { seconds } => self.now += TimeDelta::seconds(seconds),
            Step::Restart => {
                if let Some((desk, heard)) = &mut self.desk {
                    *desk = Desk::that_stays();
                    heard.clear();
                }
            }
            Step::LoseState => drop(fs::remove_dir_all(self.home.path().join(".tidings"))),
            Step::LoseFeeds => drop(fs::remove_dir_all(self.home.path().join("feeds"))),
        }
    }

    /// Whether nobody could say that the file under its new name is another article: it is public, or never was.
    fn may_move(&self, path: &str) -> bool {
        self.public().contains_key(path) || !self.ids.contains_key(&self.files[path].lineage)
    }

    fn turn(&mut self) {
        let mut none = (Desk::default(), BTreeSet::new());
        let stays = self.desk.is_some();
        let (desk, heard) = self.desk.as_mut().unwrap_or(&mut none);
        let heard = stays.then(|| std::mem::take(heard));
        run(self.home.path(), self.now, desk, heard);
    }

    /// The ids of what is public, by path.
    fn public(&self) -> BTreeMap<String, String> {
        let ledger = fs::read_to_string(self.home.path().join("ledger.jsonl")).unwrap_or_default();
        let (ledger, faults) = tidings::ledger::Ledger::parse(ledger.as_bytes());
        assert_eq!(faults, [], "the ledger is whole");
        let records = ledger.records().filter(|record| record.gone.is_none());
        records
            .filter_map(|record| Some((record.path.clone()?, record.id.clone())))
            .collect()
    }

    fn check(&mut self) {
        self.turn();
        let public = self.public();
        let distinct: BTreeSet<&String> = public.values().collect();
        assert_eq!(distinct.len(), public.len(), "an id is shared");
        for (path, id) in &public {
            let lineage = self.files[path].lineage;
            let known = self.ids.entry(lineage).or_insert_with(|| id.clone());
            assert_eq!(known, id, "the id of `{path}` changed");
        }
        let mut owners: BTreeMap<&String, usize> = BTreeMap::new();
        for (lineage, id) in &self.ids {
            assert_eq!(
                owners.insert(id, *lineage),
                None,
                "`{id}` was given to two articles"
            );
        }
        self.check_batch();
    }

    /// A fresh publisher over the same folder, ledger and manifest gives the same bytes.
    fn check_batch(&self) {
        let other = World::new();
        let home = other.home.path();
        for part in ["articles", "feeds", "ledger.jsonl"] {
            copy(&self.home.path().join(part), &home.join(part));
        }
        run(home, self.now, &mut Desk::default(), None);
        assert_eq!(
            snapshot(self.home.path()),
            snapshot(home),
            "a fresh run changes something"
        );
    }
}

/// Copies with dates.
fn copy(from: &Path, to: &Path) {
    let Ok(meta) = fs::metadata(from) else { return };
    if meta.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
        let file = fs::File::options().append(true).open(to).unwrap();
        file.set_modified(meta.modified().unwrap()).unwrap();
    }
}

fn run(home: &Path, now: DateTime<Utc>, desk: &mut Desk, heard: Option<BTreeSet<PathBuf>>) -> Turn {
    let raw = "base_url = \"https://example.org/\"\ntitle = \"Test\"\n[defaults]\nby = [\"tag\"]\n";
    let raw = Raw::parse(raw, "tidings.toml").unwrap();
    let config = Config::resolve(&raw, "tidings.toml", home).unwrap();
    let order = Order {
        now,
        allow_shrink: true,
        dry_run: false,
        wait: Duration::from_secs(5),
        clock: || std::time::SystemTime::UNIX_EPOCH,
        finished: tidings::folder::Finished::default(),
        heard,
    };
    Publisher::new(&config, &Quiet)
        .turn_at(desk, &order, &mut |_| {})
        .unwrap()
}

/// All bytes of the feeds and of the ledger.
fn snapshot(home: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![home.join("feeds")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(home).unwrap().to_owned();
                drop(found.insert(name, fs::read(path).unwrap()));
            }
        }
    }
    found.insert(
        PathBuf::from("ledger.jsonl"),
        fs::read(home.join("ledger.jsonl")).unwrap_or_default(),
    );
    found
}

fn happens(mut world: World, steps: &[Step]) {
    for step in steps {
        world.apply(step);
        world.check();
    }
}

proptest! {
    // about 50 steps each: more than 10,000 of both in the long form
    #![proptest_config(cases(10, 110))]

    #[test]
    fn no_id_ever_changes_or_is_shared_from_run_to_run(steps in steps()) {
        happens(World::new(), &steps);
    }

    #[test]
    fn no_id_ever_changes_or_is_shared_while_one_program_serves(steps in steps()) {
        happens(World::serving(), &steps);
    }
}
