//! A Git server over smart HTTP on loopback, for the demo and the tests: the stock `git` does the work.
//!
//! [`GitServer`] serves every bare repository of a directory through `git http-backend`, logs what it was asked, and can
//! be told to misbehave; or serves those alone whom a GitHub App gave a token ([`GithubApp`]). [`Repository`] and [`WorkTree`] are repositories that stories write to.
mod backend;
mod github;
mod repository;
mod server;

pub use github::{GithubApp, GithubToken, Keys};
pub use repository::{Repository, WorkTree};
pub use server::{Behaviour, GitServer, Options, RequestRecord};
