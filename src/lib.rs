//! tidings: a folder of articles becomes feeds.

pub mod problem;
pub mod site;
pub mod config;
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
