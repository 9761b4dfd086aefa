//! What somebody may have meant, and which of several things a name or the beginning of an ID names.

use anyhow::bail;
use uuid::Uuid;

/// Minimum similarity of a suggested name.
const MIN_SIMILARITY: f64 = 0.8;

/// The shortest beginning of an ID that names something.
const MIN_PREFIX: usize = 4;

/// The most similar name, if one is similar enough.
pub(super) fn closest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let similarity = |name: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &given.to_lowercase());
    let likely = names.into_iter().map(|name| (similarity(name), name));
    let likely = likely.filter(|(similarity, _)| *similarity >= MIN_SIMILARITY);
    likely.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// Something that has an ID and perhaps a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) id: Uuid,
    pub(super) name: &'a str,
}

/// The ID of the one that is given by its name, its ID, or at least the first 4 characters of its ID. `what` is the kind of
/// thing, and `list` the command that lists them.
///
/// # Errors
/// None or several fit; names them.
pub(super) fn pick(given: &str, candidates: &[Named<'_>], what: &str, list: &str) -> anyhow::Result<Uuid> {
    let id = Uuid::try_parse(given).ok();
    let by_id: Vec<_> = candidates.iter().filter(|one| Some(one.id) == id).collect();
    let by_name: Vec<_> = candidates.iter().filter(|one| !given.is_empty() && one.name == given).collect();
    let prefix = given.to_ascii_lowercase();
    let by_prefix =
        candidates.iter().filter(|one| prefix.len() >= MIN_PREFIX && one.id.to_string().starts_with(&prefix));
    let found = [by_id, by_name, by_prefix.collect()].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => match closest(given, candidates.iter().map(|one| one.name)) {
            Some(meant) => bail!("{what} not found; did you mean {meant:?}? `{list}` lists all"),
            None => bail!("{what} not found; `{list}` lists all"),
        },
        several => {
            let lines: Vec<_> =
                several.iter().map(|one| format!("\n  {}  {}", one.id, one.name.escape_debug())).collect();
            bail!("{} fit; give one by its ID:{}", lines.len(), lines.concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_with_the_fewest_changes_is_suggested() {
        let names = ["push.studio.example", "push.demo.example"];
        assert_eq!(closest("push.dmo.example", names), Some("push.demo.example"));
        assert_eq!(closest("PUSH.Studio.exmple", names), Some("push.studio.example"));
        assert_eq!(closest("live.demo.example", names), None);
    }

    #[test]
    fn one_is_picked_by_name_id_or_an_unambiguous_beginning_of_the_id() {
        let ids = [0xaaaa_1111, 0xaaaa_2222, 0xbbbb_3333].map(|first: u128| Uuid::from_u128(first << 96));
        let candidates: Vec<_> =
            ids.iter().zip(["wall", "wall", "bills"]).map(|(id, name)| Named { id: *id, name }).collect();
        let pick = |given: &str| pick(given, &candidates, "token", "token list").map_err(|error| error.to_string());
        assert_eq!(pick("bills"), Ok(ids[2]));
        assert_eq!(pick(&ids[0].to_string()), Ok(ids[0]));
        assert_eq!(pick("AAAA2"), Ok(ids[1]));
        for (given, words) in [
            ("wall", "2 fit"),
            ("aaaa", "aaaa1111-0000"),
            ("bbb", "token not found; `token list` lists all"),
            ("bils", "did you mean \"bills\"?"),
        ] {
            assert!(pick(given).unwrap_err().contains(words), "{given}");
        }
    }
}
