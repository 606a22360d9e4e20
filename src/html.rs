//! The feed's HTML: one pass over every body, since readers, mail gateways and aggregators are no browsers.
//!
//! First the tokens are rewritten (`pass`): what is not for readers goes, addresses become absolute, tags become
//! well nested, depth is capped. Then a library made for it sanitises the result (`sanitise`), unless it can have
//! nothing to do, since what came in was written plainly (`tokens`) and was well nested. What comes out holds
//! only what the W3C Feed Validator accepts, and is a fixed point of both.

use url::Url;

mod pass;
mod pieces;
mod sanitise;
mod tags;
mod tokens;
mod urls;

pub use pieces::census;
pub use pieces::{content, first_heading, first_paragraph, text, without_heading};
pub use urls::references;

/// What the pass needs to know of the article around the HTML.
pub struct Surroundings<'a> {
    /// The article's URL: `#fragment` becomes this and the fragment.
    pub base: &'a Url,
    /// Put before ids of footnotes, so that two articles shown together do not share them; `[a-z0-9-]`, ends in `-`.
    pub prefix: &'a str,
    /// Any reference that is neither a fragment nor absolute, as written (entities decoded, trimmed), to its
    /// absolute URL; `None` if there is none.
    pub resolve: &'a dyn Fn(&str) -> Option<String>,
}

/// How often HTML that is badly nested is gone over before only its text is taken.
const ROUNDS: usize = 6;

/// Makes `html` (a fragment) safe, absolute and well nested.
///
/// Idempotent: `clean(clean(x)) == clean(x)` in the same surroundings.
#[must_use]
pub fn clean(html: &str, around: &Surroundings<'_>) -> String {
    let (mut cleaned, mut plain) = once(html, around);
    for _ in 0..ROUNDS {
        // what was well nested when the tokens were written is a fixed point; anything else must prove it
        if plain {
            return cleaned;
        }
        let (again, _) = once(&cleaned, around);
        plain = again == cleaned;
        cleaned = again;
    }
    if plain {
        cleaned
    } else {
        pieces::paragraph(&text(&cleaned))
    }
}

fn once(html: &str, around: &Surroundings<'_>) -> (String, bool) {
    let rewritten = pass::rewrite(html, around);
    if !(rewritten.is_plain && rewritten.is_nested) {
        return (sanitise::sanitise(&rewritten.html), rewritten.is_nested);
    }
    // elements and attributes that are listed, and text that is escaped: the sanitiser would change nothing in it
    debug_assert_eq!(rewritten.html, sanitise::sanitise(&rewritten.html));
    debug_assert_eq!(rewritten.html, pass::rewrite_any(html, around).html);
    (rewritten.html, true)
}
