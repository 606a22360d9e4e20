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

/// The languages of ISO 639-1, two letters each.
const KNOWN: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy \
    ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky \
    la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt \
    qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// Whether a tag begins with a language that exists: of two letters, as names of files have them.
#[must_use]
pub(super) fn is_known(tag: &str) -> bool {
    let language = tag.split('-').next().unwrap_or_default();
    KNOWN.split(' ').any(|known| known == language)
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
