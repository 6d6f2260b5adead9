//! Counts every attempt that goes out to AWS and those that Lambda throttled, and catches the server's time: two interceptors
//! below every client.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use chrono::{DateTime, Utc};

/// How often each operation was called, attempts counted one by one: what AWS's rates and bills count.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
    throttled: Arc<AtomicU64>,
}

impl Calls {
    /// The counts since the last time they were taken, as `service:Operation`.
    #[must_use]
    pub fn take(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many attempts Lambda answered with 429 since the last time this was taken: its rates are the account's, so that
    /// others felt it as well.
    #[must_use]
    pub fn take_throttled(&self) -> u64 {
        self.throttled.swap(0, Ordering::Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = config.load::<Metadata>() {
            let name = format!("{}:{}", metadata.service().to_ascii_lowercase(), metadata.name());
            *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if throttled(context, config).is_some() {
            self.throttled.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The operation whose call was answered with 429 for the account's rates: an invocation is throttled by its function's own
/// concurrency.
pub(super) fn throttled<'c>(
    context: &BeforeDeserializationInterceptorContextRef<'_>,
    config: &'c ConfigBag,
) -> Option<&'c str> {
    let operation = config.load::<Metadata>()?.name();
    (context.response().status().as_u16() == 429 && operation != "Invoke").then_some(operation)
}

/// The `Date` of the answer to the call it is attached to: the server's time, the only one that Tidegate decides by.
#[derive(Clone, Debug, Default)]
pub struct ServerDate {
    date: Arc<Mutex<Option<DateTime<Utc>>>>,
}

impl ServerDate {
    /// The date of the last answer; `None` where there was no answer, or no date in it.
    #[must_use]
    pub fn get(&self) -> Option<DateTime<Utc>> {
        *self.date.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for ServerDate {
    fn name(&self) -> &'static str {
        "ServerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) =
            context.response().headers().get("date").and_then(|text| httpdate::parse_http_date(text).ok())
        {
            *self.date.lock().unwrap_or_else(PoisonError::into_inner) = Some(DateTime::<Utc>::from(date));
        }
        Ok(())
    }
}
