//! Where each document lies, below the installation's prefix.
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::shard::Shard;

/// Who may tick a shard of an environment.
#[must_use]
pub fn lease(environment: &EnvironmentName, shard: Shard) -> String {
    format!("lease/{environment}.{}json", part(shard))
}

/// An environment's last valid content.
#[must_use]
pub fn desired(environment: &EnvironmentName) -> String {
    format!("desired/{environment}.json")
}

/// What is under way of every service of an environment lies below this.
#[must_use]
pub fn states(environment: &EnvironmentName) -> String {
    format!("state/{environment}/")
}

/// What is under way of one service.
#[must_use]
pub fn state(environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("{}{service}.json", states(environment))
}

/// The histories of all services of an environment lie below this, a folder each.
#[must_use]
pub fn histories(environment: &EnvironmentName) -> String {
    format!("history/{environment}/")
}

/// A service's history lies below this.
#[must_use]
pub fn history(environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("{}{service}/", histories(environment))
}

/// One record of a service's history. Ten digits, so that names sort as numbers do.
#[must_use]
pub fn record(environment: &EnvironmentName, service: &ServiceName, number: TransitionNumber) -> String {
    format!("{}{:010}.json", history(environment, service), number.0)
}

/// The number of the record with this name; `None` where it is no record's.
#[must_use]
pub fn record_number(environment: &EnvironmentName, service: &ServiceName, name: &str) -> Option<TransitionNumber> {
    let digits = name.strip_prefix(&history(environment, service))?.strip_suffix(".json")?;
    let number = TransitionNumber(digits.parse().ok()?);
    (number >= TransitionNumber::FIRST && record(environment, service, number) == name).then_some(number)
}

/// The newest end of a service's history.
#[must_use]
pub fn head(environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("{}head.json", history(environment, service))
}

/// The report of a shard's last tick.
#[must_use]
pub fn status(environment: &EnvironmentName, shard: Shard) -> String {
    format!("{}{}json", statuses(environment), part(shard))
}

/// The names of an environment's reports begin so, and no other names do: an environment's name has no dot.
#[must_use]
pub fn statuses(environment: &EnvironmentName) -> String {
    format!("status/{environment}.")
}

/// The shard of the report with this name; `None` where it is no report's.
#[must_use]
pub fn status_shard(environment: &EnvironmentName, name: &str) -> Option<Shard> {
    let part = name.strip_prefix(&statuses(environment))?.strip_suffix("json")?;
    let shard = match part.strip_suffix('.') {
        Some(part) => part.replacen('-', "/", 1).parse().ok()?,
        None => Shard::WHOLE,
    };
    (status(environment, shard) == name).then_some(shard)
}

/// `2-4.` for the second of four shards; nothing for a whole environment, which has the names that it has without shards.
fn part(shard: Shard) -> String {
    if shard.is_whole() { String::new() } else { format!("{}-{}.", shard.number(), shard.of().count()) }
}

/// The last good copy of the controller's own configuration.
pub const CONFIGURATION: &str = "configuration.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_records_name_tells_its_number_and_no_other_name_does() {
        let (environment, service) = ("production".parse().unwrap(), "flight-service".parse().unwrap());
        let number_of = |name: &str| record_number(&environment, &service, name);
        for number in [1, 42, 9_999_999_999, 10_000_000_000] {
            let number = TransitionNumber(number);
            assert_eq!(number_of(&record(&environment, &service, number)), Some(number));
        }
        for name in
            ["42.json", "0000000000.json", "+000000042.json", "0000000042.json.bak", "head.json", "00000000042.json"]
        {
            assert_eq!(number_of(&format!("history/production/flight-service/{name}")), None, "{name}");
        }
        assert_eq!(number_of("history/staging/flight-service/0000000042.json"), None);
    }

    #[test]
    fn a_reports_name_tells_its_shard_and_no_other_name_does() {
        let environment = "production".parse().unwrap();
        for (shard, name) in [("1/1", "status/production.json"), ("2/4", "status/production.2-4.json")] {
            assert_eq!(status(&environment, shard.parse().unwrap()), name);
            assert_eq!(status_shard(&environment, name), Some(shard.parse().unwrap()));
        }
        for name in
            ["production.1-1.json", "production.5-4.json", "production.2.4.json", "production.json.bak", "staging.json"]
        {
            assert_eq!(status_shard(&environment, &format!("status/{name}")), None, "{name}");
        }
    }
}
