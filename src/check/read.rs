//! stub
use crate::edition::Kind;
use chrono::{DateTime, Utc};
/// x
#[derive(Debug, Clone)]
pub struct Published {
    pub title: Option<String>,
    pub id: Option<String>,
    pub updated: Option<DateTime<Utc>>,
    pub entries: Vec<PublishedEntry>,
}
/// x
#[derive(Debug, Clone)]
pub struct PublishedEntry {
    pub id: String,
    pub link: Option<String>,
    pub external_url: Option<String>,
    pub title: Option<String>,
    pub published: Option<DateTime<Utc>>,
    pub updated: Option<DateTime<Utc>>,
    pub summary: Option<String>,
    pub content_html: Option<String>,
    pub tags: Vec<String>,
    pub authors: Vec<(String, Option<String>, Option<String>)>,
    pub language: Option<String>,
}
/// x
pub fn read(_k: Kind, _b: &[u8]) -> Option<Published> {
    None
}
