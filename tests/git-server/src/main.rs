//! `git-server --root DIR --port P`: serves every bare repository under a directory over smart HTTP on 127.0.0.1.
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use git_server::{GitServer, Options};

/// Serves every bare repository under a directory over smart HTTP on 127.0.0.1, until it is interrupted
#[derive(Parser)]
struct Arguments {
    /// Directory that holds the bare repositories
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// User that every request must authenticate as; the password is taken from `GIT_SERVER_PASSWORD`
    #[arg(long)]
    user: Option<String>,
}

fn main() -> Result<()> {
    let Arguments { root, port, user } = Arguments::parse();
    let root = root.canonicalize().with_context(|| format!("finding `{}`", root.display()))?;
    let credential = match user {
        Some(user) => {
            let password = std::env::var("GIT_SERVER_PASSWORD").context("`--user` needs `GIT_SERVER_PASSWORD`")?;
            Some((user, password))
        }
        None => None,
    };
    let server = GitServer::start(&root, Options { port, credential, github: None })?;
    writeln!(std::io::stdout(), "listening on http://{}", server.address())?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tokio::signal::ctrl_c())
        .context("waiting for an interrupt")
}
