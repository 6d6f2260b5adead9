//! Decides what the reference says of an installation's parameters and of the Lambda's variables.
use serde_json::Value;
use tidegate_runtime::config::Configuration;

use super::markdown::{code, table};
use super::rust::{Told, constants, fields_of};

const CONFIGURATION: &str = "controller/runtime/src/config.rs";
const REPOSITORY: &str = "controller/runtime/src/config/repository.rs";
const HOUSEKEEPING: &str = "controller/core/src/housekeeping.rs";

/// What has to be said; everything else is left out, so that it is what it is by itself.
const LEAST: &str = "
installation:
  schemaVersion: 1
  repository:
    url: https://example.com/releases.git
    githubApp: { appId: 1, installationId: 2, privateKey: a-parameter }
  state: { bucket: a-bucket }
environments:
  staging:
    schemaVersion: 1
    region: eu-central-1
    allowedFunctions: []
    versionHousekeeping: {}
";

/// Each document, and where it is in the whole.
const DOCUMENTS: [(&str, &str, &str, &str); 8] = [
    ("The installation", "Installation", "/installation", "`/tidegate/<installation>/installation`."),
    ("`repository`", "Repository", "/installation/repository", "The release repository."),
    (
        "`githubApp`",
        "GithubApp",
        "/installation/repository/githubApp",
        "In place of `credential`. [Private repositories](../guides/private-repositories.md#github-app) says where each comes from.",
    ),
    ("`state`", "StateLocation", "/installation/state", "Where state is stored."),
    (
        "An environment",
        "EnvironmentConfig",
        "/environments/staging",
        "`/tidegate/<installation>/environments/<environment>`, one for each.",
    ),
    (
        "`massChange`",
        "MassChangeGuard",
        "/environments/staging/massChange",
        "How much of an environment one commit may change without a person's word. An emptied one always waits for it.",
    ),
    (
        "`versionHousekeeping`",
        "Policy",
        "/environments/staging/versionHousekeeping",
        "How long published versions are kept; left out, none is ever deleted. One that any of the two numbers keeps is kept.",
    ),
    (
        "`callBudget`",
        "CallBudget",
        "/environments/staging/callBudget",
        "The share of AWS's request rates that an environment's ticks may use. AWS counts by account and region: environments that \
         share one have to share these as well.",
    ),
];

pub(super) fn page() -> String {
    let least: Value = serde_yaml::from_str(LEAST).unwrap();
    let read: Configuration = serde_yaml::from_str(LEAST).unwrap();
    let read = serde_json::to_value(read).unwrap();
    let (source, repository, housekeeping) =
        (super::source(CONFIGURATION), super::source(REPOSITORY), super::source(HOUSEKEEPING));
    let parts = DOCUMENTS.map(|(title, name, place, about)| {
        let source = match name {
            "Repository" | "GithubApp" => &repository,
            "Policy" => &housekeeping,
            _ => &source,
        };
        let rows: Vec<_> = fields_of(source, name).iter().map(|field| row(field, place, &least, &read)).collect();
        format!("## {title}\n\n{about}\n\n{}", table(["field", "left out", "meaning"], &rows))
    });
    format!(
        "# An installation's parameters\n\nOne YAML or JSON document in Parameter Store for the installation, and one for each \
         environment. [Configuration](../configuration.md) shows them and explains what they do. With `--configuration FILE` the command \
         line reads them from one file, with `installation` and `environments` (by name) in it. A field that is not named here is \
         refused.\n\n{}",
        parts.concat()
    )
}

fn row(field: &Told, place: &str, least: &Value, read: &Value) -> [String; 3] {
    let pointer = format!("{place}/{}", field.name);
    let left_out = match (least.pointer(&pointer), read.pointer(&pointer)) {
        _ if field.name == "versionHousekeeping" => "off".to_owned(),
        _ if field.name == "githubApp" => String::new(),
        (Some(_), _) => "required".to_owned(),
        (None, Some(Value::Null) | None) => String::new(),
        (None, Some(Value::String(text))) if text.is_empty() => "empty".to_owned(),
        (None, Some(Value::Array(items))) if items.is_empty() => "none".to_owned(),
        (None, Some(Value::Object(_))) => "as below".to_owned(),
        (None, Some(value)) => code(&value.to_string().replace('"', "")),
    };
    // The policy's own fields are private, and their ranges are what there is to say.
    let about = match field.name.as_str() {
        "keepVersions" => "How many of the newest versions, and of those that were good last: 5 to 1000.".to_owned(),
        "keepDays" => "For how many days what was published or live then: 1 to 3650.".to_owned(),
        _ => field.about.clone(),
    };
    [code(&field.name), left_out, about]
}

/// The variables that the Lambda reads.
pub(super) fn variables() -> String {
    let settings = constants(&super::source("controller/lambda/src/settings.rs"), "TIDEGATE_");
    let logs = constants(&super::source("controller/runtime/src/logs.rs"), "TIDEGATE_");
    let rows: Vec<_> = settings.iter().chain(&logs).map(|told| [code(&told.name), told.about.clone()]).collect();
    assert!(rows.len() >= 5, "{rows:?}");
    format!(
        "# Variables of the Lambda\n\nThey only say where configuration and state are; what is in them is not configuration. The command \
         line's own are with its [options](command-line.md#how-the-installation-is-reached).\n\n{}",
        table(["variable", "meaning"], &rows)
    )
}
