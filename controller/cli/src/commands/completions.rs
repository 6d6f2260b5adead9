//! `tidegate completions SHELL`.
use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::exit::{Error, Exit};
use crate::out;

pub(crate) fn run(wish: &Completions) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(wish.shell, &mut Arguments::command(), "tidegate", &mut script);
    out::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
