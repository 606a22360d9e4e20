//! Markdown to HTML.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// `CommonMark` with tables, footnotes, strikethrough and task lists, as HTML that is not yet cleaned.
///
/// # Errors
/// If the parser panics on this input: its message.
pub fn to_html(source: &str) -> Result<String, String> {
    silenced(|| convert(source))
}

/// No more than these: with all of its extensions the parser panics on inputs of 20 bytes.
const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_HEADING_ATTRIBUTES)
    .union(Options::ENABLE_TASKLISTS);

fn convert(source: &str) -> String {
    let mut notes = Footnotes::default();
    let mut text: Vec<Event<'_>> = Vec::new();
    for event in Parser::new_ext(source, OPTIONS) {
        match event {
            Event::Start(Tag::FootnoteDefinition(name)) => notes.open.push((name, Vec::new())),
            Event::End(TagEnd::FootnoteDefinition) => notes.close(),
            Event::FootnoteReference(name) => {
                let reference = Event::InlineHtml(notes.refer(&name).into());
                notes.target(&mut text).push(reference);
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let block = Tag::CodeBlock(CodeBlockKind::Fenced(language(&info).into()));
                notes.target(&mut text).push(Event::Start(block));
            }
            Event::TaskListMarker(done) => notes
                .target(&mut text)
                .push(Event::Text(if done { "☑ " } else { "☐ " }.into())),
            event => notes.target(&mut text).push(event),
        }
    }
    name_headings(&mut text);
    let mut out = String::with_capacity(source.len() * 3 / 2);
    html::push_html(&mut out, text.into_iter());
    notes.write(&mut out);
    out
}

/// Gives each heading an id made of its words, as the generators do, so that links to it lead somewhere.
fn name_headings(events: &mut [Event<'_>]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut start = None;
    let mut words = String::new();
    for index in 0..events.len() {
        match &events[index] {
            Event::Start(Tag::Heading { .. }) => {
                start = Some(index);
                words.clear();
            }
            Event::Text(text) | Event::Code(text) if start.is_some() => words.push_str(text),
            Event::End(TagEnd::Heading(_)) => {
                let id = heading_id(&words);
                let count = seen.entry(id.clone()).or_default();
                *count += 1;
                let id = if *count == 1 {
                    id
                } else {
                    format!("{id}-{}", *count - 1)
                };
                if let Some(Event::Start(Tag::Heading { id: place, .. })) =
                    start.take().map(|start| &mut events[start])
                    && place.is_none()
                    && !id.is_empty()
                {
                    *place = Some(id.into());
                }
            }
            _ => {}
        }
    }
}

/// Letters and digits of any script in lower case, `-` for white space, nothing for the rest.
fn heading_id(words: &str) -> String {
    let lower = words.trim().chars().flat_map(char::to_lowercase);
    let kept = lower.filter(|c| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '-' | '_'));
    kept.map(|c| if c.is_whitespace() { '-' } else { c })
        .collect()
}

/// The first word of an info string: `rust,linenos` and `rust {linenos=true}` are `rust`.
fn language(info: &str) -> String {
    let first = info
        .trim_start_matches(['{', '.', ' '])
        .split([' ', ',', '{', '}', ':', ';'])
        .next()
        .unwrap_or_default();
    first
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '.' | '_' | '-'))
        .collect()
}

/// Footnotes are gathered at the end, in the order in which they are referred to.
#[derive(Default)]
struct Footnotes<'a> {
    open: Vec<(CowStr<'a>, Vec<Event<'a>>)>,
    defined: HashMap<String, Vec<Event<'a>>>,
    /// The names in order, and how often each is referred to.
    order: Vec<String>,
    references: HashMap<String, usize>,
}

impl<'a> Footnotes<'a> {
    /// Where events go now: into the definition that is open, or into the text.
    fn target<'t>(&'t mut self, text: &'t mut Vec<Event<'a>>) -> &'t mut Vec<Event<'a>> {
        self.open.last_mut().map_or(text, |(_, events)| events)
    }

    fn close(&mut self) {
        if let Some((name, events)) = self.open.pop() {
            self.defined.entry(name.to_string()).or_insert(events);
        }
    }

    fn refer(&mut self, name: &str) -> String {
        let count = self.references.entry(name.to_owned()).or_default();
        *count += 1;
        if *count == 1 {
            self.order.push(name.to_owned());
        }
        let number = self
            .order
            .iter()
            .position(|known| known == name)
            .unwrap_or_default()
            + 1;
        let id = slug(name);
        let nth = if *count == 1 {
            String::new()
        } else {
            format!("-{count}")
        };
        format!("<sup id=\"fnref-{id}{nth}\"><a href=\"#fn-{id}\">{number}</a></sup>")
    }

    fn write(mut self, out: &mut String) {
        let mut notes = String::new();
        for name in std::mem::take(&mut self.order) {
            // referred to, but defined nowhere: the parser shows such a reference as text
            let Some(mut events) = self.defined.remove(&name) else {
                continue;
            };
            let id = slug(&name);
            let back = Event::InlineHtml(format!(" <a href=\"#fnref-{id}\">↩</a>").into());
            match events.last() {
                Some(Event::End(TagEnd::Paragraph)) => events.insert(events.len() - 1, back),
                _ => events.push(back),
            }
            notes.push_str(&format!("<li id=\"fn-{id}\">"));
            html::push_html(&mut notes, events.into_iter());
            notes.push_str("</li>\n");
        }
        if !notes.is_empty() {
            out.push_str("<hr>\n<ol>\n");
            out.push_str(&notes);
            out.push_str("</ol>\n");
        }
    }
}

/// A footnote's name, as an id: letters, digits and `-` of any script.
fn slug(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect()
}

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic becomes its message, and is not printed. The hook is the process's, so it asks the thread.
pub(crate) fn silenced<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !SILENT.get() {
                before(info);
            }
        }));
    });
    let before = SILENT.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    SILENT.set(before);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        })
        .unwrap_or_else(|| "it panics".to_owned())
    })
}
