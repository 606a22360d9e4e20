//! Whether an article is for the public: its switches fail closed.

use super::Keys;
use crate::article::Visibility;
use crate::article::front_matter::Value;

impl Keys<'_> {
    /// `None` if a switch cannot be understood: nothing may be published then.
    pub(in crate::article) fn visibility(&mut self) -> Option<Visibility> {
        let mut draft = false;
        let mut clear = true;
        for (key, means) in [
            ("draft", true),
            ("isdraft", true),
            ("published", false),
            ("render", false),
            ("unlisted", true),
        ] {
            let Some((line, value)) = self.head.get(key) else {
                continue;
            };
            match switch(value) {
                Some(value) => {
                    if value == means {
                        self.note("state", key, line);
                    }
                    draft |= value == means;
                }
                // a date, read elsewhere
                None if key == "published"
                    && value
                        .text()
                        .is_some_and(|text| text.contains(|c: char| c.is_ascii_digit())) => {}
                // Hugo's and Jekyll's `render` knows words of its own
                None if key == "render" && matches!(value, Value::Text(_)) => {}
                None => {
                    clear = false;
                    let shown = value
                        .text()
                        .map_or_else(|| value.kind().to_owned(), |text| format!("`{text}`"));
                    let remedy =
                        "write `true` or `false`; nothing of the file is published until then";
                    self.wrong(
                        line,
                        format!("`{key}` is {shown}, which is neither true nor false"),
                        remedy,
                    );
                }
            }
        }
        // Eleventy: no page is written
        let unwritten = |(_, value): (u32, &Value)| *value == Value::Bool(false);
        if let Some((line, _)) = self.head.get("permalink").filter(|found| unwritten(*found)) {
            self.note("state", "permalink", line);
            draft = true;
        }
        if let Some((line, value)) = self.head.get("status") {
            let status = value.text().unwrap_or_default().to_lowercase();
            if ["draft", "private", "hidden", "skip", "pending", "trash"].contains(&status.trim()) {
                self.note("state", "status", line);
                draft = true;
            }
        }
        clear.then(|| {
            if draft {
                Visibility::Draft
            } else {
                self.in_feeds()
            }
        })
    }

    fn in_feeds(&mut self) -> Visibility {
        let switches = [
            ("feed", false),
            ("rss", false),
            ("rss.exclude", true),
            ("disablefeed", true),
            ("feedexclude", true),
            ("excludefromfeed", true),
            ("hiddeninrss", true),
            ("showonrssfeed", false),
            ("includeinfeeds", false),
            ("eleventyexcludefromcollections", true),
        ];
        let out = switches.iter().find_map(|(key, means)| {
            let (line, value) = self.head.get(key)?;
            (switch(value) == Some(*means)).then_some((*key, line))
        });
        if let Some((key, line)) = out {
            self.note("state", key, line);
            Visibility::PageOnly
        } else {
            Visibility::Public
        }
    }
}

/// A boolean, or what people write for one.
pub(super) fn switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        value => match value.text()?.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "y" => Some(true),
            "false" | "no" | "off" | "0" | "n" => Some(false),
            _ => None,
        },
    }
}
