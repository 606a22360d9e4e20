//! tidings: a folder of articles becomes feeds.

pub mod article;
pub mod catalogue;
pub mod check;
pub mod cli;
pub mod config;
pub mod edition;
pub mod feed;
pub mod folder;
pub mod fragment;
pub mod html;
pub mod ledger;
pub mod link;
pub mod page;
pub mod problem;
pub mod publisher;
pub mod render;
pub mod site;
pub mod state;
pub mod store;
