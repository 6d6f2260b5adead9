//! The service registry as one document.
use std::collections::BTreeMap;

use release_schema::EnvironmentName;
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::registry::{Document, Listed, NotOurs};

use crate::build::*;

const ALIAS: &str = "arn:aws:lambda:eu-central-1:111122223333:function:StagingFlightService:live";

fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

fn document() -> Document {
    let listed = Listed { alias_arn: ALIAS.to_owned(), version: v(7), tag: Some(tag('a')) };
    Document::empty(staging()).with(BTreeMap::from([("flight-service".parse().unwrap(), listed)]))
}

#[test]
fn a_registry_is_read_as_it_was_stored() {
    let text = document().encode().unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"schemaVersion":1,"environment":"staging","services":{{"flight-service":{{"aliasArn":"{ALIAS}","version":"7","tag":"v-a"}}}}}}"#
        )
    );
    assert_eq!(Document::parse(&text, &staging()), Ok(document()));
}

#[test]
fn what_is_no_registry_of_this_environment_is_not_written_over() {
    let refused = |document: &Document| Document::parse(&document.encode().unwrap(), &staging()).unwrap_err();
    let newer = SCHEMA_VERSION + 1;
    assert_eq!(refused(&Document { schema_version: newer, ..document() }), NotOurs::Newer { found: newer });
    let environment: EnvironmentName = "production".parse().unwrap();
    assert_eq!(refused(&Document::empty(environment.clone())), NotOurs::Another { environment });
    for text in ["", "{}", r#"{"schemaVersion":1}"#, "vpc-0a1b2c3d"] {
        assert_eq!(Document::parse(text, &staging()), Err(NotOurs::SomethingElse), "{text}");
    }
}
