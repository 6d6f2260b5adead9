//! `tidegate completions`: prints a shell's completions.
use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::exit::{Error, Exit};
use crate::out::Out;

pub(crate) fn run(options: &Completions, out: &Out) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "tidegate", &mut script);
    out.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
