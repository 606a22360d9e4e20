//! References to the site itself, as they are on a page: relative.

use crate::site::Site;

/// A URL as a page so deep refers to it; `root` is empty or ends in `/`.
pub(super) fn reference(url: &str, site: &Site, root: &str) -> String {
    match url.strip_prefix(site.base.as_str()) {
        Some(below) if root.is_empty() && below.is_empty() => "./".to_owned(),
        Some(below) => format!("{root}{below}"),
        None => url.to_owned(),
    }
}

/// Clean HTML with the URLs of its links and media made relative where they are the site's own. It was written by our
/// sanitiser: text holds no `<`, and values stand in double quotes.
pub(super) fn content(html: &str, site: &Site, root: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        rest = tag_into(&mut out, tag, site, root);
    }
    out.push_str(rest);
    out
}

/// Copies one tag; what stands behind it.
fn tag_into<'h>(out: &mut String, tag: &'h str, site: &Site, root: &str) -> &'h str {
    let mut rest = tag;
    while let Some(at) = rest.find(['"', '>']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        if let Some(behind) = found.strip_prefix('>') {
            out.push('>');
            return behind;
        }
        let Some(end) = found[1..].find('"') else {
            break;
        };
        let value = &found[1..=end];
        out.push('"');
        let name = before.trim_end_matches('=').rsplit(' ').next();
        match name.unwrap_or_default() {
            "href" | "src" | "poster" | "cite" => out.push_str(&reference(value, site, root)),
            "srcset" => {
                let candidates = value.split(", ").map(|one| reference(one, site, root));
                out.push_str(&candidates.collect::<Vec<_>>().join(", "));
            }
            _ => out.push_str(value),
        }
        out.push('"');
        rest = &found[end + 2..];
    }
    out.push_str(rest);
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let text = "base_url = \"https://a.example/b/\"";
        let raw = crate::config::Raw::parse(text, "t").unwrap();
        crate::config::Config::resolve(&raw, "t", std::path::Path::new("."))
            .unwrap()
            .site
    }

    #[test]
    fn only_the_urls_of_the_site_become_relative() {
        for (html, expected) in [
            (
                "<a href=\"https://a.example/b/c/\">x</a>",
                "<a href=\"../c/\">x</a>",
            ),
            (
                "<a href=\"https://a.example/other\">x</a>",
                "<a href=\"https://a.example/other\">x</a>",
            ),
            (
                "a=\"https://a.example/b/\" <i>=\"https://a.example/b/\"</i>",
                "a=\"https://a.example/b/\" <i>=\"https://a.example/b/\"</i>",
            ),
            (
                "<img alt=\"src=&quot;https://a.example/b/\" src=\"https://a.example/b/x.png\">",
                "<img alt=\"src=&quot;https://a.example/b/\" src=\"../x.png\">",
            ),
            (
                "<img srcset=\"https://a.example/b/1.png 1x, https://a.example/b/2.png 2x\">",
                "<img srcset=\"../1.png 1x, ../2.png 2x\">",
            ),
            (
                "<img alt=\"a > b\" src=\"https://a.example/b/x.png\"> <",
                "<img alt=\"a > b\" src=\"../x.png\"> <",
            ),
        ] {
            assert_eq!(content(html, &site(), "../"), expected);
        }
        assert_eq!(reference("https://a.example/b/", &site(), ""), "./");
    }
}
