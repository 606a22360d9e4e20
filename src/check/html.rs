//! The HTML in a feed: nothing that a reader must not run or cannot resolve, and nothing that a parser has to mend.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::sync::{LazyLock, Mutex, PoisonError};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::{ENOUGH, Findings, shown};

type Words = LazyLock<HashSet<&'static str>>;

fn words(text: &'static str) -> HashSet<&'static str> {
    text.split_whitespace().collect()
}

/// Elements that the validator accepts.
static ELEMENTS: Words = LazyLock::new(|| {
    words(
        "a abbr acronym address area article aside audio b bdi big blockquote br button canvas caption center cite \
    code col colgroup data dd del details dfn dialog dir div dl dt em fieldset figcaption figure footer font form header h1 h2 h3 \
    h4 h5 h6 hgroup hr i img input ins kbd label legend li main map mark menu meter nav ol output optgroup option p picture pre \
    progress q rp rt ruby s samp section select small source span strike strong sub summary sup table tbody td textarea time tfoot \
    th thead tr track tt u ul var video wbr",
    )
});

/// Elements of HTML that may do harm.
static RISKY: Words = LazyLock::new(|| {
    words(
        "script style link meta base iframe object embed applet frame frameset noscript template title param body html \
    head xmp plaintext listing noframes basefont isindex slot",
    )
});

/// Attributes that the validator accepts, as far as elements of articles have them.
static ATTRIBUTES: Words = LazyLock::new(|| {
    words(
        "abbr align alt axis border cellpadding cellspacing char charoff charset checked cite class clear color cols \
    colspan compact coords crossorigin data datetime decoding default dir disabled download face for headers height hidden href \
    hreflang hspace id ismap itemid itemprop itemref itemscope itemtype kind label lang loading loop longdesc low max media min \
    multiple muted name nohref noshade nowrap open optimum placeholder playsinline poster preload referrerpolicy rel rev reversed \
    rows rowspan rules scope selected shape size sizes span src srclang srcset start summary tabindex target title translate type \
    usemap valign value vspace width wrap",
    )
});

static VOID: Words =
    LazyLock::new(|| words("area base br col embed hr img input link meta param source track wbr"));

/// Attributes that hold an address.
const ADDRESSES: [&str; 6] = ["href", "src", "poster", "cite", "data", "longdesc"];

/// HTML in which nothing was found, by its hash: three formats show the same, and the next edition shows most of it again.
static FIT: Mutex<BTreeSet<[u8; 32]>> = Mutex::new(BTreeSet::new());
/// So much of it is remembered, a few megabytes at most.
const MANY: usize = 1 << 16;

/// Checks the HTML of one element.
pub(super) fn check(html: &str, element: &str, findings: &mut Findings) {
    if is_plainly_fit(html) {
        debug_assert_eq!(found(html, element), []);
        return;
    }
    let hash = *blake3::hash(html.as_bytes()).as_bytes();
    // a set is whole whatever its holder did
    let fit = || FIT.lock().unwrap_or_else(PoisonError::into_inner);
    if fit().contains(&hash) {
        return;
    }
    let before = findings.found.len();
    read(html, element, findings);
    if findings.found.len() == before && before < ENOUGH {
        let mut fit = fit();
        if fit.len() >= MANY {
            fit.clear();
        }
        fit.insert(hash);
    }
}

/// Whether `html` is written in the one form in which serialisers write it, and holds nothing but what is listed and does no
/// harm: in that, [`read`] finds nothing. Most HTML is such, and is read many times faster here.
fn is_plainly_fit(html: &str) -> bool {
    let mut open = Vec::new();
    let mut pieces = html.split('<');
    pieces.next().is_none_or(is_plain_text)
        && pieces.all(|piece| {
            // inside of a tag there is no other `>`: it is written by name
            let Some((tag, text)) = piece.split_once('>') else {
                return false;
            };
            let fits = match tag.strip_prefix('/') {
                Some(name) => open.pop() == Some(name),
                None => is_plain_tag(tag, &mut open),
            };
            fits && is_plain_text(text)
        })
        && open.is_empty()
}

fn is_plain_tag<'t>(tag: &'t str, open: &mut Vec<&'t str>) -> bool {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let pair = rest.split_once("=\"");
        let pair = pair.and_then(|(key, rest)| Some((key, rest.split_once('"')?)));
        let Some((key, (value, behind))) = pair else {
            return false;
        };
        let is_harmless = match key {
            "style" => is_plain_style(value),
            "srcset" => false,
            key if ADDRESSES.contains(&key) => ["http://", "https://", "mailto:", "tel:"]
                .iter()
                .any(|scheme| value.starts_with(scheme)),
            key => ATTRIBUTES.contains(key),
        };
        let ends = behind.is_empty() || behind.starts_with(' ');
        if !(is_harmless && ends && is_plain_text(value)) || seen.contains(&key) {
            return false;
        }
        seen.push(key);
        rest = behind.trim_start_matches(' ');
    }
    if !VOID.contains(name) {
        open.push(name);
    }
    ELEMENTS.contains(name) && !RISKY.contains(name)
}

fn is_plain_text(text: &str) -> bool {
    let references = ["amp;", "lt;", "gt;", "quot;", "nbsp;"];
    let is_known = |at| {
        references
            .iter()
            .any(|name| text[at + 1..].starts_with(name))
    };
    text.bytes()
        .all(|b| b >= b' ' || matches!(b, b'\n' | b'\t'))
        && memchr::memchr_iter(b'&', text.as_bytes()).all(is_known)
}

fn found(html: &str, element: &str) -> Vec<super::Finding> {
    let mut findings = Findings::default();
    read(html, element, &mut findings);
    findings.found
}

fn read(html: &str, element: &str, findings: &mut Findings) {
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(html));
    let sink = Judge {
        element,
        state: RefCell::new(State {
            findings: std::mem::take(findings),
            open: Vec::new(),
        }),
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let state = tokenizer.sink.state.into_inner();
    *findings = state.findings;
    if let Some(open) = state.open.last() {
        findings.add(
            "NotHtml",
            format!("`<{open}>` in `<{element}>` is never closed"),
        );
    }
}

struct Judge<'a> {
    element: &'a str,
    state: RefCell<State>,
}

struct State {
    findings: Findings,
    open: Vec<String>,
}

impl TokenSink for Judge<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let state = &mut *self.state.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => self.start(&tag, state),
            Token::TagToken(tag) => {
                let name: &str = &tag.name;
                if state.open.last().is_some_and(|open| open == name) {
                    state.open.pop();
                } else {
                    state.findings.add(
                        "NotHtml",
                        format!(
                            "`</{name}>` in `<{}>` ends nothing that is open there",
                            self.element
                        ),
                    );
                }
            }
            Token::ParseError(error) => state.findings.add(
                "NotHtml",
                format!("the HTML in `<{}>`: {error}", self.element),
            ),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Judge<'_> {
    fn start(&self, tag: &Tag, state: &mut State) {
        let name: &str = &tag.name;
        let inside = self.element;
        if RISKY.contains(name) {
            state
                .findings
                .add("SecurityRisk", format!("`<{inside}>` holds `<{name}>`"));
        } else if !ELEMENTS.contains(name) {
            state.findings.add(
                "NotHtml",
                format!("`<{inside}>` holds `<{name}>`, which is no HTML"),
            );
        }
        for attribute in &tag.attrs {
            let (key, value): (&str, &str) = (&attribute.name.local, &attribute.value);
            if key == "style" {
                state
                    .findings
                    .expect(is_plain_style(value), "DangerousStyleAttr", || {
                        format!(
                            "`<{name}>` in `<{inside}>` has the style `{}`",
                            shown(value)
                        )
                    });
            } else if !key.starts_with("data-") && !ATTRIBUTES.contains(key) {
                state.findings.add(
                    "SecurityRiskAttr",
                    format!(
                        "`<{name}>` in `<{inside}>` has the attribute `{}`",
                        shown(key)
                    ),
                );
            }
            if ADDRESSES.contains(&key) {
                address(name, key, value, inside, &mut state.findings);
            } else if key == "srcset" {
                value
                    .split(", ")
                    .filter_map(|candidate| candidate.split_whitespace().next())
                    .for_each(|url| address(name, key, url, inside, &mut state.findings));
            }
        }
        if !VOID.contains(name) {
            state.open.push(name.to_owned());
        }
    }
}

fn address(tag: &str, key: &str, value: &str, inside: &str, findings: &mut Findings) {
    let scheme = value
        .trim()
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let absolute = scheme.as_deref().is_some_and(|s| {
        !s.is_empty()
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    if !absolute {
        return findings.add(
            "ContainsRelRef",
            format!(
                "`<{tag}>` in `<{inside}>` has a relative `{key}=\"{}\"`",
                shown(value)
            ),
        );
    }
    let safe = matches!(scheme.as_deref(), Some("http" | "https" | "mailto" | "tel"))
        || value.trim().to_ascii_lowercase().starts_with("data:image/");
    findings.expect(safe, "SecurityRiskAttr", || {
        format!("`<{tag}>` in `<{inside}>` has `{key}=\"{}\"`", shown(value))
    });
}

/// Nothing but how text is aligned.
fn is_plain_style(style: &str) -> bool {
    style
        .split(';')
        .filter(|declaration| !declaration.trim().is_empty())
        .all(|declaration| {
            let (property, value) = declaration.split_once(':').unwrap_or_default();
            property.trim() == "text-align"
                && ["left", "right", "center", "justify", "start", "end"].contains(&value.trim())
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::extent::cases;

    use super::*;

    /// HTML that is fit, and HTML that nearly is.
    fn html() -> impl Strategy<Value = String> {
        let text = prop::sample::select(vec![
            "t",
            " ",
            "t &gt; &lt; &nbsp;",
            "&amp;",
            "é",
            "\n",
            "\u{fffe}",
            "<br>",
            "<img src=\"https://example.org/a.png\" alt=\"\">",
            ">",
            "\"",
            "]]>",
            "t",
            " ",
            "&",
            "&copy;",
            "\u{0}",
            "\u{1}",
            "<",
            "<br/>",
            "</br>",
            "<!-- c -->",
            "<P>",
            "<![CDATA[x]]>",
            "<img src=\"a.png\">",
            "</p>",
            "<p",
        ]);
        let element = prop::sample::select(vec![
            "p",
            "p",
            "em",
            "em",
            "blockquote",
            "li",
            "a href=\"https://example.org/?a=1&amp;b=2\"",
            "em title=\"x\" lang=\"de\"",
            "code class=\"language-c\"",
            "p  id=\"x\" ",
            "a href=\"mailto:ann@example.org\"",
            "a href=\"x\"",
            "a href=\"javascript:x\"",
            "em title=\"x\" title=\"y\"",
            "em title=\"x>y\"",
            "em title=\"x<y\"",
            "em title=\"&\"",
            "em title=\"a\"lang=\"de\"",
            "em title='x'",
            "em title",
            "p style=\"text-align:left\"",
            "p onclick=\"x\"",
            "p style=\"x:y\"",
            "P",
            "script",
            "title",
            "textarea",
            "svg",
            "br",
            "x-y",
            "p/",
            "em =\"x\"",
            "em title =\"x\"",
        ]);
        let leaf = text.prop_map(str::to_owned);
        leaf.prop_recursive(4, 16, 4, move |inner| {
            let inside = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
            (element.clone(), inside).prop_map(|(element, inside)| {
                let name = element.split(' ').next().unwrap_or(element);
                format!("<{element}>{inside}</{name}>")
            })
        })
    }

    proptest! {
        #![proptest_config(cases(5_000, 50_000))]

        #[test]
        fn nothing_is_found_in_what_is_plainly_fit(html in html()) {
            if is_plainly_fit(&html) {
                prop_assert_eq!(found(&html, "content"), []);
            }
        }
    }

    #[test]
    fn most_html_is_plainly_fit_and_some_is_not() {
        for html in [
            "",
            "words &amp; é",
            "<p>a<br>b</p>\n<p><a href=\"https://example.org/?a=1&amp;b=2\" title=\"t\">l</a></p>",
            "<table><thead><tr><th align=\"right\">1</th></tr></thead></table>",
        ] {
            assert!(is_plainly_fit(html), "{html}");
        }
        for html in [
            "<p>",
            "</p>",
            "<p></P>",
            "<br/>",
            "&",
            "&copy;",
            "<p class=x></p>",
            "<p class=\"x\"id=\"y\"></p>",
            "<p class=\"x\" class=\"x\"></p>",
            "<p title=\"a>b\"></p>",
            "<a href=\"/x\"></a>",
            "<p onclick=\"x\"></p>",
            "<script></script>",
            "<!-- c -->",
            "<p title=\"&\"></p>",
        ] {
            assert!(!is_plainly_fit(html), "{html}");
        }
    }
}
