//! The gate at work: a document that fails keeps its previous good version.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// The entries for which a document was refused.
    refused: Vec<Refusal>,
    /// The routes of documents that were made in this turn, and are not what is published.
    pub(super) made: BTreeSet<String>,
}

/// What is wrong with an entry, in one document.
struct Refusal {
    /// As the document has it.
    id: String,
    what: String,
    /// Whether something is wrong with all of its entries: then it may be its own fault. `None` if it has but one.
    is_of_all: Option<bool>,
}

/// What is wrong with an article's entry.
pub(super) struct Culprit {
    pub(super) what: String,
    /// Whether each document that refused it refused all of its entries, and some have several.
    pub(super) is_of_all: bool,
}

impl Gated {
    /// The articles for which documents were refused, with what is wrong.
    pub(super) fn culprits(&self, books: &Books, desk: &Desk) -> BTreeMap<Number, Culprit> {
        if self.refused.is_empty() {
            return BTreeMap::new();
        }
        let mut found: BTreeMap<Number, Vec<&Refusal>> = BTreeMap::new();
        let names = Names::of(&books.ledger);
        for refusal in &self.refused {
            let path = names.path_of(&refusal.id, &books.ledger);
            let Some(number) = path.and_then(|path| desk.catalogue.number(&path)) else {
                continue;
            };
            found.entry(number).or_default().push(refusal);
        }
        let culprit = |refusals: Vec<&Refusal>| {
            let what = refusals.first()?.what.clone();
            let mut told = refusals.iter().filter_map(|refusal| refusal.is_of_all);
            let is_of_all = told.clone().next().is_some() && told.all(|is_of_all| is_of_all);
            Some(Culprit { what, is_of_all })
        };
        let culprits = found.into_iter();
        culprits
            .filter_map(|(number, refusals)| Some((number, culprit(refusals)?)))
            .collect()
    }
}

/// The ids of articles that have a form of their own in Atom, by that form.
struct Names(HashMap<String, String>);

impl Names {
    fn of(ledger: &Ledger) -> Self {
        let ids = ledger.records().map(|record| record.id);
        let pairs = ids.filter_map(|id| {
            let form = id::in_atom(&id).into_owned();
            (form != id).then_some((form, id))
        });
        Self(pairs.collect())
    }

    /// The path of the article with this id, as it is in any format.
    fn path_of(&self, id: &str, ledger: &Ledger) -> Option<String> {
        let record = ledger.get(id).or_else(|| ledger.get(self.0.get(id)?));
        record?.path
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
        Body::File(..) | Body::Kept => false,
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
    let made = edition.documents.values();
    let made = made.filter(|document| matches!(document.body, Body::Memory(_)));
    let made = made.map(|document| document.route.clone()).collect();
    let is_refused = |(_, findings): &(String, Vec<Finding>)| findings.iter().any(|f| f.refuses);
    let names = findings
        .iter()
        .any(is_refused)
        .then(|| Names::of(&books.ledger));
    for (route, findings) in findings {
        let refused = findings.iter().any(|finding| finding.refuses);
        for finding in findings.iter().filter(|finding| finding.refuses == refused) {
            problems.push(problem(
                config,
                &route,
                finding,
                &books.ledger,
                names.as_ref(),
            ));
        }
        if refused {
            culprits.extend(refusals(&findings, edition.documents.get(&route)));
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
        made,
    }
}

/// The entries for which a document is refused.
fn refusals(findings: &[Finding], document: Option<&Document>) -> Vec<Refusal> {
    let refusing = findings.iter().filter(|finding| finding.refuses);
    let mut entries: BTreeMap<String, &Finding> = refusing
        .clone()
        .filter_map(|finding| Some((finding.entry.clone()?, finding)))
        .collect();
    // where reading ended nobody knew which entry that was
    let stop = refusing.clone().find(|finding| finding.entry.is_none());
    if let (Some(finding), Some(document)) = (stop, document)
        && let Body::Memory(bytes) = &document.body
    {
        let broken = check::broken_entries(document.kind, bytes);
        entries.extend(broken.into_iter().map(|id| (id, finding)));
    }
    let count = document.and_then(|document| match &document.body {
        Body::Memory(bytes) => Some(check::read::read(document.kind, bytes)?.entries.len()),
        Body::File(..) | Body::Kept => None,
    });
    let is_of_all = match count {
        Some(1) => None,
        count => Some(count.is_some_and(|count| entries.len() >= count)),
    };
    let refusals = entries.into_iter().map(|(id, finding)| Refusal {
        id,
        what: format!("{} ({})", finding.what, finding.rule),
        is_of_all,
    });
    refusals.collect()
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

fn problem(
    config: &Config,
    route: &str,
    finding: &Finding,
    ledger: &Ledger,
    names: Option<&Names>,
) -> Problem {
    let path = finding.entry.as_deref().and_then(|id| match names {
        Some(names) => names.path_of(id, ledger),
        None => ledger.get(id)?.path,
    });
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
