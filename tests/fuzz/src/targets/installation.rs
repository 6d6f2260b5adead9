//! What the platform team writes into Parameter Store: the installation, and behind a NUL an environment.
use std::sync::LazyLock;

use release_schema::{EnvironmentName, FunctionName};
use serde_json::json;
use tidegate_runtime::aws::Home;
use tidegate_runtime::config::{self, Configuration, Kept, Source};

use crate::aws::{Aws, answer, runtime};

static AWS: LazyLock<(Aws, Home)> = LazyLock::new(|| {
    let aws = Aws::new();
    let home = Home::new(&aws.config());
    (aws, home)
});

/// The parameters of an installation.
pub(crate) fn parameters(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (installation, environment) = text.split_once('\0').unwrap_or((&text, ""));
    let parameter = |name: &str, value: &str| json!({"Name": name, "Type": "String", "Value": value});
    let parameters = json!({"Parameters": [
        parameter("/tidegate/main/installation", installation),
        parameter("/tidegate/main/environments/staging", environment),
    ]});
    let body = parameters.to_string().into_bytes();
    let (aws, home) = &*AWS;
    aws.answers(move |_| answer(200, &[("content-type", b"application/x-amz-json-1.1")], body.clone()));
    let source = Source::Parameters { installation: "main".to_owned(), copy: None };
    match runtime().block_on(config::load(&source, home, &Kept::default())) {
        Ok(configuration) => holds(&configuration),
        Err(error) => assert!(!error.to_string().contains(['\n', '\u{1b}']), "not on one line: {error}"),
    }
}

fn holds(configuration: &Configuration) {
    // What is kept as the last good copy is what was read.
    let copy = serde_json::to_vec(configuration).expect("it can be copied");
    let again: Configuration = serde_json::from_slice(&copy).expect("the copy can be read");
    assert_eq!(again, *configuration);
    let function: FunctionName = "Staging-x".parse().expect("a name");
    let staging: EnvironmentName = "staging".parse().expect("a name");
    let environment = configuration.environments.get(&staging).expect("the environment");
    if environment.allowed_functions.is_empty() {
        assert!(!environment.allows(&function), "nothing is allowed, and this is");
    }
}
