//! Any bytes are an article, or a problem with a line that exists.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::article::{Dialect, Outcome, Source, parse};

fuzz_target!(|bytes: &[u8]| {
    let dialect = Dialect {
        zone: chrono_tz::Europe::Berlin,
        authors: std::collections::BTreeMap::new(),
        encoding: None,
    };
    let lines = bytes.iter().filter(|b| matches!(**b, b'\n' | b'\r')).count() + 1;
    for path in ["a/2024-05-01-b.md", "a/index.fr.html", "c.txt"] {
        let source = Source {
            path,
            bytes: bytes.to_vec(),
        };
        let (outcome, problems) = parse(source, &dialect);
        for problem in problems {
            assert!(problem.line.is_none_or(|line| line as usize <= lines), "{problem}");
            assert!(!problem.to_string().contains('\n'), "{problem:?}");
        }
        let Outcome::Article(article) = outcome else {
            continue;
        };
        assert!(article.body.file.get(article.body.start..).is_some());
        if let Some(title) = article.title {
            assert!(!title.text.trim().is_empty() && !title.text.contains(char::is_control));
        }
        assert!(article.tags.iter().chain(&article.categories).all(|tag| !tag.is_empty()));
        assert!(article.authors.iter().all(|author| !author.name.is_empty()));
    }
});
