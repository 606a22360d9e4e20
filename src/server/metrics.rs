//! What is counted, in the text format of Prometheus.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use http::header;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::edition::Kind;
use crate::hub::Tally;
use crate::respond::{Head, Reply};
use crate::status::Status;

/// So many programs have a name of their own; all others are one.
const AGENTS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Agent {
    agent: String,
    status: u16,
}

/// The counters of requests.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    agents: Family<Agent, Counter>,
    bytes: Counter,
    known: Mutex<HashSet<String>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        let requests = Family::<Answered, Counter>::default();
        let agents = Family::<Agent, Counter>::default();
        let bytes = Counter::default();
        registry.register(
            "requests",
            "Requests by route, status and what became of the client's validators",
            requests.clone(),
        );
        registry.register("agent_requests", "Requests of feeds by program and status: the share of 304 tells whether it keeps its validators", agents.clone());
        registry.register_with_unit("response", "Bytes of bodies", Unit::Bytes, bytes.clone());
        Self {
            registry,
            requests,
            agents,
            bytes,
            known: Mutex::default(),
        }
    }

    /// Counts an answer.
    pub(super) fn count(&self, head: Head<'_>, reply: &Reply) {
        let status = reply.status.as_u16();
        let resource = reply.resource.as_deref();
        let route = match resource {
            // as many as there are articles: together
            Some(resource) if resource.kind == Kind::Asset => "asset".to_owned(),
            Some(resource) if resource.kind == Kind::Page && !resource.is_leaf => "page".to_owned(),
            Some(resource) => format!("/{}", resource.route),
            None => "other".to_owned(),
        };
        let outcome = reply.outcome.name();
        self.requests
            .get_or_create(&Answered {
                route,
                status,
                outcome,
            })
            .inc();
        if resource.is_some_and(|resource| resource.kind.is_feed()) {
            let agent = self.agent(head);
            self.agents.get_or_create(&Agent { agent, status }).inc();
        }
        let length = reply.headers.get(header::CONTENT_LENGTH);
        if head.method != http::Method::HEAD
            && let Some(length) = length.and_then(|length| length.to_str().ok()?.parse().ok())
        {
            self.bytes.inc_by(length);
        }
    }

    /// The name of a program, without its version.
    fn agent(&self, head: Head<'_>) -> String {
        let field = head.headers.get(header::USER_AGENT);
        let text = field
            .and_then(|field| field.to_str().ok())
            .unwrap_or("none");
        let name = text.split(['/', ' ', '(', ';']).next().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name: String = name.chars().filter(|c| is_plain(*c)).take(32).collect();
        let name = if name.is_empty() {
            "none".to_owned()
        } else {
            name
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&name) {
            name
        } else if known.len() < AGENTS {
            known.insert(name.clone());
            name
        } else {
            "other".to_owned()
        }
    }

    /// Everything, as text.
    pub(super) fn to_text(
        &self,
        status: &Status,
        hub: Tally,
        connections: usize,
        now: SystemTime,
    ) -> String {
        let mut text = String::new();
        let mut gauges = Registry::with_prefix("tidings");
        describe(&mut gauges, status, connections, now);
        if hub != Tally::default() {
            describe_hub(&mut gauges, hub);
        }
        // writing to a string cannot fail
        let _ = encode(&mut text, &self.registry);
        let end = "# EOF\n";
        let counted = text.trim_end_matches(end).to_owned();
        let mut rest = String::new();
        let _ = encode(&mut rest, &gauges);
        counted + &rest
    }
}

fn describe_hub(registry: &mut Registry, hub: Tally) {
    let count = ConstGauge::new(hub.subscriptions);
    registry.register("hub_subscriptions", "Subscriptions of the hub", count);
    let mut counters = |name: &str, help: &str, counts: [(&'static str, u64); 3]| {
        // one family: a strict parser takes no second description of it
        let family = Family::<Outcome, Counter>::default();
        for (outcome, count) in counts {
            family.get_or_create(&Outcome { outcome }).inc_by(count);
        }
        registry.register(name, help, family);
    };
    counters(
        "hub_deliveries",
        "Deliveries of the hub by what became of them",
        [
            ("taken", hub.delivered),
            ("failed", hub.failed),
            ("gone", hub.gone),
        ],
    );
    counters(
        "hub_requests",
        "Requests to the hub by whether their callback meant them",
        [
            ("meant", hub.verified),
            ("not meant", hub.unverified),
            ("silent", hub.silent),
        ],
    );
}

#[allow(clippy::cast_precision_loss, reason = "nobody counts to 2^53 here")]
fn describe(registry: &mut Registry, status: &Status, connections: usize, now: SystemTime) {
    let now: DateTime<Utc> = now.into();
    let mut gauge = |name: &str, help: &str, value: f64| {
        registry.register(name, help, ConstGauge::new(value));
    };
    gauge(
        "turns",
        "Times that the folder was read since the start",
        status.turns as f64,
    );
    gauge(
        "failed_turns",
        "Times that nothing could be published",
        status.failed as f64,
    );
    gauge(
        "editions",
        "Editions published since the start",
        status.editions as f64,
    );
    gauge(
        "build_seconds",
        "How long the last turn took",
        status.build.as_secs_f64(),
    );
    gauge(
        "connections",
        "Connections that are open",
        connections as f64,
    );
    if let Some(changed) = status.changed {
        let age = (now - changed).as_seconds_f64();
        gauge(
            "edition_age_seconds",
            "Since the documents last changed",
            age,
        );
    }
    if let Some(next) = status.next {
        let left = (next - now).as_seconds_f64();
        gauge(
            "next_due_seconds",
            "Until something appears or goes by itself",
            left,
        );
    }
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let articles = Family::<State, Gauge>::default();
    for (state, number) in &status.articles {
        articles.get_or_create(&State { state }).set(count(*number));
    }
    registry.register("articles", "Articles by their state", articles);
    let problems = Family::<Severity, Gauge>::default();
    for (level, number) in &status.problems {
        let level = level.to_string();
        problems
            .get_or_create(&Severity { level })
            .set(count(*number));
    }
    registry.register("problems", "Problems by their level", problems);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Severity {
    level: String,
}
