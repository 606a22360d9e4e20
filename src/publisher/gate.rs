//! The gate at work: a document that fails keeps its previous good version.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::books::Books;
use super::desk::Desk;
use super::{Config, Edition, Ledger, Problem};
use crate::article::id;
use crate::catalogue::Number;
use crate::check::{self, Finding, Place};
use crate::edition::{Body, Document};

/// A document that is longer, in bytes, is read while no other is.
const LARGE: usize = 4 << 20;

/// What came through the gate.
pub(super) struct Gated {
    pub(super) edition: Edition,
    pub(super) problems: Vec<Problem>,
    /// The routes of which something was said.
    pub(super) told: BTreeSet<String>,
    /// The ids of entries for which a document was refused, with what is wrong.
    refused: Vec<(String, String)>,
}

impl Gated {
    /// The articles for which documents were refused, with what is wrong.
    pub(super) fn culprits(&self, books: &Books, desk: &Desk) -> BTreeMap<Number, String> {
        let mut culprits = BTreeMap::new();
        for (id, what) in &self.refused {
            let path = path_of(id, &books.ledger);
            if let Some(number) = path.and_then(|path| desk.catalogue.number(&path)) {
                culprits.entry(number).or_insert_with(|| what.clone());
            }
        }
        culprits
    }
}

/// Lets every document through that is fit, and puts the previous version in the place of each that is not.
pub(super) fn pass(config: &Config, mut edition: Edition, books: &Books) -> Gated {
    let judge = |(route, document): (&String, &Document)| {
        let Body::Memory(bytes) = &document.body else {
            return None;
        };
        let place = Place {
            url: &config.site.url(route),
        };
        let found = check::check(document.kind, bytes, place);
        (!found.is_empty()).then(|| (route.clone(), found))
    };
    // each takes several times its length while it is read: large ones come one by one
    let is_large = |document: &Document| match &document.body {
        Body::Memory(bytes) => bytes.len() > LARGE,
        Body::File(_) | Body::Kept => false,
    };
    let documents = &edition.documents;
    let small = documents
        .par_iter()
        .filter(|(_, document)| !is_large(document));
    let mut findings: Vec<(String, Vec<Finding>)> = small.filter_map(judge).collect();
    let large = documents.iter().filter(|(_, document)| is_large(document));
    findings.extend(large.filter_map(judge));
    let mut problems = Vec::new();
    let mut culprits = Vec::new();
    let told = findings.iter().map(|(route, _)| route.clone()).collect();
    for (route, findings) in findings {
        let refused = findings.iter().any(|finding| finding.refuses);
        for finding in findings.iter().filter(|finding| finding.refuses == refused) {
            problems.push(problem(config, &route, finding, &books.ledger));
        }
        let entries = findings.iter().filter(|finding| finding.refuses);
        let entries = entries.filter_map(|finding| {
            let what = format!("{} ({})", finding.what, finding.rule);
            Some((finding.entry.clone()?, what))
        });
        let entries: BTreeMap<String, String> = entries.collect();
        if !are_all(&entries, edition.documents.get(&route)) {
            culprits.extend(entries);
        }
        if refused {
            let previous = edition
                .documents
                .remove(&route)
                .and_then(|document| previous(&document, books));
            edition
                .documents
                .extend(previous.map(|document| (route, document)));
        }
    }
    Gated {
        edition,
        problems,
        told,
        refused: culprits,
    }
}

/// Whether something is wrong with every entry of a document that has several: then it is the document's own fault.
fn are_all(culprits: &BTreeMap<String, String>, document: Option<&Document>) -> bool {
    let Some((kind, Body::Memory(bytes))) =
        document.map(|document| (document.kind, &document.body))
    else {
        return false;
    };
    let count = check::read::read(kind, bytes).map_or(0, |feed| feed.entries.len());
    count > 1 && culprits.len() >= count
}

/// The path of the article with this id, as it is in any format.
fn path_of(id: &str, ledger: &Ledger) -> Option<String> {
    let record = ledger.get(id).or_else(|| ledger.get(&id::named(id)?));
    record?.path
}

/// The version that subscribers have, if it is still what the manifest says.
fn previous(refused: &Document, books: &Books) -> Option<Document> {
    let known = books.manifest.as_ref()?.documents.get(&refused.route)?;
    let bytes = books.disk.read(&refused.route).ok()?;
    let whole = blake3::hash(&bytes).to_hex().as_str() == known.hash;
    whole.then(|| Document {
        body: Body::Memory(bytes.into()),
        ..refused.clone()
    })
}

fn problem(config: &Config, route: &str, finding: &Finding, ledger: &Ledger) -> Problem {
    let path = finding.entry.as_deref().and_then(|id| path_of(id, ledger));
    let path = path.map(|path| config.articles.join(path).display().to_string());
    let document = config.feeds.join(route).display().to_string();
    let what = format!("{} ({})", finding.what, finding.rule);
    match (finding.refuses, path) {
        (true, Some(path)) => Problem::error(path, format!("makes `{document}` invalid: {what}"))
            .remedy("the document stays as it was; change the article"),
        (true, None) => Problem::error(document, format!("is not fit to be published: {what}"))
            .remedy("it stays as it was; please report this"),
        (false, path) => Problem::info(path.unwrap_or(document), what),
    }
}
