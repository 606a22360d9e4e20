//! One tag, shortcode or expression: its form, name and arguments.

/// The longest that is taken for one; what is longer is text.
pub(super) const LONGEST: usize = 2048;

/// In which form it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{{< … >}}`, `{{% … %}}`
    Shortcode,
    /// `{% … %}`
    Tag,
    /// `{{ … }}`
    Expression,
    /// `{{/* … */}}`, `{# … #}`
    Comment,
}

/// As it stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call<'t> {
    pub(super) kind: Kind,
    /// Empty if it has none: `{{ "a" | b }}`.
    pub(super) name: &'t str,
    /// All behind the name.
    pub(super) rest: &'t str,
    /// Whether the arguments stand in parentheses (Zola).
    called: bool,
    /// `{{< /name >}}`
    slashed: bool,
    /// In bytes, with its braces.
    pub(super) length: usize,
}

impl<'t> Call<'t> {
    /// Reads what `text` begins with.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let forms = [
            ("{{/*", "*/}}", Kind::Comment),
            ("{{- /*", "*/ -}}", Kind::Comment),
            ("{{<", ">}}", Kind::Shortcode),
            ("{{%", "%}}", Kind::Shortcode),
            ("{{", "}}", Kind::Expression),
            ("{%", "%}", Kind::Tag),
            ("{# ", "#}", Kind::Comment),
        ];
        let (open, close, kind) = forms
            .into_iter()
            .find(|(open, ..)| text.starts_with(open))?;
        let window = floor(text, LONGEST);
        let end = text[open.len()..window].find(close)? + open.len();
        let length = end + close.len();
        let inside = text[open.len()..end].trim_matches('-').trim();
        if kind == Kind::Comment {
            return Some(Self {
                kind,
                name: "",
                rest: "",
                called: false,
                slashed: false,
                length,
            });
        }
        let slashed = kind == Kind::Shortcode && inside.starts_with('/');
        let inside = if slashed {
            inside[1..].trim_start()
        } else {
            inside
        };
        let name_end = inside
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')))
            .unwrap_or(inside.len());
        let (name, rest) = inside.split_at(name_end);
        let starts_well = inside.starts_with(|c: char| {
            c.is_alphabetic() || matches!(c, '_' | '"' | '\'' | '.' | '$' | '(')
        });
        let one = !inside.contains("{{") && !inside.contains("{%") && !inside.contains("\n\n");
        (starts_well && one).then_some(Self {
            kind,
            name,
            called: rest.starts_with('('),
            rest,
            slashed,
            length,
        })
    }

    /// Whether it is one of these tags, in a form that has ends.
    pub(super) fn is_tag(&self, names: &[&str]) -> bool {
        self.kind != Kind::Expression && !self.slashed && names.contains(&self.name)
    }

    /// What it closes, as [`ends`](Self::ends) calls it.
    pub(super) fn closes(&self) -> Option<String> {
        match self.kind {
            Kind::Shortcode if self.slashed => Some(format!("/{}", self.name)),
            Kind::Tag if self.name.starts_with("end") => Some(self.name.to_owned()),
            _ => None,
        }
    }

    /// What would close it.
    pub(super) fn ends(&self) -> Vec<String> {
        match self.kind {
            Kind::Shortcode => vec![format!("/{}", self.name)],
            Kind::Tag if self.called => vec!["end".to_owned()],
            Kind::Tag => vec![format!("end{}", self.name)],
            _ => Vec::new(),
        }
    }

    /// As people know it, without its arguments.
    pub(super) fn shown(&self) -> String {
        let name = if self.name.is_empty() {
            "…"
        } else {
            self.name
        };
        match self.kind {
            Kind::Shortcode => format!("{{{{< {name} >}}}}"),
            Kind::Tag => format!("{{% {name} %}}"),
            _ => format!("{{{{ {name} }}}}"),
        }
    }

    /// The arguments, in order: key, if there is one, and value.
    pub(super) fn arguments(&self) -> Vec<(Option<&'t str>, String)> {
        let mut rest = self.rest.trim();
        if self.called {
            rest = rest.trim_start_matches('(').trim_end_matches(')');
        }
        let mut found = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() {
                return found;
            }
            let key_end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
            let key = key_end.filter(|end| *end > 0 && rest[*end..].starts_with('='));
            let (key, value) = match key {
                Some(end) => (Some(&rest[..end]), &rest[end + 1..]),
                None => (None, rest),
            };
            let (value, behind) = value_of(value);
            found.push((key, value));
            rest = behind;
        }
    }

    /// The argument of this name, or else the first without one.
    pub(super) fn argument(&self, name: &str) -> Option<String> {
        let arguments = self.arguments();
        let named = arguments.iter().find(|(key, _)| *key == Some(name));
        let first = || arguments.iter().find(|(key, _)| key.is_none());
        named.or_else(first).map(|(_, value)| value.clone())
    }
}

/// A value, quoted or a word, and what is behind it.
fn value_of(text: &str) -> (String, &str) {
    let quote = text
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`' | '“'));
    if let Some(quote) = quote {
        let inside = &text[quote.len_utf8()..];
        let close = if quote == '“' { '”' } else { quote };
        let mut value = String::new();
        let mut chars = inside.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if quote == '"' => value.extend(chars.next().map(|(_, c)| c)),
                c if c == close => return (value, &inside[at + c.len_utf8()..]),
                c => value.push(c),
            }
        }
        return (value, "");
    }
    let end = text
        .find(|c: char| c.is_whitespace() || c == ',')
        .unwrap_or(text.len());
    (text[..end].to_owned(), &text[end..])
}

/// A shortcode that is to be shown, not run: `{{</* name */>}}` is `{{< name >}}`.
pub(super) fn escaped(text: &str) -> Option<(String, usize)> {
    [
        ("{{</*", "*/>}}", "{{<", ">}}"),
        ("{{%/*", "*/%}}", "{{%", "%}}"),
    ]
    .into_iter()
    .find_map(|(open, close, first, last)| {
        let inside = text.strip_prefix(open)?;
        let end = inside[..floor(inside, LONGEST)].find(close)?;
        let shown = format!("{first}{}{last}", &inside[..end]);
        Some((shown, open.len() + end + close.len()))
    })
}

/// The length of Kramdown's `{: .class #id key="value"}`.
pub(super) fn attributes(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("{:")?;
    let end = inside[..floor(inside, LONGEST)].find(['}', '\n'])?;
    let inner = inside[..end].trim_start_matches(':').trim();
    let is_part = |part: &str| {
        let mut chars = part.chars();
        match chars.next() {
            Some('.' | '#') => chars.next().is_some_and(|c| c.is_alphabetic() || c == '_'),
            Some(c) if c.is_alphabetic() => {
                part == "toc" || part.contains("=\"") || part.contains("='")
            }
            // what follows a space in a quoted value
            _ => false,
        }
    };
    let first = inner.split_whitespace().next()?;
    (inside[end..].starts_with('}') && is_part(first)).then_some(2 + end + 1)
}

/// The last place at or before `at` at which a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}
