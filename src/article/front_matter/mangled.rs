//! Heads that are meant as front matter and are none: a fence with a sign too many, or with something before it. Their
//! author believes that what they say counts, so nothing of such a file may be published as text.

use super::{is_key, plain};

/// Keys that front matter has and prose has not.
const KNOWN: [&str; 24] = [
    "title",
    "date",
    "draft",
    "published",
    "publish",
    "publishdate",
    "pubdate",
    "layout",
    "permalink",
    "slug",
    "tags",
    "categories",
    "category",
    "author",
    "authors",
    "description",
    "summary",
    "status",
    "lastmod",
    "updated",
    "private",
    "weight",
    "image",
    "aliases",
];

/// Keys that keep an article from the public when they stand in a head.
const SWITCHES: [&str; 5] = ["draft", "published", "publish", "private", "dgpublish"];

/// A fence is looked for in so many lines of a text: what stands further down is shown on purpose.
const NEAR: usize = 12;

/// What is wrong with a head that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mangled {
    /// Counted from 1.
    pub(super) line: u32,
    /// What is wrong.
    pub(super) what: String,
    /// What to do.
    pub(super) remedy: &'static str,
}

/// Finds a head that is meant and cannot be read as one, in a text that has none.
pub(super) fn find(text: &str) -> Option<Mangled> {
    // other programs end lines with these
    let lines = text.split(['\n', '\u{85}', '\u{2028}', '\u{2029}']);
    let lines: Vec<&str> = lines.take(200).collect();
    let top = below_comments(&lines);
    let mut code: Option<&str> = None;
    let mut has_text = false;
    for (index, line) in lines.iter().enumerate().skip(top).take(NEAR) {
        let trimmed = line.trim_start();
        let fence = ["```", "~~~"]
            .into_iter()
            .find(|fence| trimmed.starts_with(fence));
        if code.is_some() {
            code = code.filter(|code| fence != Some(code));
            continue;
        }
        // code that is indented is shown
        if has_text && line.starts_with("    ") {
            continue;
        }
        code = fence;
        let below = &lines[index + 1..];
        let is_doubtful = has_text || is_rule(line.trim()) || is_tagged(line);
        if code.is_none() && is_like_a_fence(line) && begins_a_head(below, is_doubtful) {
            let at = u32::try_from(index + 1).unwrap_or(u32::MAX);
            return Some(mangled(line, at, &lines[..index]));
        }
        has_text |= !line.trim().is_empty();
    }
    bare(&lines).or_else(|| object(&lines))
}

/// An object of JSON that is none to the letter, at the top, with a key that keeps the article from the public.
fn object(lines: &[&str]) -> Option<Mangled> {
    let index = lines.iter().position(|line| !line.trim().is_empty())?;
    let first = lines[index].trim_start();
    let inside = first
        .strip_prefix("[")
        .unwrap_or(first)
        .trim_start()
        .strip_prefix('{')?;
    // what templates begin with
    if inside.starts_with(['{', '%', '#', ':', '/']) {
        return None;
    }
    let text = lines[index..]
        .iter()
        .take(40)
        .copied()
        .collect::<Vec<_>>()
        .join("\n");
    let head = &text[..text.find('}').unwrap_or(text.len())];
    let pairs = head.split(['{', ',', '\n']);
    let is_quote = |c: char| matches!(c, '"' | '\'' | '\u{201c}' | '\u{201d}' | '\u{201e}');
    let mut pairs = pairs.map(|pair| pair.replace(is_quote, ""));
    pairs.any(|pair| is_switch(pair.trim())).then(|| Mangled {
        line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        what: "the front matter is no JSON".to_owned(),
        remedy: "put straight quotes around keys and texts, and write no comments",
    })
}

/// Finds a second head at the top of a text that has one already: only one counts.
pub(super) fn second(body: &str) -> Option<Mangled> {
    let first = body.lines().find(|line| !line.trim().is_empty())?;
    // most texts begin with words
    let is_text =
        first.len() > 60 || !first.contains([':', '=']) && first.starts_with(char::is_alphanumeric);
    if is_text {
        return None;
    }
    let lines: Vec<&str> = body.lines().take(60).collect();
    let index = lines.iter().position(|line| !line.trim().is_empty())?;
    let (first, below) = (lines[index], &lines[index + 1..]);
    let is_head = is_like_a_fence(first) && begins_a_head(below, true) && has_switch(below);
    let is_bare = is_switch(first) && bare(&lines[index..]).is_some();
    (is_head || is_bare).then(|| Mangled {
        line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        what: "a second head follows the front matter".to_owned(),
        remedy: "put all keys between the first two fences",
    })
}

fn has_switch(below: &[&str]) -> bool {
    let run = below
        .iter()
        .take_while(|line| !line.trim().is_empty() && !is_like_a_fence(line));
    run.into_iter().any(|line| is_switch(line))
}

fn mangled(fence: &str, line: u32, above: &[&str]) -> Mangled {
    let is_fence = matches!(fence.trim_end(), "---" | "+++" | ";;;");
    let invisible = |text: &str| text.chars().any(is_invisible);
    let what = if is_fence && above.iter().any(|line| !line.trim().is_empty()) {
        "the front matter does not begin at the top of the file".to_owned()
    } else if invisible(fence) || above.iter().any(|line| invisible(line)) {
        "an invisible character stands before the front matter".to_owned()
    } else {
        format!("`{}` does not begin front matter", fence.trim_end())
    };
    Mangled {
        line,
        what,
        remedy: "make `---` alone the first line of the file",
    }
}

/// The first line below the comments of HTML at the top.
fn below_comments(lines: &[&str]) -> usize {
    let mut index = 0;
    loop {
        let is_blank = |line: &&&str| line.trim().is_empty();
        index += lines[index..].iter().take_while(is_blank).count();
        let begins = lines
            .get(index)
            .is_some_and(|line| line.trim_start().starts_with("<!--"));
        let length = lines[index..].iter().position(|line| line.contains("-->"));
        match length.filter(|_| begins) {
            Some(length) => index += length + 1,
            None => return index,
        }
    }
}

/// Key lines at the top without any fence, if they keep the article from the public: `draft: true`.
fn bare(lines: &[&str]) -> Option<Mangled> {
    let head = lines.iter().enumerate();
    // a heading may stand above them
    let mut head = head.skip_while(|(_, line)| line.trim().is_empty() || line.starts_with("# "));
    let (index, first) = head.next()?;
    let run = std::iter::once((index, first))
        .chain(head)
        .take_while(|(_, line)| is_key(visible(unlisted(line)).trim_start()));
    let mut switches = run.filter(|(_, line)| is_switch(unlisted(line)));
    let (index, line) = switches.next()?;
    Some(Mangled {
        line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        what: format!("`{}` stands in no front matter", line.trim()),
        remedy: "put lines `---` above and below the keys",
    })
}

/// A line without the mark of a list, or what Org, `AsciiDoc` and reStructuredText put before a key.
fn unlisted(line: &str) -> &str {
    let marks = ["- ", "* ", "#+", ":", "..", "? "];
    let mark = marks.iter().find_map(|mark| line.strip_prefix(mark));
    mark.unwrap_or(line)
}

/// Whether a line is a key that keeps an article from the public, with a value of its kind.
fn is_switch(line: &str) -> bool {
    let value = line.split_once([':', '=']).map_or("", |(_, value)| value);
    let value = value.trim().to_lowercase();
    let is_set = matches!(value.as_str(), "true" | "false" | "yes" | "no");
    is_set && SWITCHES.contains(&key(line).as_str()) || key(line) == "status" && value == "draft"
}

/// Whether a line is what editors, phones and people make of a fence.
fn is_like_a_fence(line: &str) -> bool {
    // some editors escape what might be a rule
    let line = line.trim_start().strip_prefix('\\').unwrap_or(line);
    let seen: String = visible(line)
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let is_dash = |c: char| {
        matches!(
            c,
            '-' | '\u{2010}'
                ..='\u{2015}'
                    | '\u{2212}'
                    | '\u{fe58}'
                    | '\u{fe63}'
                    | '\u{ff0d}'
                    | '\u{2e3a}'
                    | '\u{2e3b}'
        )
    };
    let is_row = |is: &dyn Fn(char) -> bool| seen.chars().count() > 1 && seen.chars().all(is);
    let is_long_dash = seen.chars().count() == 1 && seen.chars().all(|c| is_dash(c) && c != '-');
    let is_commented = seen.starts_with("---#") || seen.starts_with("+++#");
    is_long_dash
        || is_tagged(line)
        || is_commented
        || is_row(&is_dash)
        || is_row(&|c| matches!(c, '+' | '\u{ff0b}'))
        || is_row(&|c| c == ';')
        || is_rule(&seen)
}

/// Whether a line is a fence with a word after it, or with what a wrong encoding made of a byte order mark before it:
/// `---lua`, `ï»¿---`.
fn is_tagged(line: &str) -> bool {
    let line = line.trim();
    let marked = ["ï»¿", "&#65279;", "&#xfeff;"];
    let marked = marked.iter().find_map(|mark| line.strip_prefix(mark));
    if marked.is_some_and(|rest| matches!(rest, "---" | "+++")) {
        return true;
    }
    let tag = line
        .strip_prefix("---")
        .or_else(|| line.strip_prefix("+++"));
    tag.is_some_and(|tag| {
        let tag = tag.trim_start();
        let is_word = tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '{');
        is_word && !tag.trim_start_matches(['!', '{']).contains("  ") && tag.split(' ').count() < 8
    })
}

/// Whether a line is a rule of Markdown, or of people: no program takes it for a fence.
fn is_rule(line: &str) -> bool {
    let first = line.chars().next();
    let is_mark = first.is_some_and(|first| matches!(first, '*' | '=' | '_' | '#' | ':' | '%'));
    is_mark && line.len() > 2 && line.chars().all(|c| Some(c) == first)
}

/// Whether keys stand at once below a fence, of which one is known. A line that may be a heading's, or a rule, is doubtful:
/// there a second fence must stand after the keys, or a key that is of front matter alone.
fn begins_a_head(below: &[&str], is_doubtful: bool) -> bool {
    let mut lines = below
        .iter()
        .skip_while(|line| visible(line).trim().is_empty());
    let Some(first) = lines.next() else {
        return false;
    };
    let is_of_head = |line: &str| is_key(visible(line).trim_start());
    if visible(first).trim_start().starts_with('{') && first.contains(':') {
        return true;
    }

    if !is_of_head(first) {
        return false;
    }
    let first = std::iter::once(first);
    let run = first.chain(lines).take_while(|line| {
        let line = visible(line);
        is_of_head(&line)
            || line.starts_with([' ', '\t'])
            || line.starts_with("- ")
            || line.starts_with('#') && !is_rule(line.trim())
    });
    let run: Vec<&&str> = run.collect();
    let is_known = run.iter().any(|line| KNOWN.contains(&key(line).as_str()));
    let skipped = below
        .iter()
        .take_while(|line| visible(line).trim().is_empty())
        .count();
    let is_closed = below
        .get(skipped + run.len())
        .is_some_and(|line| is_like_a_fence(line));
    let is_switched = run
        .iter()
        .any(|line| is_switch(line) || key(line) == "layout");
    is_known && (!is_doubtful || is_closed || is_switched)
}

/// The key of a line, without case, `-` and `_`.
fn key(line: &str) -> String {
    let line = visible(line);
    let key = line.split([':', '=']).next().unwrap_or_default();
    plain(key.trim().trim_matches(['"', '\'']))
}

fn visible(line: &str) -> String {
    line.chars().filter(|c| !is_invisible(*c)).collect()
}

/// Characters that nobody sees: zero-width spaces and joiners, byte order marks, marks of direction, soft hyphens.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\0'..='\u{8}')
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn what_is_meant_as_a_head_is_found() {
        for (text, line) in [
            ("\u{2014}\ntitle: A\ndraft: true\n\u{2014}\nText", 1),
            (
                "\u{2013}\u{2013}\u{2013}\ntitle: A\n\u{2013}\u{2013}\u{2013}\n",
                1,
            ),
            ("----\ntitle: A\n----\nText", 1),
            ("--\ntitle: A\n--\nText", 1),
            (" ---\ntitle: A\n---\nText", 1),
            ("\t---\ndraft: true\n---\nText", 1),
            ("\u{200b}---\ntitle: A\n---\nText", 1),
            ("\u{feff}---\ntitle: A\n---\nText", 1),
            ("\u{2060}+++\ntitle = \"A\"\n+++\nText", 1),
            ("++++\ndraft = true\n++++\nText", 1),
            ("- - -\ntitle: A\n- - -\nText", 1),
            ("--- # the head\ntitle: A\n---\nText", 1),
            ("<!-- lint -->\n---\ntitle: A\n---\nText", 2),
            ("<!--\nlint\n-->\n\n---\ntitle: A\n---\nText", 5),
            ("q\n---\ntitle: A\ndraft: true\n---\nText", 2),
            ("# A heading\n\n---\nlayout: post\n---\nText", 3),
            ("\u{ff0d}\u{ff0d}\u{ff0d}\ntitle: A\n", 1),
            ("----\n{title: A, draft: true}\n----\n", 1),
            ("draft: true\n\nText", 1),
            ("# My title\ndraft: true\n\nText", 2),
            ("status: draft\n\nText", 1),
            ("\\---\ntitle: A\n\\---\nText", 1),
            (
                "<!--\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n-->\n---\ntitle: A\n---\nText",
                16,
            ),
            ("layout: post\ndraft: true\n---\nText", 2),
            ("===\ntitle: A\ndraft: true\n===\nText", 1),
            ("***\ntitle: A\n***\nText", 1),
            ("___\ntitle: A\nstatus: draft\n\nText", 1),
            ("###\ntitle: A\n###\nText", 1),
            ("- title: A\n- draft: true\n\nText", 2),
            (";;;;\n\"title\": \"A\"\n;;;;\nText", 1),
            ("---lua\ntitle: A\ndraft: true\n---\nText", 1),
            ("---YAML\ntitle: A\n---\nText", 1),
            ("+++toml\ntitle = \"A\"\n+++\nText", 1),
            ("--- !!map\ntitle: A\n---\nText", 1),
            ("ï»¿---\ntitle: A\n---\nText", 1),
            ("\u{85}---\u{85}title: A\u{85}---\u{85}Text", 2),
            ("{'title': 'A', 'draft': true}\nText", 1),
            ("{title: \"A\", draft: true}\nText", 1),
            (" {\n\"title\": \"A\",\n\"draft\": true\n}\nText", 1),
            ("[{\"title\": \"A\", \"draft\": true}]\nText", 1),
            (
                "{\u{201c}title\u{201d}: \u{201c}A\u{201d}, \u{201c}draft\u{201d}: true}\nText",
                1,
            ),
            ("#+DRAFT: true\n\nText", 1),
            (":status: draft\n\nText", 1),
        ] {
            assert_eq!(find(text).map(|found| found.line), Some(line), "{text:?}");
        }
    }

    #[test]
    fn what_is_text_stays_text() {
        for text in [
            "---\n\nJust a rule first: the quay is open.\n\n---\n\nMore.",
            "A heading\n---------\nNote: this is text.",
            "Text\n\n---\n\nTo be continued: tomorrow.",
            "Concert in the park\n-------------------\nDate: 3 May 2026\nPlace: the quay\n\nCome all.",
            "Release 2.0\n===========\n\nSummary\n-------\nAuthor: Ann",
            "# Big news\n\n---\n\nAuthor: Jane Doe\n\nText",
            "Text.\n\n--\nAuthor: Ann",
            "```yaml\n---\ntitle: X\ndraft: true\n---\n```\n",
            "~~~\n---\ntitle: X\n---\n~~~\n",
            "draft: a first version of this text\n\nText",
            "Note: the draft is true",
            "\u{2014} Ann, in a letter\n\ntitle of nothing",
            "***\nDate: 3 May 2026\n\nCome all.",
            "--- and then: nothing\nMore text: of this kind.",
            "{Curly} words begin this text: draft, and true.",
            "Text.\n\n    ---\n    title: A\n    draft: true\n    ---\n\nMore.",
            "===\n\nText",
            "- title: the name of a book\n- author: who wrote it\n\nText",
            "",
            "----",
        ] {
            assert_eq!(find(text), None, "{text:?}");
        }
    }
}
