//! `tidegate init`: writes the files of an environment for functions that live already. Reads AWS; changes nothing there.
mod draft;
mod name;
mod repository;
mod text;

use std::collections::BTreeSet;
use std::time::Duration;

use release_schema::{AliasName, FunctionName};
use tidegate_runtime::adopt::{self, Found, Survey};
use tidegate_runtime::aws::{CallError, Clients, Kind};
use tidegate_runtime::wanted::RELEASE_CONFIG;

use self::draft::{Clash, Draft, Wish};
use self::repository::Repository;
use crate::arguments::Init;
use crate::connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Tone};
use crate::table::push_wrapped;
use crate::text::counted;

/// Below this, nobody wonders whether anything happens.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(options: &Init, out: &Out) -> Result<Exit, Error> {
    let repository = Repository::read(options, out)?;
    let Repository { config: _, new_config, defaults, alias, taken } = &repository;
    let clients = connection::home().await?.clients();
    let functions = choose(&clients, options, &repository, out).await?;
    if functions.is_empty() {
        out.note(&format!("`{}` has all of these functions already", options.services_file()));
        return Ok(Exit::Done);
    }
    let survey = look(&clients, &functions, alias, out).await?;
    let wish = Wish { prefix: &options.function_prefix, alias, defaults, taken: taken.as_ref() };
    let draft = draft::of(survey.functions, &wish).map_err(|clashes| refuse(&clashes))?;
    let whole = text::services(&options.environment, &draft, alias);
    repository.check(&whole, &draft, options, out)?;

    if options.stdout {
        let text = if taken.is_some() { text::list(&draft, alias) } else { whole };
        out.data(&text)?;
        if let Some(config) = new_config {
            out.note(&format!("`{RELEASE_CONFIG}` would be written as well:\n{}", indented(config)));
        }
    } else {
        repository.write(&whole, options, out)?;
    }
    out.note(summary(&draft, alias, out).trim_end());
    if taken.is_none() && !draft.entries.is_empty() {
        out.note(next(options, &clients, &draft, out).trim_end());
    }
    Ok(Exit::Done)
}

/// The functions that are meant and that the environment does not have yet.
async fn choose(
    clients: &Clients,
    options: &Init,
    repository: &Repository,
    out: &Out,
) -> Result<Vec<FunctionName>, Error> {
    let mut functions = adopt::functions(clients, &options.function_prefix).await.map_err(failed)?;
    for unknown in options.exclude.iter().filter(|name| !functions.contains(name)) {
        out.warning(&format!("there is no `{unknown}` to exclude"));
    }
    functions.retain(|name| !options.exclude.contains(name));
    if functions.is_empty() {
        let region = region(clients);
        let message = match options.function_prefix.as_str() {
            "" => format!("there is no function in {region}"),
            prefix => format!("there is no function in {region} whose name begins with `{prefix}`"),
        };
        return Err(Error::refused(message).hint("are `AWS_PROFILE` and `AWS_REGION` those of the environment?"));
    }
    let taken: BTreeSet<&FunctionName> = repository.taken.iter().flat_map(|taken| taken.values()).collect();
    functions.retain(|name| !taken.contains(name));
    Ok(functions)
}

/// What all of them serve. What AWS does not show of some is said; that it shows nothing at all is an error.
async fn look(clients: &Clients, functions: &[FunctionName], alias: &AliasName, out: &Out) -> Result<Survey, Error> {
    let takes = adopt::takes(functions.len());
    if takes > PATIENCE {
        out.note(&format!("looking at {} functions, which takes {} s or more", functions.len(), takes.as_secs()));
    }
    let mut survey = adopt::look(clients, functions, alias).await.map_err(failed)?;
    let is_unreadable = |found: &Found| matches!(found, Found::Unreadable(_));
    if survey.functions.values().all(is_unreadable)
        && let Some((_, Found::Unreadable(error))) = survey.functions.pop_first()
    {
        return Err(failed(error));
    }
    for found in survey.functions.values() {
        if let Found::Unreadable(error) = found {
            out.warning(&error.to_string());
        }
    }
    for error in &survey.without_tags {
        out.warning(&format!("tags could not be read, so digests are written: {error}"));
    }
    Ok(survey)
}

fn failed(error: CallError) -> Error {
    const NO_IDENTITY: [&str; 4] =
        ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"];
    match error.kind {
        Kind::Denied if error.code.as_deref().is_none_or(|code| NO_IDENTITY.contains(&code)) => {
            connection::no_credentials(&error.message)
        }
        Kind::Denied => Error::refused(error.to_string()).hint("`tidegate init --help` names the rights that it needs"),
        Kind::NotFound
        | Kind::Conflict
        | Kind::Raced
        | Kind::Throttled
        | Kind::Invalid
        | Kind::Spent
        | Kind::Unreachable => Error::unavailable(error.to_string()),
    }
}

fn refuse(clashes: &[Clash]) -> Error {
    let lines: Vec<String> = clashes.iter().map(ToString::to_string).collect();
    Error::refused(lines.join("\n"))
        .hint("leave one of them out with `--exclude`, and write its entry by hand, under another name")
}

/// How many became services, and why the others did not.
fn summary(draft: &Draft, alias: &AliasName, out: &Out) -> String {
    let Draft { entries, left_out, registries: _ } = draft;
    let mut text = counted(entries.len(), "service");
    if left_out.is_empty() {
        return text;
    }
    text.push_str(&format!("; left out, as comments with the reason: {}\n", counted(left_out.len(), "function")));
    for (function, left_out) in left_out {
        let (reason, _hint) = left_out.reason(alias);
        push_plain(&mut text, "  ", &format!("{function}: {reason}"), out);
    }
    text
}

/// What the controller has to be told, so that it reaches what the file names and nothing else.
fn next(options: &Init, clients: &Clients, draft: &Draft, out: &Out) -> String {
    let mut text = "\n".to_owned();
    let parameter = format!("`/tidegate/<installation>/environments/{}`", options.environment);
    let note = format!(
        "Before the first tick, let the controller reach these functions: {parameter} in Parameter Store needs"
    );
    push_plain(&mut text, "", &note, out);
    text.push_str(&format!("  schemaVersion: 1\n  region: {}\n  allowedFunctions:\n", region(clients)));
    if options.function_prefix.is_empty() {
        for entry in draft.entries.values() {
            text.push_str(&format!("    - {}\n", entry.function));
        }
    } else {
        text.push_str(&format!("    - \"{}*\"\n", options.function_prefix));
    }
    text.push_str("  registries:\n");
    for registry in &draft.registries {
        text.push_str(&format!("    - {registry}\n"));
    }
    push_plain(&mut text, "", "Next: `tidegate validate`, and commit the files", out);
    text
}

fn push_plain(text: &mut String, indent: &str, note: &str, out: &Out) {
    push_wrapped(text, indent, note, Tone::Plain, out.width, out.paint);
}

fn region(clients: &Clients) -> String {
    clients.lambda.config().region().map(ToString::to_string).unwrap_or_default()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
