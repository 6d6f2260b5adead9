//! Hears the alias: its marker has the number of the transition that wrote it last, and the release that it was for.
use super::chain::Chain;
use super::{Alias, Evidence, Finding, Testimony};
use crate::history::{Kind, Record};
use crate::marker::Marker;

/// What the alias says, and where that is not what history says.
pub(super) fn hear(evidence: &Evidence<'_>, chain: &Chain<'_>) -> (Testimony, Vec<Finding>) {
    let marker = match evidence.alias {
        Alias::Marked(marker) => marker,
        Alias::Unmarked => return (Testimony::Unmarked, Vec::new()),
        Alias::Missing => return (Testimony::Missing, Vec::new()),
        Alias::NotInGit => return (Testimony::NotInGit, Vec::new()),
        Alias::Unreadable { message } => return (Testimony::Unreadable { message: message.clone() }, Vec::new()),
    };
    let transition = marker.transition;
    let known = chain.end;
    if transition == known.next() && evidence.under_way == Some(transition) {
        return (Testimony::UnderWay { transition }, Vec::new());
    }
    if transition > known {
        return (Testimony::Disagrees, vec![Finding::CutOff { first: known.next(), last: transition }]);
    }
    let findings = against(marker, chain);
    if findings.is_empty() { (Testimony::Agrees { transition }, findings) } else { (Testimony::Disagrees, findings) }
}

/// What the records since the alias was written say otherwise. Records of a newer build, and those that have a finding
/// already, say nothing.
fn against(marker: &Marker, chain: &Chain<'_>) -> Vec<Finding> {
    let since = chain.genuine.range(marker.transition..);
    let since: Vec<Record> = since.filter_map(|(_, content)| serde_json::from_slice(content.bytes).ok()).collect();
    if since.first().is_none_or(|record| record.number != marker.transition) {
        return Vec::new();
    }
    // It may have lost its number to the record of somebody else, and got the next.
    let later = if marker.held.is_some() { since.len() } else { 2 };
    let own = since.iter().take(later).find(|record| tells_of(record, marker));
    let disagrees = own.is_none().then_some(Finding::AliasDisagrees { number: marker.transition });
    let last = own.map_or(marker.transition, |own| own.number);
    let moved = since.iter().rev().find(|record| {
        let from = record.from.as_ref().and_then(|from| from.version);
        let heals_alias = record.kind == Kind::Healed && from != record.to.version;
        let moves = heals_alias || matches!(record.kind, Kind::Promoted | Kind::RolledBack);
        moves && record.number > last
    });
    let behind = moved.map(|record| Finding::AliasBehind { number: record.number, alias: marker.transition });
    behind.into_iter().chain(disagrees).collect()
}

/// Whether a record may be the one of the write that left the marker.
fn tells_of(record: &Record, marker: &Marker) -> bool {
    let leads = record.to.release == marker.release;
    match marker.held {
        Some(_) => record.kind == Kind::RolledBack && leads,
        None => leads || record.from.as_ref().is_some_and(|from| from.release == marker.release),
    }
}
