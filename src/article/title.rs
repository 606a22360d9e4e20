//! The title of an article that declares none.

use super::words::{cut, folded};
use super::{Body, Markup, Title, TitleFrom, date, location, markdown, template, text};
use crate::html;

/// A text that is longer than this has a title; a shorter one is a note.
const NOTE: usize = 280;

/// A title made of the first sentence has at most so many characters.
const SENTENCE: usize = 80;

/// Finds a title; a headline of plain text is taken out of `body`.
pub(super) fn find(path: &str, page_title: Option<String>, body: &mut Body) -> Option<Title> {
    let source = without_templates(body);
    let html = match body.markup {
        Markup::Markdown => markdown::to_html(&source).unwrap_or_default(),
        Markup::Html => html::content(&source).to_owned(),
        Markup::Text => String::new(),
    };
    let title = |from| move |text: String| Title { text, from };
    html::first_heading(&html)
        .map(|text| folded(&text))
        .filter(|text| !text.is_empty())
        .map(title(TitleFrom::Heading))
        .or_else(|| {
            page_title
                .map(|text| folded(&text))
                .filter(|text| !text.is_empty())
                .map(title(TitleFrom::Page))
        })
        .or_else(|| {
            (body.markup == Markup::Text)
                .then(|| headline(body))
                .flatten()
                .map(title(TitleFrom::Line))
        })
        .or_else(|| file_name(path).map(title(TitleFrom::FileName)))
        .or_else(|| {
            let html = if body.markup == Markup::Text {
                text::to_html(&body.shown())
            } else {
                html
            };
            first_sentence(&html).map(title(TitleFrom::Sentence))
        })
}

/// Whether nothing is left of a text when its templates are taken out.
pub(super) fn is_blank(body: &Body) -> bool {
    without_templates(body).trim().is_empty()
}

/// The text without templates: where they lead does not matter to a title.
fn without_templates(body: &Body) -> String {
    let source = body.shown();
    if !template::is_in(&source) {
        return source.into_owned();
    }
    let around = template::Around {
        find: &|_| Some(String::new()),
        base: "/",
    };
    template::expand(&source, body.markup, &around).0
}

/// A first line that reads as a headline: at most 120 characters, no end of a sentence, and a blank line behind it.
fn headline(body: &mut Body) -> Option<String> {
    let mut lines = body.source().split_inclusive('\n');
    let first = lines.next()?;
    let behind = lines.next()?;
    let text = folded(first);
    let sentence = text.ends_with(['.', '!', '?', '…', ':', ';', ',', '。', '！', '？']);
    // what is hidden may go on below
    let is_hidden = first.contains("<!--") || behind.contains("<!--");
    if text.is_empty()
        || is_hidden
        || text.chars().count() > 120
        || sentence
        || !behind.trim().is_empty()
        || lines.next().is_none()
    {
        return None;
    }
    let taken = first.len() + behind.len();
    body.start += taken;
    body.line += 2;
    Some(text)
}

/// The name of the file, if it consists of words.
fn file_name(path: &str) -> Option<String> {
    let stem = location::stem(path);
    let name = location::name(location::without_language(&stem));
    let name = location::without_date(name);
    let words = folded(&name.replace(['-', '_', '+'], " "));
    let letters = words.chars().filter(|c| c.is_alphabetic()).count();
    let digits = words.chars().filter(char::is_ascii_digit).count();
    let wordy = words
        .split(' ')
        .any(|word| word.chars().filter(|c| c.is_alphabetic()).count() >= 2);
    let hash = !words.contains(' ')
        && words.len() >= 7
        && digits > 0
        && words.chars().all(|c| c.is_ascii_hexdigit());
    if !wordy || hash || digits > letters || date::in_path(&words).is_some() {
        return None;
    }
    let mut chars = words.chars();
    let first = chars.next()?;
    Some(first.to_uppercase().chain(chars).collect())
}

/// The first sentence of a long text, cut at a word.
fn first_sentence(html: &str) -> Option<String> {
    let all = folded(&html::text(html));
    if all.chars().count() <= NOTE {
        return None;
    }
    let end = all
        .char_indices()
        .zip(all.chars().skip(1))
        .find_map(|((at, c), next)| {
            let ends = matches!(c, '.' | '!' | '?') && next.is_whitespace()
                || matches!(c, '。' | '！' | '？');
            ends.then(|| at + c.len_utf8())
        });
    let sentence = &all[..end.unwrap_or(all.len())];
    let short = cut(sentence, SENTENCE);
    let text = if short == sentence {
        short.trim_end_matches('.').to_owned()
    } else {
        short
    };
    Some(text).filter(|text| !text.is_empty())
}
