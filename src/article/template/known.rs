//! What is understood.

use url::Url;

use super::call::{Call, Kind};
use super::{Around, Why};

/// What becomes of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// This, in its place.
    Written(String),
    /// This before what it has inside, and this behind.
    Around(String, &'static str),
    /// Nothing was to be seen of it anyway.
    Nothing,
    /// It is left out.
    Dropped(Why),
}

/// Whether what is inside is no text of the article.
pub(super) fn is_whole(call: &Call<'_>) -> bool {
    call.is_tag(&["highlight", "codeblock", "comment", "code_block"])
}

/// Whether a tag that is left out takes along what is inside: nobody knows how often it would stand there.
pub(super) fn hides_inside(call: &Call<'_>) -> bool {
    call.is_tag(&[
        "for", "tablerow", "capture", "macro", "set", "js", "css", "schema",
    ])
}

/// Whether it stands for the address of another article.
pub(super) fn is_place(call: &Call<'_>) -> bool {
    matches!(
        call.name,
        "ref" | "relref" | "post_url" | "link" | "post_path"
    )
}

pub(super) fn write(call: &Call<'_>, inside: Option<&str>, around: &Around<'_>) -> Outcome {
    if call.kind == Kind::Expression && !call.rest.starts_with('(') {
        return expression(call, around);
    }
    let first = || call.argument("id");
    match call.name {
        "highlight" | "codeblock" | "code_block" => match inside {
            Some(inside) => Outcome::Written(code(call, inside)),
            None => Outcome::Dropped(Why::Unknown),
        },
        "comment" if inside.is_some() => Outcome::Nothing,
        // what sets something shows nothing, and what is inside of these is the text
        "assign" | "seo" | "feed_meta" | "else" | "elsif" | "elseif" | "when" | "break"
        | "continue" | "rawhtml" | "raw-html" | "html" => Outcome::Nothing,
        "figure" => figure(call),
        "youtube" | "youtubePlayer" => first().map_or(UNKNOWN, |id| {
            frame(&format!("https://www.youtube.com/embed/{id}"))
        }),
        "vimeo" => first().map_or(UNKNOWN, |id| {
            frame(&format!("https://player.vimeo.com/video/{id}"))
        }),
        "gist" => gist(call),
        "ref" | "relref" => place(call.argument("path").as_deref(), around),
        "post_url" | "link" | "post_path"
            if call.kind == Kind::Tag && call.arguments().len() == 1 =>
        {
            place(Some(call.rest.trim()), around)
        }
        "post_link" => post_link(call, around),
        "asset_img" | "img" | "asset_path" => asset(call),
        "include" => include(call),
        "blockquote" | "quote" | "pullquote" => {
            Outcome::Around("<blockquote>\n\n".to_owned(), "\n\n</blockquote>")
        }
        "details" => {
            let title = call
                .argument("summary")
                .or_else(|| call.argument("title"))
                .unwrap_or_default();
            let summary = format!("<details><summary>{}</summary>\n\n", escape(&title));
            Outcome::Around(summary, "\n\n</details>")
        }
        _ => UNKNOWN,
    }
}

const UNKNOWN: Outcome = Outcome::Dropped(Why::Unknown);

/// `{{ site.baseurl }}`, `{{ "/x" | relative_url }}`, `{{image "x"}}` of Go.
fn expression(call: &Call<'_>, around: &Around<'_>) -> Outcome {
    let base = Url::parse(around.base).ok();
    let path = base
        .as_ref()
        .map_or("/", Url::path)
        .trim_end_matches('/')
        .to_owned();
    let host = || {
        let base = around.base.trim_end_matches('/');
        base.strip_suffix(path.as_str()).unwrap_or(base).to_owned()
    };
    if call.name.is_empty() {
        let (value, filter) = call.rest.split_once('|').unwrap_or((call.rest, ""));
        let value = value
            .trim()
            .trim_matches(['"', '\''])
            .trim_start_matches('/');
        return match filter.trim() {
            "relative_url" | "url" => Outcome::Written(format!("{path}/{value}")),
            "absolute_url" => Outcome::Written(format!("{}{path}/{value}", host())),
            "" => Outcome::Written(escape(value)),
            _ => UNKNOWN,
        };
    }
    match call.name {
        "site.baseurl" | "site.base_url" => Outcome::Written(path),
        "site.url" => Outcome::Written(host()),
        "image" => figure(call),
        "video" => call.argument("src").map_or(UNKNOWN, |url| frame(&url)),
        _ => UNKNOWN,
    }
}

fn place(name: Option<&str>, around: &Around<'_>) -> Outcome {
    let name = name.unwrap_or_default().trim_matches(['"', '\'']);
    let (path, fragment) = name.find('#').map_or((name, ""), |at| name.split_at(at));
    if path.is_empty() && !fragment.is_empty() {
        return Outcome::Written(fragment.to_owned());
    }
    match (around.find)(path) {
        Some(url) => Outcome::Written(format!("{url}{fragment}")),
        None => Outcome::Dropped(Why::Astray),
    }
}

/// A frame: the pass over the HTML makes a link of it.
fn frame(url: &str) -> Outcome {
    Outcome::Written(format!("<iframe src=\"{}\"></iframe>\n", escape(url)))
}

fn figure(call: &Call<'_>) -> Outcome {
    let arguments = call.arguments();
    let get = |name: &str| {
        let named = arguments.iter().find(|(key, _)| *key == Some(name));
        named
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    let first = || {
        arguments
            .iter()
            .find(|(key, _)| key.is_none())
            .map(|(_, value)| value.clone())
    };
    let Some(src) = get("src").or_else(|| get("image_path")).or_else(first) else {
        return UNKNOWN;
    };
    let caption = get("caption");
    let alt = get("alt").or_else(|| caption.clone()).unwrap_or_default();
    let mut image = format!("<img src=\"{}\" alt=\"{}\"", escape(&src), escape(&alt));
    for name in ["width", "height"] {
        if let Some(value) = get(name) {
            image += &format!(" {name}=\"{}\"", escape(&value));
        }
    }
    image.push('>');
    if let Some(link) = get("link") {
        image = format!("<a href=\"{}\">{image}</a>", escape(&link));
    }
    let mut words = Vec::new();
    words.extend(get("title").map(|title| format!("<strong>{}</strong>", escape(&title))));
    words.extend(caption.map(|caption| escape(&caption)));
    words.extend(get("attr").map(|attr| match get("attrlink") {
        Some(link) => format!("<a href=\"{}\">{}</a>", escape(&link), escape(&attr)),
        None => escape(&attr),
    }));
    let caption = if words.is_empty() {
        String::new()
    } else {
        format!("<figcaption>{}</figcaption>", words.join(" "))
    };
    Outcome::Written(format!("<figure>{image}{caption}</figure>\n"))
}

/// Code on one line, so that it stays in the list item or the quotation that it is in.
fn code(call: &Call<'_>, inside: &str) -> String {
    let arguments = call.arguments();
    let named = arguments
        .iter()
        .find_map(|(_, value)| value.strip_prefix("lang:").map(str::to_owned));
    let first = arguments
        .iter()
        .find(|(key, _)| key.is_none())
        .map(|(_, value)| value.clone());
    let language = if call.name == "highlight" {
        first
    } else {
        named
    };
    let class = language.map(|language| {
        let plain =
            |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '-' | '_' | '.');
        format!(
            " class=\"language-{}\"",
            language.chars().filter(plain).collect::<String>()
        )
    });
    let mut text = inside.to_owned();
    for mark in ["{% raw %}", "{% endraw %}", "{%raw%}", "{%endraw%}"] {
        text = text.replace(mark, "");
    }
    let text = escape(text.trim_matches('\n').trim_end()).replace('\n', "&#10;");
    format!(
        "<pre><code{}>{text}</code></pre>\n",
        class.unwrap_or_default()
    )
}

fn gist(call: &Call<'_>) -> Outcome {
    let names: Vec<String> = call
        .arguments()
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    if names.is_empty() {
        return UNKNOWN;
    }
    let url = format!(
        "https://gist.github.com/{}",
        names.iter().take(2).cloned().collect::<Vec<_>>().join("/")
    );
    Outcome::Written(link(&url, &url))
}

/// Hexo's link to another article.
fn post_link(call: &Call<'_>, around: &Around<'_>) -> Outcome {
    let mut words = call.arguments().into_iter().map(|(_, value)| value);
    let Some(name) = words.next() else {
        return UNKNOWN;
    };
    let title = words
        .filter(|word| word != "true" && word != "false")
        .collect::<Vec<_>>()
        .join(" ");
    let title = if title.is_empty() {
        name.clone()
    } else {
        title
    };
    match (around.find)(&name) {
        Some(url) => Outcome::Written(link(&url, &title)),
        None => Outcome::Dropped(Why::Astray),
    }
}

/// Hexo's images: classes, the file, width and height, a title.
fn asset(call: &Call<'_>) -> Outcome {
    let words: Vec<String> = call
        .arguments()
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    let Some(at) = words
        .iter()
        .position(|word| word.contains('.') || word.starts_with('/'))
    else {
        return UNKNOWN;
    };
    if call.name == "asset_path" {
        return Outcome::Written(words[at].clone());
    }
    let is_size = |word: &&String| word.chars().all(|c| c.is_ascii_digit());
    let alt: Vec<String> = words[at + 1..]
        .iter()
        .filter(|word| !is_size(word))
        .cloned()
        .collect();
    Outcome::Written(format!(
        "<img src=\"{}\" alt=\"{}\">",
        escape(&words[at]),
        escape(&alt.join(" "))
    ))
}

/// Jekyll's includes: of the many that themes have, those that show an image or a film.
fn include(call: &Call<'_>) -> Outcome {
    let arguments = call.arguments();
    let file = arguments
        .first()
        .map(|(_, value)| value.as_str())
        .unwrap_or_default();
    let get = |name: &str| {
        arguments
            .iter()
            .find(|(key, _)| *key == Some(name))
            .map(|(_, value)| value.clone())
    };
    let name = file
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .split('.')
        .next()
        .unwrap_or_default();
    match name {
        "figure" | "image" | "img" => {
            let src = ["image_path", "src", "url", "path", "file"]
                .into_iter()
                .find_map(get);
            let Some(src) = src else { return UNKNOWN };
            let caption = get("caption").or_else(|| get("description"));
            let alt = get("alt").or_else(|| caption.clone()).unwrap_or_default();
            let caption =
                caption.map(|caption| format!("<figcaption>{}</figcaption>", escape(&caption)));
            Outcome::Written(format!(
                "<figure><img src=\"{}\" alt=\"{}\">{}</figure>\n",
                escape(&src),
                escape(&alt),
                caption.unwrap_or_default()
            ))
        }
        "youtube" | "youtubePlayer" | "video" | "vimeo" => {
            let Some(id) = get("id").or_else(|| get("video_id")) else {
                return UNKNOWN;
            };
            let vimeo = name == "vimeo" || get("provider").as_deref() == Some("vimeo");
            let host = if vimeo {
                "https://player.vimeo.com/video/"
            } else {
                "https://www.youtube.com/embed/"
            };
            frame(&format!("{host}{id}"))
        }
        _ => UNKNOWN,
    }
}

fn link(url: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape(url), escape(text))
}

/// As text or attribute in HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
