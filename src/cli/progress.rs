//! The progress bar over long builds, on a terminal only.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::publisher::Progress;

/// A build that is over sooner than this leaves the terminal alone.
const PATIENCE: Duration = Duration::from_millis(400);

/// A bar per stage; draws nothing where nobody looks.
pub(super) struct Bar {
    visible: bool,
    bar: Mutex<ProgressBar>,
}

impl Bar {
    pub(super) fn new(visible: bool) -> Self {
        Self {
            visible,
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }

    pub(super) fn finish(&self) {
        if let Ok(bar) = self.bar.lock() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn stage(&self, name: &'static str, length: usize) {
        let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:40} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(name);
        if let Ok(mut current) = self.bar.lock() {
            current.finish_and_clear();
            *current = bar;
        }
    }

    fn step(&self) {
        if !self.visible {
            return;
        }
        if let Ok(bar) = self.bar.lock() {
            bar.inc(1);
            if bar.is_hidden() && bar.elapsed() > PATIENCE {
                bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            }
        }
    }
}
