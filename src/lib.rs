//! tidings: a folder of articles becomes valid RSS 2.0, Atom 1.0 and JSON Feed documents.
//!
//! The house is a corridor. Values flow through pure rooms; I/O stands only at the two doors; one writer, the
//! [`publisher`], holds all that changes:
//!
//! ```text
//! folder ─scan→ files ─article::parse→ articles ─ledger.observe(now)→ entries → catalogue ─feed::select→ feeds
//!        ─fragment→ items ─render, page→ documents ─check→ edition ─store.publish→ disk
//!                                                           ├──served→ offer ─respond→ HTTP
//!                                                           └──announce→ hubs elsewhere; hub→ subscribers
//! ```
//!
//! What always holds:
//! - Only `folder`, `watch`, `store`, `state`, `server`, `client`, `announce`, `hub` and `cli` touch the outside world.
//!   Nothing but `cli` asks for the time of day; `now` is passed down.
//! - The server serves what was published. A request chooses a path of the offer, never a file; where a file lies the
//!   publisher said.
//! - Documents are a function of the catalogue, the specs of the feeds and what is due at `now`.
//! - An id, once published, is never changed and never given to another article.
//! - The ledger is durable before a document that depends on it can be seen: ledger → gate → disk → manifest; in
//!   `serve` it is shown before it is on disk, and encoded when it is: ledger → gate → offer → disk → encodings →
//!   manifest.
//! - A document that fails the gate is never published; the previous good one stays.
//! - A broken article is a [`problem::Problem`] with path and line: never a panic, never the end of the others.
//! - Incremental equals batch: a fresh publisher over the same folder, ledger and manifest gives the same bytes.

// what everybody speaks of
pub mod problem;
pub mod site;
// what the user set
pub mod config;
// the pure rooms, in the order in which data flows
pub mod article;
pub mod html;
pub mod ledger;
pub mod catalogue;
pub mod link;
pub mod feed;
pub mod fragment;
pub mod render;
pub mod page;
pub mod check;
pub mod edition;
pub mod served;
pub mod respond;
// the doors
pub mod folder;
pub mod state;
pub mod cache;
pub mod store;
pub mod bucket;
pub mod watch;
pub mod client;
pub mod announce;
pub mod hub;
pub mod status;
pub mod server;
// the hand on the crank, and who gives the order
pub mod publisher;
pub mod crank;
pub mod cli;

/// How many cases property tests run; shared with the tests in `tests`.
#[cfg(test)]
#[path = "../tests/common/extent.rs"]
#[allow(unreachable_pub, reason = "it is public for the tests of `tests`")]
mod extent;
