//! The gate at work: a document that fails keeps its previous good version.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::books::Books;
use super::{Config, Edition, Ledger, Problem};
use crate::article::id;
use crate::check::{self, Finding, Place};
use crate::edition::{Body, Document};

/// A document that is longer, in bytes, is read while no other is.
const LARGE: usize = 4 << 20;

/// Lets every document through that is fit, and puts the previous version in the place of each that is not. The routes of
/// which something was said are told too.
pub(super) fn pass(
    config: &Config,
    mut edition: Edition,
    books: &Books,
) -> (Edition, Vec<Problem>, BTreeSet<String>) {
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
    let told = findings.iter().map(|(route, _)| route.clone()).collect();
    for (route, findings) in findings {
        let refused = findings.iter().any(|finding| finding.refuses);
        for finding in findings.iter().filter(|finding| finding.refuses == refused) {
            problems.push(problem(config, &route, finding, &books.ledger));
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
    (edition, problems, told)
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
    let path = finding.entry.as_deref().and_then(|id| {
        let record = ledger.get(id).or_else(|| ledger.get(&id::named(id)?));
        record?.path
    });
    let path = path.map(|path| config.articles.join(path).display().to_string());
    let document = config.feeds.join(route).display().to_string();
    let what = format!("{} ({})", finding.what, finding.rule);
    match (finding.refuses, path) {
        (true, Some(path)) => Problem::error(path, format!("makes `{document}` invalid: {what}"))
            .remedy("the document stays as it was; change the article, and please report this"),
        (true, None) => Problem::error(document, format!("is not fit to be published: {what}"))
            .remedy("it stays as it was; please report this"),
        (false, path) => Problem::info(path.unwrap_or(document), what),
    }
}
