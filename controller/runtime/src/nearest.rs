//! Decides which of the names that there are somebody may have meant.
use release_schema::ServiceName;

/// All names, those most like `asked` first; of equally like ones, as they come.
pub(crate) fn nearest<'a>(
    asked: &ServiceName,
    names: impl IntoIterator<Item = &'a ServiceName>,
) -> Vec<&'a ServiceName> {
    let likeness = |name: &ServiceName| strsim::jaro_winkler(name.as_str(), asked.as_str());
    let mut names: Vec<&ServiceName> = names.into_iter().collect();
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    names
}
