// Reads RSS, Atom and JSON Feed documents with rss-parser and feedsmith, and writes what they saw as JSON.
// usage: node node_readers.cjs FEEDS OUT
const fs = require("fs");
const path = require("path");
const [feeds, out] = process.argv.slice(2);
const text = (name) => fs.readFileSync(path.join(feeds, name), "utf8");
const instant = (date) => (date ? Math.floor(new Date(date).getTime() / 1000) : null);
const seen = {};

async function withRssParser(name) {
  const Parser = require("rss-parser");
  const feed = await new Parser().parseString(text(name));
  seen["rss-parser " + name] = {
    title: feed.title,
    entries: feed.items.map((i) => ({
      id: i.guid || i.id,
      link: i.link,
      title: i.title ?? null,
      published: instant(i.isoDate || i.pubDate),
      authors: [i.creator || i.author].filter(Boolean),
      html: i["content:encoded"] || i.content || null,
      // rss-parser does not look for enclosures in Atom
      enclosures: name === "atom.xml" ? undefined : i.enclosure ? [{ url: i.enclosure.url, length: i.enclosure.length, type: i.enclosure.type }] : [],
    })),
  };
}

async function withFeedsmith() {
  const { parseFeed } = await import(require.resolve("feedsmith"));
  const value = (x) => (x && typeof x === "object" && "value" in x ? x.value : x);
  for (const name of ["rss.xml", "atom.xml", "feed.json"]) {
    const { format, feed } = parseFeed(text(name));
    const items = feed.items || feed.entries;
    seen["feedsmith " + name] = {
      title: value(feed.title),
      entries: items.map((i) => ({
        id: value(i.guid) || i.id,
        link: i.link || i.url || (i.links || []).filter((l) => !l.rel || l.rel === "alternate").map((l) => l.href)[0],
        title: value(i.title) ?? null,
        published: instant(i.pubDate || i.published || i.date_published),
        updated: instant(i.updated || i.date_modified || (i.atom && i.atom.updated)),
        html: (i.content && (i.content.encoded || value(i.content))) || i.content_html || null,
        format,
      })),
    };
  }
}

(async () => {
  await withRssParser("rss.xml");
  await withRssParser("atom.xml");
  await withFeedsmith();
  fs.writeFileSync(path.join(out, "node.json"), JSON.stringify(seen));
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
