//! A Git server over smart HTTP on loopback, for the demo and the tests: the stock `git` does the work.
//!
//! [`GitServer`] serves every bare repository of a directory through `git http-backend`, logs what it was asked, and can
//! be told to misbehave. [`Repository`] and [`WorkTree`] are repositories that stories write to.
mod backend;
mod repository;
mod server;

pub use repository::{Repository, WorkTree};
pub use server::{Behaviour, GitServer, Options, RequestRecord};
