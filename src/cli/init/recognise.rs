//! Which generator a folder is written for, and what its configuration says that ours wants to know.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::site::Tool;

/// What a folder looks like.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The generator, and the file that gives it away.
    pub(super) tool: Option<(Tool, String)>,
    /// Where the articles are.
    pub(super) articles: Option<PathBuf>,
    pub(super) base_url: Option<String>,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) author: Option<String>,
    pub(super) language: Option<String>,
    pub(super) time_zone: Option<String>,
    /// A pattern of URLs of its own.
    pub(super) permalink: Option<String>,
    /// What could not be taken over.
    pub(super) notes: Vec<String>,
}

/// Looks at the folder `home`.
pub(super) fn recognise(home: &Path) -> Look {
    let Some((tool, file)) = tool(home) else {
        return Look {
            articles: first(home, &["articles", "posts", "_posts", "content", "blog"]),
            ..Look::default()
        };
    };
    let text = std::fs::read_to_string(home.join(&file)).unwrap_or_default();
    let settings = Settings::read(&file, &text);
    let mut look = match tool {
        Tool::Hugo => hugo(&settings),
        Tool::Zola => zola(&settings),
        Tool::Jekyll | Tool::Hexo => jekyll(&settings, tool),
        Tool::Pelican | Tool::Nikola => python(&settings),
        Tool::Astro => Look {
            base_url: settings.get("site"),
            ..Look::default()
        },
        Tool::Eleventy => metadata(home),
    };
    let places: &[&str] = match tool {
        Tool::Hugo | Tool::Zola => &[
            "content/posts",
            "content/post",
            "content/blog",
            "content/articles",
            "content",
        ],
        Tool::Jekyll => &["_posts"],
        Tool::Hexo => &["source/_posts"],
        Tool::Pelican => &["content/articles", "content/posts", "content"],
        Tool::Nikola => &["posts"],
        Tool::Astro => &[
            "src/content/blog",
            "src/content/posts",
            "src/data/blog",
            "src/content",
            "src/pages/posts",
            "src/pages",
        ],
        Tool::Eleventy => &[
            "content/blog",
            "src/posts",
            "src/blog",
            "posts",
            "blog",
            "content",
            "src",
        ],
    };
    look.articles = first(home, places);
    look.tool = Some((tool, file));
    look
}

/// The first of these folders that there is.
fn first(home: &Path, folders: &[&str]) -> Option<PathBuf> {
    folders
        .iter()
        .map(PathBuf::from)
        .find(|folder| home.join(folder).is_dir())
}

fn tool(home: &Path) -> Option<(Tool, String)> {
    let text = |name: &str| std::fs::read_to_string(home.join(name)).ok();
    let named = |names: &[&str]| {
        names
            .iter()
            .find(|name| home.join(name).is_file())
            .map(|name| (*name).to_owned())
    };
    if let Some(file) = named(&[
        "hugo.toml",
        "hugo.yaml",
        "hugo.yml",
        "hugo.json",
        "config/_default/hugo.toml",
        "config/_default/config.toml",
    ]) {
        return Some((Tool::Hugo, file));
    }
    if let Some(text) = text("config.toml") {
        // both call it so; their words differ
        let zola = text.contains("base_url");
        return Some((
            if zola { Tool::Zola } else { Tool::Hugo },
            "config.toml".to_owned(),
        ));
    }
    if let Some(file) = named(&["zola.toml"]) {
        return Some((Tool::Zola, file));
    }
    if let Some(text) = text("_config.yml") {
        let hexo = home.join("source/_posts").is_dir()
            || text.contains("post_asset_folder")
            || text.contains("skip_render");
        return Some((
            if hexo { Tool::Hexo } else { Tool::Jekyll },
            "_config.yml".to_owned(),
        ));
    }
    if let Some(file) = named(&["pelicanconf.py"]) {
        return Some((Tool::Pelican, file));
    }
    if text("conf.py").is_some_and(|text| text.contains("BLOG_TITLE")) {
        return Some((Tool::Nikola, "conf.py".to_owned()));
    }
    if let Some(file) = named(&["astro.config.mjs", "astro.config.ts", "astro.config.js"]) {
        return Some((Tool::Astro, file));
    }
    if let Some(file) = named(&[
        "eleventy.config.js",
        "eleventy.config.mjs",
        "eleventy.config.cjs",
        ".eleventy.js",
    ]) {
        return Some((Tool::Eleventy, file));
    }
    home.join("_posts")
        .is_dir()
        .then(|| (Tool::Jekyll, "_posts".to_owned()))
}

/// A configuration in whatever language.
enum Settings {
    Data(Value),
    /// Python or JavaScript: what a line sets to a text.
    Lines(Vec<(String, String)>),
}

impl Settings {
    fn read(file: &str, text: &str) -> Self {
        let extension = file.rsplit('.').next().unwrap_or_default();
        match extension {
            "toml" => Self::Data(toml::from_str(text).unwrap_or(Value::Null)),
            "yaml" | "yml" => Self::Data(serde_saphyr::from_str(text).unwrap_or(Value::Null)),
            "json" => Self::Data(serde_json::from_str(text).unwrap_or(Value::Null)),
            _ => Self::Lines(text.lines().filter_map(assignment).collect()),
        }
    }

    /// The text at this path of keys.
    fn get(&self, path: &str) -> Option<String> {
        let found = match self {
            Self::Data(value) => {
                let value = path
                    .split('.')
                    .try_fold(value, |value, key| value.get(key))?;
                match value {
                    Value::String(text) => text.clone(),
                    Value::Object(map) => map.get("name")?.as_str()?.to_owned(),
                    _ => return None,
                }
            }
            Self::Lines(lines) => lines.iter().find(|(key, _)| key == path)?.1.clone(),
        };
        Some(found.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn first(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| self.get(path))
    }
}

/// `KEY = "value"`, `key: 'value',`.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = rest
        .strip_prefix('=')
        .or(rest.strip_prefix(':'))?
        .trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = &value[1..];
    Some((key.to_owned(), value[..value.find(quote)?].to_owned()))
}

fn hugo(settings: &Settings) -> Look {
    let mut look = Look {
        base_url: settings.first(&["baseURL", "baseurl", "baseUrl"]),
        title: settings.get("title"),
        description: settings.get("params.description"),
        author: settings.first(&[
            "params.author.name",
            "params.author",
            "author.name",
            "author",
        ]),
        language: settings.first(&["locale", "languageCode", "defaultContentLanguage"]),
        time_zone: settings.get("timeZone"),
        ..Look::default()
    };
    let sections = ["posts", "post", "blog", "articles"];
    let paths = sections.iter().flat_map(|section| {
        [
            format!("permalinks.{section}"),
            format!("permalinks.page.{section}"),
        ]
    });
    if let Some(pattern) = { paths }.find_map(|path| settings.get(&path)) {
        look.pattern(
            &pattern,
            &[
                (":slugorfilename", ":slug"),
                (":slugorcontentbasename", ":slug"),
                (":contentbasename", ":filename"),
                (":sections", ":section"),
            ],
        );
    }
    look
}

fn zola(settings: &Settings) -> Look {
    Look {
        base_url: settings.get("base_url"),
        title: settings.get("title"),
        description: settings.get("description"),
        author: settings.get("author"),
        language: settings.get("default_language"),
        ..Look::default()
    }
}

fn jekyll(settings: &Settings, tool: Tool) -> Look {
    let base = settings.get("url").map(|url| {
        let below = settings.first(&["baseurl", "root"]).unwrap_or_default();
        if url.ends_with(&below) {
            url
        } else {
            format!("{}/{}", url.trim_end_matches('/'), below.trim_matches('/'))
        }
    });
    let mut look = Look {
        base_url: base,
        title: settings.get("title"),
        description: settings.get("description"),
        author: settings.get("author"),
        language: settings.first(&["lang", "language", "locale"]),
        time_zone: settings.get("timezone"),
        ..Look::default()
    };
    match settings.get("permalink").as_deref() {
        None | Some("date") => {}
        Some(":year/:month/:day/:title/") if tool == Tool::Hexo => {}
        Some("pretty") => look.permalink = Some("/:categories/:year/:month/:day/:slug/".to_owned()),
        Some("none") => look.permalink = Some("/:categories/:slug.html".to_owned()),
        Some(pattern) => {
            let title = if tool == Tool::Hexo {
                ":filename"
            } else {
                ":slug"
            };
            look.pattern(pattern, &[(":title", title), (":name", ":filename")]);
        }
    }
    look
}

fn python(settings: &Settings) -> Look {
    let mut look = Look {
        base_url: settings.first(&["SITE_URL", "SITEURL"]),
        title: settings.first(&["SITENAME", "BLOG_TITLE"]),
        description: settings.get("BLOG_DESCRIPTION"),
        author: settings.first(&["AUTHOR", "BLOG_AUTHOR"]),
        language: settings.get("DEFAULT_LANG"),
        time_zone: settings.get("TIMEZONE"),
        ..Look::default()
    };
    if let Some(pattern) = settings.get("ARTICLE_URL") {
        let parts = [
            ("{slug}", ":title"),
            ("{date:%Y}", ":year"),
            ("{date:%m}", ":month"),
            ("{date:%d}", ":day"),
            ("{category}", ":section"),
        ];
        look.pattern(&pattern, &parts);
    }
    look
}

/// Where Eleventy's starters keep what a site is called.
fn metadata(home: &Path) -> Look {
    let files = [
        "_data/metadata.json",
        "_data/site.json",
        "src/_data/metadata.json",
        "src/_data/site.json",
        "_data/metadata.js",
        "src/_data/site.js",
    ];
    let found = files
        .iter()
        .find_map(|file| Some((file, std::fs::read_to_string(home.join(file)).ok()?)));
    let Some((file, text)) = found else {
        return Look::default();
    };
    let settings = Settings::read(file, &text);
    Look {
        base_url: settings.get("url"),
        title: settings.first(&["title", "name"]),
        description: settings.get("description"),
        author: settings.get("author"),
        language: settings.first(&["language", "lang"]),
        ..Look::default()
    }
}

impl Look {
    /// A pattern in the generator's words, put into ours.
    fn pattern(&mut self, pattern: &str, words: &[(&str, &str)]) {
        let mut ours = pattern.to_owned();
        for (theirs, our) in words {
            ours = ours.replace(theirs, our);
        }
        let ours = format!("/{}", ours.trim_start_matches('/'));
        if crate::site::Permalink::parse(&ours, Path::new("")).is_ok() && !ours.contains('{') {
            self.permalink = Some(ours);
        } else {
            self.notes.push(format!("its pattern of URLs is `{pattern}`, which has no counterpart here: see that `tidings list --long` shows your URLs, or give the articles a `url`"));
        }
    }
}
