//! `tidegate prune-versions`: deletes old published versions, or shows which ones would go and why the others are kept.
use std::collections::BTreeMap;

use release_schema::EnvironmentName;
use tidegate_core::command::Command;
use tidegate_core::housekeeping::Kept;
use tidegate_core::ids::Version;
use tidegate_core::report::{Answer, Failure, Pruned};

use crate::arguments::{Format, PruneVersions, Reach};
use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Paint, Tone};
use crate::table::{self, Cell, Row};
use crate::text;

pub(crate) async fn run(options: &PruneVersions, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let PruneVersions { target, dry_run, output } = options;
    let command = Command::PruneVersions {
        environment: target.environment.clone(),
        service: target.service.clone(),
        dry_run: *dry_run,
    };
    let connection = Connection::open(reach).await?;
    let (environment, services, failures) = match connection.send(&command).await? {
        Answer::Versions { environment, services, failures } => (environment, services, failures),
        Answer::Failed(failure) => return Err(Error::from(failure)),
        Answer::Reports { .. } | Answer::History { .. } | Answer::Record { .. } | Answer::Services { .. } => {
            return Err(Error::unexpected_answer());
        }
    };
    if !services.is_empty() || output.format != Format::Table {
        out.value(output.format, &services, || {
            let named: Vec<(String, &Pruned)> =
                services.iter().map(|(service, pruned)| (shown(&environment, service.as_str()), pruned)).collect();
            render(&named, *dry_run, out.width, out.paint)
        })?;
    }
    let unfinished = services.values().any(|pruned| pruned.problem.is_some());
    let failures = failures.into_iter().map(|(service, failure)| Failure {
        message: format!("{}: {}", shown(&environment, service.as_str()), failure.message),
        ..failure
    });
    let exit = super::show_failures(failures.collect(), out);
    Ok(if unfinished { exit.max(Exit::Difference) } else { exit })
}

fn shown(environment: &EnvironmentName, service: &str) -> String {
    format!("{environment}/{service}")
}

fn render(services: &[(String, &Pruned)], dry_run: bool, width: usize, paint: Paint) -> String {
    let headers = ["SERVICE", if dry_run { "WOULD BE DELETED" } else { "DELETED" }, "KEPT"];
    let rows: Vec<Row> = services.iter().map(|(name, pruned)| row(name, pruned, dry_run)).collect();
    table::render(&headers, &rows, width, paint)
}

fn row(name: &str, pruned: &Pruned, dry_run: bool) -> Row {
    let Pruned { delete, deleted, kept, problem } = pruned;
    let gone = if dry_run { delete } else { deleted };
    let cells = vec![
        Cell::new(text::escaped(name), Tone::Strong),
        Cell::plain(listed(gone.iter().copied())),
        Cell::plain(kept.len().to_string()),
    ];
    let reasons = by_reason(kept).into_iter().map(|(reason, versions)| {
        Cell::new(text::escaped(&format!("{reason}: {}", listed(versions.into_iter()))), Tone::Faint)
    });
    let problem = problem.iter().map(|problem| Cell::new(text::escaped(problem), Tone::Bad));
    Row { cells, notes: problem.chain(reasons).collect() }
}

fn by_reason(kept: &BTreeMap<Version, Kept>) -> BTreeMap<&Kept, Vec<Version>> {
    let mut reasons = BTreeMap::<&Kept, Vec<Version>>::new();
    for (version, reason) in kept {
        reasons.entry(reason).or_default().push(*version);
    }
    reasons
}

/// Numbers in their order; three or more in a row by the first and the last.
fn listed(versions: impl Iterator<Item = Version>) -> String {
    let mut rows: Vec<(u64, u64)> = Vec::new();
    for number in versions.map(Version::number) {
        match rows.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            Some(_) | None => rows.push((number, number)),
        }
    }
    let shown = rows.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    fn some() -> Pruned {
        let kept = (4..=7).map(|n| (v(n), Kept::Later)).chain((8..=15).map(|n| (v(n), Kept::Newest)));
        let others = [(v(16), Kept::Alias("live".to_owned())), (v(17), Kept::NotOurs), (v(20), Kept::NotOurs)];
        Pruned { delete: vec![v(1), v(3)], kept: kept.chain(others).collect(), ..Pruned::default() }
    }

    #[test]
    fn a_dry_run_says_what_would_go_and_why_the_others_stay() {
        let (one, nothing) = (some(), Pruned::default());
        let services = [("staging/flight-bff".to_owned(), &nothing), ("staging/flight-service".to_owned(), &one)];
        insta::assert_snapshot!(render(&services, true, 80, Paint::OFF), @r"
        SERVICE                 WOULD BE DELETED  KEPT
        staging/flight-bff      -                 0
        staging/flight-service  1, 3              15
            `live` names it: 16
            among the newest: 8–15
            not proven to be Tidegate's: 17, 20
            goes in a later turn: 4–7
        ");
    }

    #[test]
    fn what_was_not_deleted_is_not_said_to_be() {
        let problem = Some("`lambda:DeleteFunction` of `Flight:3`: access denied".to_owned());
        let pruned = Pruned { deleted: vec![v(1)], problem, ..some() };
        insta::assert_snapshot!(render(&[("staging/flight-service".to_owned(), &pruned)], false, 80, Paint::OFF), @r"
        SERVICE                 DELETED  KEPT
        staging/flight-service  1        15
            `lambda:DeleteFunction` of `Flight:3`: access denied
            `live` names it: 16
            among the newest: 8–15
            not proven to be Tidegate's: 17, 20
            goes in a later turn: 4–7
        ");
    }
}
