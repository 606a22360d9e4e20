//! Entries in which nothing was found. Most of a new version of a document stood in the last one, and many feeds show
//! the same entries: what was read once, and was fit, need not be read again to know that.
//!
//! The verdict on an entry is a function of its bytes and of the namespaces around it. So those entries are left out of
//! the text that is read, each with a mark in its place; that the reader meets every mark where an entry may stand
//! shows that nothing around them is other than it seems. What entries are to each other is judged every time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use twox_hash::{XxHash3_64, XxHash3_128};

use super::xml::Element;
use super::{ENOUGH, Findings};

/// The target of the processing instruction that stands for what was left out.
pub(super) const MARK: &str = "fit";
/// The name under which a mark is visited: no element can have it.
pub(super) const LEFT_OUT: &str = "?fit";

/// No fault of a writer makes two entries with one of these; whoever forges two harms his own feed alone.
type Key = u128;

/// What an entry is to the others of its document.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) id: Option<String>,
    pub(super) updated: Option<String>,
    pub(super) has_author: bool,
}

/// So many are remembered, a few megabytes at most.
const MANY: usize = 1 << 15;

static FIT: Mutex<Option<HashMap<Key, Arc<Facts>>>> = Mutex::new(None);

/// What is known of an entry that is fit.
pub(super) fn recall(key: &Key) -> Option<Arc<Facts>> {
    // a map is whole whatever its holder did
    let fit = FIT.lock().unwrap_or_else(PoisonError::into_inner);
    fit.as_ref()?.get(key).cloned()
}

/// Remembers entries that are fit.
pub(super) fn learn(entries: Vec<(Key, Facts)>) {
    let mut fit = FIT.lock().unwrap_or_else(PoisonError::into_inner);
    let fit = fit.get_or_insert_default();
    if fit.len() + entries.len() > MANY {
        fit.clear();
    }
    let entries = entries.into_iter().take(MANY);
    fit.extend(entries.map(|(key, facts)| (key, Arc::new(facts))));
}

/// Everything that is known of entries that are fit: true for this very program.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Fit(Vec<(Key, Facts)>);

/// What is known now.
#[must_use]
pub fn fit() -> Fit {
    let fit = FIT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = fit.iter().flatten();
    Fit(known
        .map(|(key, facts)| (*key, (**facts).clone()))
        .collect())
}

/// Takes over what the same program knew once.
pub fn trust(fit: Fit) {
    learn(fit.0);
}

/// The key of an entry in its surroundings.
pub(super) fn key(around: &[u8], entry: &[u8]) -> Key {
    XxHash3_128::oneshot_with_seed(XxHash3_64::oneshot(around), entry)
}

/// A document, taken apart.
struct Entries<'a> {
    /// What stands before the first entry.
    above: &'a [u8],
    all: Vec<(Key, &'a [u8])>,
    below: &'a [u8],
}

impl<'a> Entries<'a> {
    /// `None` if there are none, or it is not certain where they begin.
    fn of(bytes: &'a [u8], open: &str, close: &str) -> Option<Self> {
        let find = |text: &[u8], what: &str| memchr::memmem::find(text, what.as_bytes());
        let (above, mut rest) = bytes.split_at(find(bytes, open)?);
        // the namespaces are told before the first thing that a feed says of itself
        let around = &above[..find(above, "<title>")?];
        if ["<!", "<?fit"].iter().any(|odd| find(above, odd).is_some()) {
            return None;
        }
        let mut all = Vec::new();
        while rest.starts_with(open.as_bytes()) {
            // if it ends further on in truth, this is the beginning of an entry, and none is known that is one
            let Some(end) = find(rest, close).map(|end| end + close.len()) else {
                break;
            };
            let (entry, behind) = rest.split_at(end);
            all.push((self::key(around, entry), entry));
            rest = behind;
        }
        Some(Self {
            above,
            all,
            below: rest,
        })
    }
}

/// So many bytes of entries are read at a time, where many are not known.
const PART: usize = 256 << 10;

/// Gets to know the entries of a long document on all cores. Each part of them is read with all that stands around the
/// entries; where one of them is no entry in truth, its mark will not be met.
pub(super) fn read_ahead(bytes: &[u8], open: &str, close: &str, read: impl Fn(Short<'_>) + Sync) {
    if bytes.len() < 2 * PART {
        return;
    }
    let Some(mut document) = Entries::of(bytes, open, close) else {
        return;
    };
    // each part is read with all that stands around it, and no more entries are remembered than so many
    if document.above.len() + document.below.len() > PART {
        return;
    }
    document.all.retain(|(key, _)| recall(key).is_none());
    document.all.truncate(MANY / 2);
    let length = |entries: &[(Key, &[u8])]| entries.iter().map(|(_, entry)| entry.len()).sum();
    let total: usize = length(&document.all);
    if total < 2 * PART {
        return;
    }
    // entries of one feed are about as long as each other
    let few = (document.all.len() * PART / total).max(1);
    let parts = document.all.par_chunks(few);
    parts.for_each(|part| read(Short::without_known(&document, part)));
}

/// A document as it is read: without what is known to be fit.
pub(super) struct Short<'a> {
    pub(super) text: Cow<'a, [u8]>,
    known: Vec<Arc<Facts>>,
    /// Where the entries stand that are not known.
    unknown: HashMap<usize, (Range<usize>, Key)>,
    /// Those of them that turned out fit.
    fit: Vec<(Key, Facts)>,
    met: usize,
    /// How much was found in entries that can be told apart, or between them.
    told: usize,
}

impl<'a> Short<'a> {
    /// The document as it is.
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        Self {
            text: bytes.into(),
            known: Vec::new(),
            unknown: HashMap::new(),
            fit: Vec::new(),
            met: 0,
            told: 0,
        }
    }

    /// Leaves out, of a document whose entries stand one behind the other between `open` and `close`, those that are known.
    pub(super) fn of(bytes: &'a [u8], open: &str, close: &str) -> Self {
        match Entries::of(bytes, open, close) {
            Some(entries) => Self::without_known(&entries, &entries.all),
            None => Self::whole(bytes),
        }
    }

    /// A document with some of its entries, and of those with marks in the places of all that are known.
    fn without_known(document: &Entries<'_>, entries: &[(Key, &[u8])]) -> Self {
        let mut short = Self::whole(&[]);
        let mut text = document.above.to_vec();
        for (key, entry) in entries {
            if let Some(facts) = recall(key) {
                text.extend_from_slice(format!("<?{MARK} {}?>", short.known.len()).as_bytes());
                short.known.push(facts);
            } else {
                let span = text.len()..text.len() + entry.len();
                short.unknown.insert(span.start, (span, *key));
                text.extend_from_slice(entry);
            }
        }
        text.extend_from_slice(document.below);
        short.text = text.into();
        short
    }

    /// What is known of the entry that a mark stands for.
    pub(super) fn left_out(&mut self, mark: &Element) -> Option<Arc<Facts>> {
        let facts = self.known.get(mark.text.parse::<usize>().ok()?)?;
        self.met += 1;
        Some(Arc::clone(facts))
    }

    /// An entry was read, and so many things were found in it.
    pub(super) fn read(&mut self, entry: &Element, found: usize, facts: &Facts) {
        self.told += found;
        if found == 0
            && let Some((span, key)) = self.unknown.remove(&entry.span.start)
            && span == entry.span
        {
            self.fit.push((key, facts.clone()));
        }
    }

    /// So many things were found between entries.
    pub(super) fn compared(&mut self, found: usize) {
        self.told += found;
    }

    /// Remembers what turned out fit. Whether the document was read: every mark was met.
    pub(super) fn close(self, findings: &Findings) -> bool {
        if self.met != self.known.len() {
            return false;
        }
        // what was found elsewhere may be anywhere
        let is_clear = findings.found.len() == self.told && self.told < ENOUGH;
        if is_clear && !self.fit.is_empty() {
            learn(self.fit);
        }
        true
    }
}
