//! `tidegate validate [DIR]`: every problem of every file, each at its place.
use std::collections::BTreeSet;

use release_schema::EnvironmentName;
use tidegate_runtime::wanted::{services_file, validate};

use super::tree::{self, Tree};
use crate::arguments::Validate;
use crate::exit::{Error, Exit};
use crate::out;

pub(crate) fn run(wish: &Validate) -> Result<Exit, Error> {
    let tree = Tree::open(&wish.dir)?;
    let config = match &tree.config {
        Ok(config) => config,
        Err(problems) => {
            tree::show(problems);
            out::note("not valid: the environments are checked once `release-config.yaml` is");
            return Ok(Exit::InvalidRelease);
        }
    };
    let listed: BTreeSet<EnvironmentName> = config.environments.keys().cloned().collect();
    let mut bad = 0;
    for name in listed.union(&tree.folders()) {
        bad += usize::from(!is_valid(&tree, name, listed.contains(name))?);
    }
    if bad > 0 {
        out::note(&format!("not valid: {bad} of {}", environments(listed.union(&tree.folders()).count())));
        return Ok(Exit::InvalidRelease);
    }
    out::data(&format!("valid: {}", environments(listed.len())))?;
    Ok(Exit::Done)
}

fn environments(count: usize) -> String {
    if count == 1 { "1 environment".to_owned() } else { format!("{count} environments") }
}

fn is_valid(tree: &Tree<'_>, name: &EnvironmentName, listed: bool) -> Result<bool, Error> {
    let Some(content) = tree.content(name)? else {
        if listed {
            out::note(&format!(
                "{}: the file does not exist, and `release-config.yaml` lists `{name}`",
                services_file(name)
            ));
        }
        return Ok(!listed);
    };
    match validate(name, &content) {
        Ok(_) => Ok(true),
        Err(problems) => {
            tree::show(&problems);
            Ok(false)
        }
    }
}
