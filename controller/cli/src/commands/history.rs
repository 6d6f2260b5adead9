//! `tidegate history ENV[/SERVICE]`: what happened, newest first.
use tidegate_core::command::Command;
use tidegate_core::report::Answer;

use crate::arguments::{Format, Global, History};
use crate::exit::{Error, Exit};
use crate::{out, route, tables};

pub(crate) async fn run(global: &Global, wish: &History) -> Result<Exit, Error> {
    let command = Command::History {
        environment: wish.target.environment.clone(),
        service: wish.target.service.clone(),
        limit: Some(wish.limit),
    };
    let records = match route::here(global).await.run(&command, &route::caller()).await {
        Answer::History { records } => records,
        Answer::Failed(failure) => return Err(failure.into()),
        Answer::Reports { .. } => {
            return Err(Error::new(Exit::Unavailable, "the controller answered another question"));
        }
    };
    match wish.output {
        Format::Table if records.is_empty() => out::note("nothing has happened yet"),
        Format::Table => out::data(&tables::history(&records, out::width()))?,
        Format::Json | Format::Yaml => out::document(&records, wish.output)?,
    }
    Ok(Exit::Done)
}
