//! tidings: a folder of articles becomes feeds.

pub mod article;
pub mod check;
pub mod edition;
pub mod html;
pub mod problem;
