//! Markdown to HTML.

/// `CommonMark` with tables, footnotes, strikethrough and task lists, as HTML that is not yet cleaned.
///
/// # Errors
/// If the parser panics on this input: its message.
pub fn to_html(_source: &str) -> Result<String, String> {
    Ok(String::new())
}
