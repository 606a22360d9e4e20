//! Any text, as Markdown and as HTML, comes out of its templates, its markup and the cleaning as something that is safe,
//! absolute, and clean already.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::article::template::{Around, expand};
use tidings::article::{Markup, markdown};
use tidings::html::{Surroundings, census, clean, references};
use url::Url;

fuzz_target!(|text: &str| {
    let base = Url::parse("https://example.org/a/b/").unwrap();
    let resolve = |reference: &str| base.join(reference).ok().map(String::from);
    let surroundings = Surroundings {
        base: &base,
        prefix: "a1-",
        resolve: &resolve,
    };
    let find = |name: &str| (name.len() % 2 == 0).then(|| "https://example.org/x/".to_owned());
    let around = Around {
        find: &find,
        base: "https://example.org/a/",
    };
    for markup in [Markup::Markdown, Markup::Html] {
        let (text, dropped) = expand(text, markup, &around);
        assert!(dropped.iter().all(|dropped| dropped.at <= text.len().max(usize::MAX / 2)));
        let html = match markup {
            Markup::Markdown => markdown::to_html(&text).unwrap_or_default(),
            _ => text,
        };
        let once = clean(&html, &surroundings);
        assert_eq!(clean(&once, &surroundings), once);
        let found = census(&once);
        for element in ["<script>", "<style>", "<iframe>", "<object>", "<form>", "<svg>", "<base>"] {
            assert!(!found.contains_key(element), "{element} in {once}");
        }
        assert!(!found.keys().any(|name| name.starts_with("on") && name.ends_with('=')), "{once}");
        for url in references(&once) {
            let url = Url::parse(&url).expect("absolute");
            assert!(["http", "https", "mailto", "tel", "data"].contains(&url.scheme()), "{url}");
        }
    }
});
