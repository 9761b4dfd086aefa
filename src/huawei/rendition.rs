//! Recognizes transcoded renditions by their stream names.
//!
//! A rendition is played, and very probably reported, as `STREAM_TEMPLATE`. Other names may contain an underscore, too,
//! so only the domain's own list of templates can tell them apart.

/// The template of a rendition, if the stream's name ends with a template of the domain.
///
/// The longest match wins, so that `hd_plus` is found even if there is a template `plus`.
pub fn template_of<'a>(stream: &str, templates: &'a [String]) -> Option<&'a str> {
    templates
        .iter()
        .filter(|template| source_of(stream, template).is_some())
        .max_by_key(|template| template.len())
        .map(String::as_str)
}

/// The name of a rendition's source stream.
///
/// `None` unless `stream` is `SOURCE_TEMPLATE` with a non-empty source.
pub fn source_of<'a>(stream: &'a str, template: &str) -> Option<&'a str> {
    stream.strip_suffix(template)?.strip_suffix('_').filter(|source| !source.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listed_template_behind_an_underscore_makes_a_rendition() {
        let templates = vec!["lud".to_owned(), "plus".to_owned(), "hd_plus".to_owned()];
        assert_eq!(template_of("room_lud", &templates), Some("lud"));
        assert_eq!(template_of("room_hd_plus", &templates), Some("hd_plus"));
        for source in ["room", "room_lhd", "roomlud", "_lud", "lud", "room_LUD"] {
            assert_eq!(template_of(source, &templates), None, "{source}");
        }
        assert_eq!(source_of("room_hd_plus", "hd_plus"), Some("room"));
    }
}
