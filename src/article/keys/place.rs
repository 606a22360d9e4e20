//! Where an article is on the web.

use url::Url;

use super::{Keys, Separators};
use crate::article::location;

impl Keys<'_> {
    /// Zola's `path` names the folder of a page.
    pub(in crate::article) fn url(&mut self) -> Option<String> {
        let declared = self.text("url", &["url", "permalink"]);
        let declared = declared.filter(|url| !matches!(url.as_str(), "true" | "false"));
        let declared = declared.and_then(|url| self.filled(&url));
        let url = declared.or_else(|| {
            let path = self.text("url", &["path"])?;
            Some(
                if path.ends_with('/') || path.to_ascii_lowercase().ends_with(".html") {
                    path
                } else {
                    path + "/"
                },
            )
        });
        url.filter(|url| self.is_safe("url", url))
    }

    /// A URL in which the values of a template are filled in, as far as they are known here.
    fn filled(&mut self, url: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = url;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (name, after) = behind.split_once("}}").unwrap_or((behind, ""));
            out.push_str(before);
            let Some(value) = self.value(name) else {
                let line = self
                    .head
                    .get("url")
                    .or_else(|| self.head.get("permalink"))
                    .map_or(1, |e| e.0);
                let what = format!("`{{{{{name}}}}}` in the URL cannot be filled in");
                self.wrong(line, what, "write the URL out; the key is ignored");
                return None;
            };
            out.push_str(&value);
            rest = after;
        }
        Some(out + rest)
    }

    /// What Eleventy's permalinks are made of most often.
    fn value(&mut self, name: &str) -> Option<String> {
        let stem = location::stem(self.path).into_owned();
        let file = location::without_date(location::name(&stem)).to_owned();
        let mut filters = name.split('|').map(str::trim);
        let value = match filters.next()? {
            "page.fileSlug" => file,
            "page.filePathStem" => format!("/{stem}"),
            "title" => self.title()?,
            "slug" => self.slug()?,
            _ => return None,
        };
        match filters.next() {
            None => Some(value),
            Some("slug" | "slugify") => crate::site::slug::slug(&deunicode::deunicode(&value)),
            Some(_) => None,
        }
    }

    pub(in crate::article) fn slug(&mut self) -> Option<String> {
        self.text("slug", &["slug"])
    }

    pub(in crate::article) fn canonical(&mut self) -> Option<String> {
        let canonical = self.text("canonical", &["canonicalurl", "canonical"]);
        canonical.filter(|url| self.is_safe("canonical_url", url))
    }

    pub(in crate::article) fn link(&mut self) -> Option<String> {
        let link = self.text("link", &["link"]);
        link.filter(|url| self.is_safe("link", url))
    }

    pub(in crate::article) fn external_url(&mut self) -> Option<String> {
        let url = self.text("external", &["externalurl", "linkurl", "linkto"])?;
        if web(&url) {
            return Some(url);
        }
        self.refuse_url("external_url", &url);
        None
    }

    fn is_safe(&mut self, key: &str, url: &str) -> bool {
        // what does not parse by itself is relative
        let safe = if Url::parse(url).is_ok() {
            web(url)
        } else {
            !url.contains(['<', '>', '"']) && !url.starts_with("//")
        };
        if !safe {
            self.refuse_url(key, url);
        }
        safe
    }

    fn refuse_url(&mut self, key: &str, url: &str) {
        let line = self
            .head
            .entries
            .iter()
            .find(|(_, _, value)| value.text().is_some_and(|text| text == url))
            .map_or(1, |e| e.1);
        let what = format!("`{key}` is `{url}`, which is no address on the web");
        self.wrong(
            line,
            what,
            "write it like `https://example.org/page/`; the key is ignored",
        );
    }

    pub(in crate::article) fn aliases(&mut self) -> Vec<String> {
        self.list(
            "aliases",
            &["aliases", "redirectfrom", "alias"],
            Separators::None,
        )
    }
}

pub(super) fn web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
    })
}
