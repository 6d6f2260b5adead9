//! CloudWatch: what a tick tells of itself, and what it reads of new versions and alarms.
mod alarms;
mod catalogue;
mod publish;
mod read;
mod sample;
mod series;

pub use catalogue::{BY_ENVIRONMENT_TOO, CATALOGUE, Metric};
pub use publish::{publish, publish_failure};
pub use read::{Measurements, Request, measure};
