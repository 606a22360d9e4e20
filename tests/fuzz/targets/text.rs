//! Plain text stays text: what was written is what is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::article::{text, words};
use tidings::html::{census, text as shown};

fuzz_target!(|written: &str| {
    let html = text::to_html(written);
    let visible = |text: &str| -> String {
        text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
    };
    assert_eq!(visible(&shown(&html)), visible(&written.replace('\0', "")), "{html}");
    let allowed = ["<p>", "<a>", "<br>", "href="];
    assert!(census(&html).keys().all(|name| allowed.contains(&name.as_str())), "{html}");
    for limit in [1, 10, 80] {
        assert!(words::cut(written, limit).chars().count() <= limit.max(2));
    }
});
