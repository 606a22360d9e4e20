//! What takes a bucket long to come to: folds, what is old, and publishers that were held up.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;

use super::*;
use crate::edition::{Body, Document, Edition, Kind, LedgerMark};

/// A machine at a bucket, with a ledger and a mirror.
struct Machine {
    _home: tempfile::TempDir,
    bucket: Bucket,
    disk: Disk,
    ledger: PathBuf,
}

impl Machine {
    fn at(remote: &Arc<Remote>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        Self {
            bucket: Bucket {
                url: "s3://x/y".to_owned(),
                state: state.clone(),
                remote: Arc::clone(remote),
                position: Mutex::new(Position::new("s3://x/y")),
                keys: Mutex::default(),
            },
            disk: Disk::new(&home.path().join("mirror"), &state, &[]),
            ledger: home.path().join("ledger.jsonl"),
            _home: home,
        }
    }

    fn text(&self) -> Vec<u8> {
        std::fs::read(&self.ledger).unwrap_or_default()
    }

    fn pull(&self) -> Option<PathBuf> {
        self.bucket.pull(&self.disk, Some(&self.ledger)).unwrap()
    }

    /// Commits a document, and a line of the ledger, at `hour`; public keys are not put.
    fn commit(&self, text: &str, line: &str, hour: i64) -> Result<Manifest> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        let document = Document {
            route: "rss.xml".to_owned(),
            kind: Kind::Rss,
            body: Body::Memory(Bytes::copy_from_slice(text.as_bytes())),
        };
        let edition = Edition {
            documents: BTreeMap::from([(document.route.clone(), document)]),
            ..Edition::default()
        };
        let previous = self.disk.manifest(&mut Vec::new())?;
        let mut whole = self.text();
        whole.extend_from_slice(line.as_bytes());
        let mark = LedgerMark::of(&whole, 0);
        let mut ready = self.disk.prepare(&edition, previous.as_ref(), mark, now)?;
        let settings = serde_json::json!({});
        let parts = (line.as_bytes(), whole.as_slice());
        self.bucket
            .commit(&mut ready, previous.as_ref(), parts, &settings, now)?;
        crate::store::durable::put(&self.ledger, &whole)?;
        self.bucket.note_ledger(&whole)?;
        let encode = crate::store::Encode::Beside(&[]);
        self.disk.publish(&mut ready, previous.as_ref(), encode)?;
        Ok(ready.manifest)
    }

    fn settle(&self, manifest: &Manifest) -> bool {
        self.bucket.settle(&self.disk, manifest, 60).unwrap()
    }

    fn public(&self) -> String {
        match self.bucket.remote.get("rss.xml", None).unwrap() {
            Found::Other(bytes, _) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => String::new(),
        }
    }

    fn keys(&self, folder: &str) -> Vec<String> {
        let listed = self
            .bucket
            .remote
            .list(folder, |_| true)
            .unwrap()
            .into_iter();
        let mut keys: Vec<String> = listed.map(|one| one.key).collect();
        keys.sort();
        keys
    }
}

fn edition(manifest: &Manifest) -> u64 {
    manifest.row.as_ref().unwrap().edition
}

fn remote() -> Arc<Remote> {
    Arc::new(Remote::in_memory())
}

#[test]
fn a_publisher_that_was_held_up_does_not_put_an_old_edition_over_a_new_one() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    one.pull();
    let first = one.commit("first", "1\n", 0).unwrap();
    other.pull();
    let second = other.commit("second", "2\n", 1).unwrap();
    other.settle(&second);
    assert_eq!(one.public(), "second");
    assert!(!one.settle(&first));
    assert_eq!(one.public(), "second");
    // nor if it put that key itself before
    one.pull();
    let third = one.commit("third", "3\n", 2).unwrap();
    one.settle(&third);
    other.pull();
    let fourth = other.commit("fourth", "", 3).unwrap();
    other.settle(&fourth);
    one.bucket.position().settled = 0;
    one.settle(&third);
    assert_eq!(one.public(), "fourth");
}

#[test]
fn who_comes_second_has_lost_and_sees_what_the_first_did() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    for machine in [&one, &other] {
        machine.pull();
    }
    let first = one.commit("first", "1\n", 0).unwrap();
    // by the segment, which is claimed …
    let lost = other.commit("other", "2\n", 0).unwrap_err();
    assert!(lost.is::<Lost>(), "{lost:#}");
    other.pull();
    assert_eq!(other.text(), b"1\n");
    one.commit("second", "", 1).unwrap();
    // … and without one by the manifest
    let lost = other.commit("other", "", 1).unwrap_err();
    assert!(lost.is::<Lost>(), "{lost:#}");
    other.pull();
    let third = other.commit("other", "2\n", 1).unwrap();
    assert_eq!(edition(&third), edition(&first) + 2);
    one.pull();
    assert_eq!(one.text(), b"1\n2\n");
}

#[test]
fn what_was_claimed_and_never_committed_counts_all_the_same() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    one.pull();
    one.commit("first", "1\n", 0).unwrap();
    // somebody claims the next turn, and dies
    let claimed = remote.create("ledger/000000000002.jsonl", Bytes::from_static(b"2\n"));
    assert!(claimed.unwrap().is_some());
    assert!(one.commit("second", "3\n", 1).unwrap_err().is::<Lost>());
    one.pull();
    assert_eq!(one.text(), b"1\n2\n");
    one.commit("second", "3\n", 1).unwrap();
    other.pull();
    assert_eq!(other.text(), b"1\n2\n3\n");
}

#[test]
fn a_long_row_of_segments_is_folded_and_who_was_away_has_the_same() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    one.pull();
    let (mut expected, mut editions) = (String::new(), Vec::new());
    for number in 0..150 {
        let line = format!("{number}\n");
        expected += &line;
        let manifest = one.commit(&line, &line, number).unwrap();
        editions.push(edition(&manifest));
        if number == 40 {
            other.pull();
        }
    }
    assert!(editions.is_sorted_by(|one, next| one + 1 == *next));
    let first = one.bucket.position().first;
    assert!(first > 64, "{first}");
    for machine in [&one, &other, &Machine::at(&remote)] {
        machine.pull();
        assert_eq!(String::from_utf8(machine.text()).unwrap(), expected);
    }
    // and goes on with it
    other.commit("x", "150\n", 150).unwrap();
    one.pull();
    assert_eq!(one.text(), other.text());
}

#[test]
fn what_no_manifest_names_goes_after_a_day_and_nothing_else() {
    let remote = remote();
    let one = Machine::at(&remote);
    one.pull();
    let mut manifest = Manifest::default();
    for number in 0..70 {
        let line = format!("{number}\n");
        manifest = one.commit(&line, &line, 0).unwrap();
    }
    let lost = format!("blobs/{}", crate::edition::hash(b"lost"));
    remote
        .put(vec![(lost.clone(), Bytes::from_static(b"lost"))])
        .unwrap();
    let blobs = one.keys(BLOBS);
    let segments = one.keys(LEDGER);
    assert_eq!((blobs.len(), segments.len()), (71, 70));
    // the objects are as old as this test; the present is what it is told
    #[allow(clippy::disallowed_methods, reason = "when the objects were put")]
    let now = DateTime::<Utc>::from(std::time::SystemTime::now());
    one.bucket
        .tidy(&one.disk, &manifest, now + GRACE / 2)
        .unwrap();
    assert_eq!(one.keys(BLOBS), blobs);
    // some blobs left the manifest a moment ago
    one.bucket.position().tidied = None;
    if let Some(row) = &mut manifest.row {
        row.left
            .retain(|hash, _| *hash == crate::edition::hash(b"68\n"));
    }
    one.bucket
        .tidy(&one.disk, &manifest, now + GRACE * 2)
        .unwrap();
    let mut kept: Vec<String> = [b"68\n", b"69\n"]
        .map(|text| format!("blobs/{}", crate::edition::hash(text)))
        .into();
    kept.sort();
    assert_eq!(one.keys(BLOBS), kept);
    let first = manifest.row.unwrap().first;
    assert_eq!(one.keys(LEDGER)[0], format!("ledger/{first:012}.jsonl"));
    let other = Machine::at(&remote);
    other.pull();
    assert_eq!(other.text(), one.text());
}

#[test]
fn a_store_that_answers_with_what_it_was_takes_nobody_back() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    one.pull();
    let first = edition(&one.commit("first", "1\n", 0).unwrap());
    let Found::Other(old, _) = remote.get(MANIFEST, None).unwrap() else {
        panic!("there is a manifest");
    };
    one.commit("second", "2\n", 1).unwrap();
    other.pull();
    let Found::Other(_, version) = remote.get(MANIFEST, None).unwrap() else {
        panic!("there is a manifest");
    };
    remote.swap(MANIFEST, old, &version).unwrap().unwrap();
    let error = other
        .bucket
        .pull(&other.disk, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("holds edition {first}, and held {}", first + 1)),
        "{error}"
    );
    assert_eq!(other.disk.read("rss.xml").unwrap(), b"second");
}

#[test]
fn a_key_that_a_publisher_brings_back_too_late_goes_again() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    one.pull();
    let first = one.commit("first", "1\n", 0).unwrap();
    // the next edition has none of it, and is settled
    other.pull();
    let previous = other.disk.manifest(&mut Vec::new()).unwrap();
    let nothing = Edition::default();
    let mark = LedgerMark::of(&other.text(), 0);
    let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
    let mut ready = other
        .disk
        .prepare(&nothing, previous.as_ref(), mark, now)
        .unwrap();
    let text = other.text();
    let settings = serde_json::json!({});
    other
        .bucket
        .commit(&mut ready, previous.as_ref(), (b"", &text), &settings, now)
        .unwrap();
    other
        .disk
        .publish(
            &mut ready,
            previous.as_ref(),
            crate::store::Encode::Beside(&[]),
        )
        .unwrap();
    assert!(other.settle(&ready.manifest));
    assert_eq!(other.public(), "");
    // the first one wakes up
    assert!(!one.settle(&first), "it is not the newest any longer");
    assert_eq!(one.public(), "first", "so it was brought back");
    one.pull();
    let newest = one.disk.manifest(&mut Vec::new()).unwrap().unwrap();
    assert!(one.settle(&newest));
    assert_eq!(one.public(), "");
}

#[test]
fn a_ledger_that_was_folded_elsewhere_says_nothing_new() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    one.pull();
    one.commit("first", "1\n", 0).unwrap();
    one.commit("second", "2\n", 1).unwrap();
    other.pull();
    // the first machine compacts: a line is over
    crate::store::durable::put(&one.ledger, b"").unwrap();
    one.commit("third", "2\n3\n", 2).unwrap();
    assert_eq!(other.pull(), None);
    assert_eq!(other.text(), b"2\n3\n");
    // nor does one of a machine that died before it had noted how far it was
    crate::store::durable::put(&other.ledger, b"1\n2\n3\n").unwrap();
    assert_eq!(other.pull(), None);
    assert_eq!(other.text(), b"2\n3\n");
    // but one that nobody has put there
    crate::store::durable::put(&other.ledger, b"1\n4\n").unwrap();
    let aside = other.pull().unwrap();
    assert_eq!(std::fs::read(aside).unwrap(), b"1\n4\n");
    assert_eq!(other.text(), b"2\n3\n");
}

#[test]
fn a_ledger_that_was_there_before_goes_along_though_nothing_is_added() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    crate::store::durable::put(&one.ledger, b"1\n2\n").unwrap();
    one.pull();
    one.commit("first", "", 0).unwrap();
    assert_eq!(other.pull(), None);
    assert_eq!(other.text(), b"1\n2\n");
    one.commit("second", "3\n", 1).unwrap();
    other.pull();
    assert_eq!(other.text(), b"1\n2\n3\n");
}

#[test]
fn keys_are_what_readers_ask_for() {
    let remote = remote();
    for key in [
        "tags/日本語/rss.xml",
        "a~b.png",
        "[z].png",
        "a%20b.png",
        "a b+c.png",
    ] {
        remote
            .create(key, Bytes::from_static(b"x"))
            .unwrap()
            .unwrap();
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let listed = remote.list(folder, |_| true).unwrap();
        assert!(listed.iter().any(|one| one.key == key), "{key}: {listed:?}");
    }
}

#[test]
fn what_somebody_deletes_or_cuts_short_is_put_again() {
    let remote = remote();
    let one = Machine::at(&remote);
    one.pull();
    let manifest = one.commit("first", "1\n", 0).unwrap();
    assert!(one.settle(&manifest));
    let blob = blob(&crate::edition::hash(b"first"));
    let beside = "blobs-and-more/rss.xml".to_owned();
    remote
        .put(vec![(beside.clone(), Bytes::from_static(b"not ours"))])
        .unwrap();
    #[allow(clippy::disallowed_methods, reason = "when the objects were put")]
    let now = DateTime::<Utc>::from(std::time::SystemTime::now()) + GRACE * 2;
    for (harm, hour) in [("deleted", 0), ("cut short", 100)] {
        for key in [&blob, &"rss.xml".to_owned()] {
            match harm {
                "deleted" => remote.delete(std::slice::from_ref(key)).unwrap(),
                _ => { remote.put(vec![(key.clone(), Bytes::from_static(b"fir"))]) }.unwrap(),
            }
        }
        let other = Machine::at(&remote);
        let error = other.bucket.pull(&other.disk, None).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("puts it again when it builds"), "{error}");
        let now = now + TimeDelta::hours(hour);
        one.bucket.tidy(&one.disk, &manifest, now).unwrap();
        assert!(!one.bucket.is_settled());
        assert!(one.settle(&manifest));
        assert_eq!(one.public(), "first", "{harm}");
        other.pull();
        assert_eq!(other.disk.read("rss.xml").unwrap(), b"first", "{harm}");
    }
    assert_eq!(one.keys("blobs-and-more"), [beside]);
}

#[test]
fn keys_of_a_row_whose_manifest_was_lost_give_way_to_the_new_one() {
    let remote = remote();
    let (one, other) = (Machine::at(&remote), Machine::at(&remote));
    one.pull();
    one.commit("first", "1\n", 0).unwrap();
    let second = one.commit("second", "", 1).unwrap();
    assert!(one.settle(&second));
    remote.delete(&[MANIFEST.to_owned()]).unwrap();
    // a row may be begun in the second in which the last one ended; this one goes on for a moment
    let lost = edition(&second);
    while seconds() <= lost {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    other.pull();
    assert_eq!(other.text(), b"1\n", "no id is lost");
    let third = other.commit("third", "2\n", 2).unwrap();
    assert!(other.settle(&third));
    assert_eq!(other.public(), "third");
    // who was there before is told
    let error = one.bucket.pull(&one.disk, None).unwrap();
    assert_eq!(error, None);
    assert_eq!(one.disk.read("rss.xml").unwrap(), b"third");
}
