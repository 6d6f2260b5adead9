//! AWS, as Tidegate calls it: clients for the home account and for each environment, one module for each service.
pub mod budget;
pub mod calls;
pub mod clients;
pub mod ecr;
pub mod error;
pub mod identity;
pub mod lambda;
pub mod metrics;
pub mod parameters;
pub mod zip;

pub use budget::{Budget, Budgets};
pub use calls::Calls;
pub use clients::{Clients, Home};
pub use error::{CallError, Kind};
