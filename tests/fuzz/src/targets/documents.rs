//! What is stored: read as the store reads it, refused or understood, and written again as the same.
use std::collections::BTreeMap;
use std::sync::LazyLock;

use release_schema::{EnvironmentName, ServiceName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::history::{Head, Record, hash_bytes};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::marker::Marker;
use tidegate_core::state::ServiceState;
use tidegate_core::verify::{Alias, Evidence, verify};
use tidegate_runtime::aws::Home;
use tidegate_runtime::config::StateLocation;
use tidegate_runtime::store::desired::DesiredDocument;
use tidegate_runtime::store::{Error, Store};
use tidegate_runtime::wanted;

use super::decided;
use crate::aws::{Aws, answer, runtime};

static BUCKET: LazyLock<(Aws, Store)> = LazyLock::new(|| {
    let aws = Aws::new();
    let location = StateLocation { bucket: "state".to_owned(), prefix: String::new() };
    let store = Store::new(Home::new(&aws.config()).s3, location);
    (aws, store)
});

/// The document that lies in the bucket with these bytes, if it is one.
fn stored<T>(data: &[u8]) -> Option<T>
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    // What is no JSON at all is refused by serde_json alone, and the way there takes most of the time.
    serde_json::from_slice::<serde::de::IgnoredAny>(data).ok()?;
    let (aws, store) = &*BUCKET;
    let body = data.to_vec();
    aws.answers(move |_| answer(200, &[("etag", b"\"1\"")], body.clone()));
    match runtime().block_on(store.get::<T>("document.json")) {
        Ok(found) => {
            let document = found.expect("there is one").value;
            let again = serde_json::to_vec_pretty(&document).expect("it can be written");
            assert_eq!(serde_json::from_slice::<T>(&again).expect("and read again"), document);
            Some(document)
        }
        Err(Error::Broken { message, .. }) => {
            let place = message.strip_prefix("not such a document at line ");
            assert!(place.is_some(), "the content is repeated: {message}");
            None
        }
        Err(Error::Newer { found, .. }) => {
            assert!(found > u64::from(SCHEMA_VERSION));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A service's state, and what is decided by it.
pub(crate) fn state(data: &[u8]) {
    if let Some(state) = stored::<ServiceState>(data) {
        decided::by(&state);
    }
}

/// An environment's last good content.
pub(crate) fn desired(data: &[u8]) {
    static TEST: LazyLock<EnvironmentName> = LazyLock::new(|| "test".parse().expect("a name"));
    let Some(document) = stored::<DesiredDocument>(data) else { return };
    if let Ok(wanted) = wanted::stored(&TEST, document.clone()) {
        assert_eq!(wanted.document, document);
    }
}

/// A folder of history: the head, and behind each NUL the next record.
pub(crate) fn history(data: &[u8]) {
    let (environment, service): (EnvironmentName, ServiceName) =
        ("staging".parse().expect("a name"), "flight-service".parse().expect("a name"));
    let mut parts = data.split(|byte| *byte == 0);
    let head = parts.next().unwrap_or_default();
    let records: BTreeMap<TransitionNumber, Vec<u8>> =
        parts.take(64).zip(1..).map(|(record, number)| (TransitionNumber(number), record.to_vec())).collect();
    let parsed = stored::<Head>(head);
    let read: BTreeMap<_, _> = records
        .iter()
        .filter_map(|(number, bytes)| {
            Some((*number, (hash_bytes(bytes), serde_json::from_slice::<Record>(bytes).ok()?)))
        })
        .collect();
    if let Some(last) = records.keys().next_back()
        && let Ok(rebuilt) = Head::rebuilt(*last, &read)
    {
        assert_eq!(rebuilt.number, *last);
    }
    let alias = Alias::Unmarked;
    let evidence = Evidence {
        environment: &environment,
        service: &service,
        records: &records,
        strays: &[],
        head: Some(head),
        alias: &alias,
        under_way: None,
    };
    let verified = verify(&evidence);
    if verified.findings.is_empty() {
        let head = parsed.expect("a head that is proven can be read");
        is_a_chain(&head, &records);
    }
    serde_json::to_vec(&verified).expect("it can be answered");
}

/// Nothing was found: then each record is chained to the one before it, and the head names the last.
fn is_a_chain(head: &Head, records: &BTreeMap<TransitionNumber, Vec<u8>>) {
    let mut before = None;
    for (number, bytes) in records {
        let record: serde_json::Value = serde_json::from_slice(bytes).expect("a record");
        assert_eq!(record["number"], number.0);
        assert_eq!(record["previous"].as_str().map(str::to_owned), before, "record {number} is not chained");
        before = Some(hash_bytes(bytes).0);
    }
    assert_eq!(Some(head.number), records.keys().next_back().copied());
    assert_eq!(Some(&head.hash.0), before.as_ref());
}

/// An alias's description.
pub(crate) fn marker(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(marker) = Marker::parse(&text) {
        let written = marker.to_string();
        assert!(written.len() <= 256, "{written}");
        assert_eq!(Marker::parse(&written), Some(marker));
    }
}
