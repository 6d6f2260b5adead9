//! Where each document lies, below the installation's prefix.
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::ids::TransitionNumber;

/// Who may tick an environment.
#[must_use]
pub fn lease(environment: &EnvironmentName) -> String {
    format!("lease/{environment}.json")
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

/// One record of a service's history. Ten digits, so that names sort as numbers do.
#[must_use]
pub fn record(environment: &EnvironmentName, service: &ServiceName, number: TransitionNumber) -> String {
    format!("history/{environment}/{service}/{:010}.json", number.0)
}

/// The newest end of a service's history.
#[must_use]
pub fn head(environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("history/{environment}/{service}/head.json")
}

/// The last tick's report.
#[must_use]
pub fn status(environment: &EnvironmentName) -> String {
    format!("status/{environment}.json")
}

/// The last good copy of the controller's own configuration.
pub const CONFIGURATION: &str = "configuration.json";
