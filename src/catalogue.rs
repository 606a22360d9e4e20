//! Every file of the folder, what was understood of it, and what of it is public, in order, with what links between
//! articles need. Kept from turn to turn: a turn tells what changed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use memchr::memrchr;
use rayon::prelude::*;

use crate::article::head::{self, Labels};
use crate::article::{Article, Section, Visibility, location};
use crate::ledger::Public;
use crate::problem::Problem;

mod names;
mod public;
pub(crate) mod row;

pub use names::Touched;
pub use row::{Class, Reading, Row, Standing};

/// A public article with its identity.
#[derive(Debug, Clone)]
pub struct Entry {
    /// By which readers know it.
    pub id: String,
    /// In whole seconds.
    pub published: DateTime<Utc>,
    /// Not before [`published`](Self::published).
    pub updated: DateTime<Utc>,
    /// Whether the front matter says when it was updated.
    pub updated_declared: bool,
    /// The path of its built-in page below `articles/`, if it has one.
    pub page: Option<String>,
    /// What the file says; without its text, unless somebody read it.
    pub article: Article,
}

impl Entry {
    /// An article with its identity.
    #[must_use]
    pub fn new(public: &Public, article: Article) -> Self {
        Self {
            id: public.id.clone(),
            published: public.published,
            updated: public.updated,
            updated_declared: public.updated_declared,
            page: public.page.clone(),
            article,
        }
    }

    /// Whether feeds show it.
    #[must_use]
    pub fn in_feeds(&self) -> bool {
        self.article.visibility == Visibility::Public
    }
}

/// The number of a row; it stays the same as long as the file is there.
pub type Number = u32;

/// All files by their paths; all public articles, newest first, ties by id.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    rows: Vec<Option<Row>>,
    free: Vec<Number>,
    /// By folder, then by name.
    sorted: Vec<Number>,
    /// Newest first.
    order: Vec<Number>,
    /// How many public articles have a link, by its hash.
    links: HashMap<u64, u32>,
    /// How many files are, or were meant to be, articles.
    articles: usize,
    /// What is to be looked at in each turn.
    restless: BTreeSet<Number>,
    /// What has something wrong with it.
    noted: BTreeSet<Number>,
    /// What stands in for files that cannot be understood.
    stand_ins: HashMap<Number, Article>,
    /// What `_index.md` says of the folders that have one, by their paths.
    pub sections: BTreeMap<String, Section>,
    /// Where files lie whose paths do not tell.
    pub places: BTreeMap<String, PathBuf>,
    /// By the last part of their names; made when somebody asks.
    by_name: OnceLock<HashMap<String, Vec<Number>>>,
    /// By digest; made when somebody asks.
    by_digest: OnceLock<HashMap<u64, Vec<Number>>>,
    /// What is, or was, public, and may be another thing than it was when somebody asked last.
    stirred: Vec<Number>,
    /// How often anything changed that articles ask of other files: see [`outlook`](Self::outlook).
    outlook: u64,
}

/// How rows are sorted, by folder and then by name: all that lies in one folder stands together.
fn compare(a: &str, b: &str) -> Ordering {
    let (a_bytes, b_bytes) = (a.as_bytes(), b.as_bytes());
    let eights = a_bytes.as_chunks::<8>().0.iter();
    let eights = eights.zip(b_bytes.as_chunks::<8>().0);
    let near = 8 * eights.take_while(|(a, b)| a == b).count();
    let rest = a_bytes[near..].iter().zip(&b_bytes[near..]);
    let same = near + rest.take_while(|(a, b)| a == b).count();
    let (a_rest, b_rest) = (&a_bytes[same..], &b_bytes[same..]);
    // of two paths that part here, the one with no slash behind lies in a folder around the other's
    match (memrchr(b'/', a_rest), memrchr(b'/', b_rest)) {
        (None, None) => a_rest.cmp(b_rest),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (Some(a_end), Some(b_end)) => a_rest[..a_end].cmp(&b_rest[..b_end]),
    }
}

impl Catalogue {
    /// A catalogue of rows in the order of [`rows`](Self::rows), as it was when they were kept.
    #[must_use]
    pub fn of(rows: Vec<Row>) -> Self {
        let mut catalogue = Self::default();
        let count = Number::try_from(rows.len()).unwrap_or_default();
        catalogue.sorted = (0..count).collect();
        catalogue.rows = rows.into_iter().map(Some).collect();
        let is_sorted = catalogue
            .sorted
            .is_sorted_by(|a, b| compare(catalogue.path(*a), catalogue.path(*b)).is_le());
        if !is_sorted {
            let mut sorted = std::mem::take(&mut catalogue.sorted);
            sorted.par_sort_by(|a, b| compare(catalogue.path(*a), catalogue.path(*b)));
            catalogue.sorted = sorted;
        }
        catalogue.settle();
        catalogue
    }

    /// Takes over rows as they are, and forgets those of paths without one.
    pub fn replay(&mut self, rows: BTreeMap<String, Option<Row>>) {
        let gone = rows.iter().filter(|(_, row)| row.is_none());
        self.remove(&gone.map(|(path, _)| path.clone()).collect());
        let mut changed = BTreeSet::new();
        let mut new = Vec::new();
        for row in rows.into_values().flatten() {
            match self.number(&row.path) {
                Some(number) => {
                    changed.insert(number);
                    new.push(row);
                }
                None => new.push(row),
            }
        }
        self.retire(&changed);
        for number in &changed {
            // what it was is not to be inherited
            if let Some(row) = self.rows[*number as usize].as_mut() {
                row.standing = Standing::Kept;
            }
        }
        let publics: Vec<Row> = new.clone();
        let numbers = self.put(new);
        let mut coming = Vec::new();
        for (number, row) in numbers.into_iter().zip(publics) {
            if row.is_public() {
                *self.links.entry(row.link).or_default() += 1;
                coming.push(number);
            }
            if row.is_restless() {
                self.restless.insert(number);
            } else {
                self.restless.remove(&number);
            }
            self.rows[number as usize] = Some(row);
        }
        self.enter(coming);
    }

    /// Every row, sorted by folder and then by name.
    pub fn rows(&self) -> impl Iterator<Item = (Number, &Row)> {
        let rows = self.sorted.iter();
        rows.filter_map(|number| Some((*number, self.row(*number)?)))
    }

    /// The rows of the files in `folder` itself, by name.
    #[must_use]
    pub fn folder(&self, folder: &str) -> &[Number] {
        let folder_of = |number: &Number| location::folder(self.path(*number));
        let start = self
            .sorted
            .partition_point(|number| folder_of(number) < folder);
        let end = self.sorted[start..].partition_point(|number| folder_of(number) <= folder);
        &self.sorted[start..start + end]
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// How many of the files are, or were meant to be, articles: in all, and those that something keeps from being public.
    #[must_use]
    pub fn articles(&self) -> (usize, usize) {
        let restless = self.restless.iter().filter_map(|number| self.row(*number));
        let waiting = restless.filter(|row| row.standing == Standing::Waiting);
        (self.articles, waiting.count())
    }

    /// What a rendering of a file depends on, beside what it asks of others.
    #[must_use]
    pub fn version(&self, number: Number) -> u64 {
        let Some(row) = self.row(number) else {
            return 0;
        };
        let mut hasher = row.version();
        // who names no language has that of the folder
        if let Some(language) = self.language(&row.path) {
            hasher.update(language.as_bytes());
        }
        if let Some(article) = self.stand_ins.get(&number) {
            hasher
                .update(&head::pack(article))
                .update(article.body.file.as_bytes());
        }
        let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8]
            .try_into()
            .unwrap_or_default();
        u64::from_le_bytes(bytes)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The row of this number.
    #[must_use]
    pub fn row(&self, number: Number) -> Option<&Row> {
        self.rows.get(number as usize)?.as_ref()
    }

    fn path(&self, number: Number) -> &str {
        self.row(number).map_or("", |row| &row.path)
    }

    /// The row of the file at `path`.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<Number> {
        let found = self
            .sorted
            .binary_search_by(|number| compare(self.path(*number), path));
        found.ok().map(|index| self.sorted[index])
    }

    /// The row of the file at `path`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Row> {
        self.row(self.number(path)?)
    }

    /// Takes over what is known of these files now. What was public stays so until [`publish`](Self::publish).
    pub fn put(&mut self, rows: Vec<Row>) -> Vec<Number> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut new = Vec::new();
        if self.rows.is_empty() {
            self.rows.reserve_exact(rows.len());
        }
        for mut row in rows {
            let has_notes = row.has_notes();
            self.outlook += u64::from(row.class != Class::Article);
            self.articles += usize::from(row.is_article());
            let number = if let Some(number) = self.number(&row.path) {
                if let Some(before) = self.rows[number as usize].take() {
                    self.articles -= usize::from(before.is_article());
                    row.inherit(before);
                }
                self.rows[number as usize] = Some(row);
                self.stand_ins.remove(&number);
                number
            } else {
                let number = self.free.pop().unwrap_or_else(|| {
                    self.rows.push(None);
                    Number::try_from(self.rows.len() - 1).unwrap_or_default()
                });
                self.rows[number as usize] = Some(row);
                self.outlook += 1;
                new.push(number);
                number
            };
            if has_notes {
                self.noted.insert(number);
            } else {
                self.noted.remove(&number);
            }
            numbers.push(number);
        }
        if !new.is_empty() {
            self.forget_indexes();
        }
        if new.len() > 8 {
            let mut sorted = std::mem::take(&mut self.sorted);
            sorted.extend(new);
            sorted.par_sort_by(|a, b| compare(self.path(*a), self.path(*b)));
            self.sorted = sorted;
        } else {
            for number in new {
                let path = self.path(number);
                let at = self
                    .sorted
                    .partition_point(|other| compare(self.path(*other), path).is_lt());
                self.sorted.insert(at, number);
            }
        }
        numbers
    }

    /// Forgets these files.
    pub fn remove(&mut self, paths: &BTreeSet<String>) {
        let numbers: BTreeSet<Number> = paths.iter().filter_map(|path| self.number(path)).collect();
        if numbers.is_empty() {
            return;
        }
        self.retire(&numbers);
        self.outlook += 1;
        self.sorted.retain(|number| !numbers.contains(number));
        for number in &numbers {
            let row = self.rows[*number as usize].take();
            self.articles -= usize::from(row.is_some_and(|row| row.is_article()));
            self.restless.remove(number);
            self.noted.remove(number);
            self.stand_ins.remove(number);
            self.free.push(*number);
        }
        self.forget_indexes();
    }

    fn forget_indexes(&mut self) {
        self.by_name = OnceLock::new();
        self.by_digest = OnceLock::new();
    }

    /// What stands in for a file that cannot be understood.
    pub fn stand_in(&mut self, number: Number, article: Option<Article>) {
        match article {
            Some(article) => self.stand_ins.insert(number, article),
            None => self.stand_ins.remove(&number),
        };
    }

    /// What is to be looked at in each turn.
    #[must_use]
    pub fn restless(&self) -> &BTreeSet<Number> {
        &self.restless
    }

    /// Those of which the addresses were other ones once.
    pub fn aliased(&self) -> impl Iterator<Item = Number> {
        let order = self.order.iter().copied();
        order.filter(|number| self.row(*number).is_some_and(|row| row.has_aliases))
    }

    /// What is wrong with files.
    pub fn notes(&self) -> impl Iterator<Item = Problem> {
        let rows = self.noted.iter().filter_map(|number| self.row(*number));
        rows.flat_map(Row::notes)
    }

    /// Newest first.
    #[must_use]
    pub fn order(&self) -> &[Number] {
        &self.order
    }

    /// What the file says, without its text. Who names no language writes in that of the folder.
    #[must_use]
    pub fn article(&self, number: Number) -> Option<Article> {
        let row = self.row(number)?;
        let mut article = match self.stand_ins.get(&number) {
            Some(article) => article.clone(),
            None => head::unpack(&row.head, &row.path)?,
        };
        self.lend_language(&mut article);
        Some(article)
    }

    /// Whether another version is shown than that of the file.
    #[must_use]
    pub fn is_stood_in_for(&self, number: Number) -> bool {
        self.stand_ins.contains_key(&number)
    }

    /// What the article of this number is sorted by.
    #[must_use]
    pub fn labels(&self, number: Number) -> Option<Labels<'_>> {
        let row = self.row(number)?;
        let mut labels = match self.stand_ins.get(&number) {
            Some(article) => Labels::from(article),
            None => head::labels(&row.head, &row.path)?,
        };
        labels.language = labels.language.or_else(|| self.language(&row.path));
        Some(labels)
    }

    /// An article that names no language is written in its folder's.
    pub fn lend_language(&self, article: &mut Article) {
        if article.language.is_none() {
            article.language = self.language(&article.path).map(str::to_owned);
        }
    }

    /// The language of the articles around `path` that name none.
    fn language<'f>(&'f self, path: &'f str) -> Option<&'f str> {
        let around = self.around(path);
        let mut languages = around.filter_map(|section| section.language.as_deref());
        languages.next()
    }

    /// What is said of the folders around a path, the innermost first.
    pub fn around<'f>(&'f self, path: &'f str) -> impl Iterator<Item = &'f Section> {
        let folders = std::iter::successors(Some(location::folder(path)), |folder| {
            (!folder.is_empty()).then(|| location::folder(folder))
        });
        // most folders of articles have none, and are asked for each article
        let folders = folders.take_while(|_| !self.sections.is_empty());
        folders.filter_map(|folder| self.sections.get(folder))
    }

    /// The public article of this number, without its text.
    #[must_use]
    pub fn entry(&self, number: Number) -> Option<Entry> {
        let public = self.row(number)?.public()?;
        Some(Entry::new(&public, self.article(number)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{compare, location};

    proptest! {
        #[test]
        fn paths_stand_by_folder_and_then_by_name(
            a in "([ab-]{1,3}/){0,4}[ab-]{1,3}", b in "([ab-]{1,3}/){0,4}[ab-]{1,3}",
            shared in "([ab-]{1,9}/){0,3}"
        ) {
            let (a, b) = (format!("{shared}{a}"), format!("{shared}{b}"));
            let key = |path| (location::folder(path), location::name(path));
            prop_assert_eq!(compare(&a, &b), key(&a).cmp(&key(&b)), "{:?} {:?}", a, b);
        }
    }
}
