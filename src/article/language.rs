//! Language tags (BCP 47).

/// `text` as a language tag in its usual case: `en`, `pt-BR`, `zh-Hant-TW`; `None` if it has not the shape of one.
///
/// Underscores, as in `pt_BR.UTF-8`, are understood.
#[must_use]
pub fn tag(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text
        .split_once('.')
        .map_or(text, |(tag, _)| tag)
        .replace('_', "-");
    let mut parts = text.split('-');
    let language = parts
        .next()
        .filter(|l| matches!(l.len(), 2 | 3) && l.bytes().all(|b| b.is_ascii_alphabetic()))?;
    let mut tag = language.to_ascii_lowercase();
    for part in parts {
        let letters = part.bytes().all(|b| b.is_ascii_alphabetic());
        let part = match part.len() {
            2 if letters => part.to_ascii_uppercase(),
            4 if letters => part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase(),
            1..=8 if part.bytes().all(|b| b.is_ascii_alphanumeric()) => part.to_ascii_lowercase(),
            _ => return None,
        };
        tag = tag + "-" + &part;
    }
    (!tag.ends_with('-')).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn language_tags_take_their_usual_case() {
        for (text, expected) in [
            ("en", Some("en")),
            ("pt_BR", Some("pt-BR")),
            ("PT-br", Some("pt-BR")),
            ("zh_hant_tw", Some("zh-Hant-TW")),
            ("de_AT.UTF-8", Some("de-AT")),
            ("es-419", Some("es-419")),
            ("english", None),
            ("", None),
            ("e", None),
            ("en-", None),
            ("en us", None),
        ] {
            assert_eq!(tag(text).as_deref(), expected, "{text}");
        }
    }
}
