//! Decides which of many services in trouble are shown: of those that stand alike the first few, and how many more there are.
use std::collections::BTreeMap;

use release_schema::ServiceName;
use tidegate_core::report::ServiceReport;

use super::FEW;

/// So many of those that stand alike are shown.
const SHOWN: usize = 5;

/// Services that are not shown, as they stand as one does that is.
pub(super) struct More<'a> {
    pub(super) count: usize,
    /// The last one of the same kind that is shown.
    pub(super) like: &'a ServiceName,
}

/// Leaves the first few of each kind where one kind has many. What is left keeps its order.
pub(super) fn thin_out<'a>(services: &mut Vec<(&'a ServiceName, &ServiceReport)>) -> Vec<More<'a>> {
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (name, service) in services.iter() {
        kinds.entry(kind(name, service)).or_default().0 += 1;
    }
    let mut left_out: Vec<More<'a>> = Vec::new();
    services.retain(|(name, service)| {
        let Some((count, shown)) = kinds.get_mut(&kind(name, service)) else { return true };
        if *count <= FEW || *shown < SHOWN {
            *shown += 1;
            if *count > FEW && *shown == SHOWN {
                left_out.push(More { count: *count - SHOWN, like: name });
            }
            return true;
        }
        false
    });
    left_out
}

/// How a service stands, in words that name neither it, nor its function, nor a number.
fn kind(name: &ServiceName, service: &ServiceReport) -> String {
    let standing = &service.standing;
    let waiting_on = standing.waiting_on.as_ref().map(ToString::to_string).unwrap_or_default();
    let error = service.error.as_deref().unwrap_or_default();
    let drift: Vec<&str> = service.drift.iter().map(|drifted| drifted.drift.kind()).collect();
    let text = format!("{:?} {:?} {:?} {drift:?} {error} {waiting_on}", standing.sync, standing.health, standing.phase);
    let text = text.replace(&service.function, "").replace(name.as_str(), "");
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}
