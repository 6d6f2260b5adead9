//! Decides what the BFF answers: what two services know of a flight, in one piece.

use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service_kit::{Build, Fault, Rejection, Reply};

use crate::downstream::{self, Downstream};

const FLIGHT_SERVICE: &str = "flight-service";
const RESERVATION_SERVICE: &str = "reservation-service";

/// Built once, used by every invocation.
#[derive(Debug)]
pub(crate) struct FlightBff {
    pub(crate) build: Build,
    pub(crate) downstream: Downstream,
}

#[derive(Debug, Deserialize)]
struct Request {
    flight: String,
}

/// A flight as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlightPage {
    flight: Value,
    seats: Value,
    served_by: ServedBy,
}

/// Which builds the page is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ServedBy {
    flight_service: String,
    reservation_service: String,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the event is not a request: `{{\"flight\": \"TG123\"}}` is one")]
    MalformedRequest(#[source] serde_json::Error),
    #[error(transparent)]
    Downstream(#[from] downstream::Error),
}

impl Rejection for Error {
    fn status_code(&self) -> u16 {
        match self {
            Self::MalformedRequest(_) => 400,
            Self::Downstream(error) => error.status_code(),
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::MalformedRequest(_) => "MalformedRequest",
            Self::Downstream(error) => error.code(),
        }
    }
}

/// Answers one invocation.
///
/// # Errors
/// Only as the build is made to: a request that cannot be served has an answer that says so.
pub(crate) async fn handle(bff: &FlightBff, event: LambdaEvent<Value>) -> Result<Reply<FlightPage>, Fault> {
    bff.build.behave().await?;
    Ok(match assemble(&bff.downstream, event.payload).await {
        Ok(page) => Reply::ok(&bff.build, 200, page),
        Err(error) => Reply::rejected(&bff.build, &error),
    })
}

async fn assemble(downstream: &Downstream, payload: Value) -> Result<FlightPage, Error> {
    let request: Request = serde_json::from_value(payload).map_err(Error::MalformedRequest)?;
    let look_up = json!({ "flight": request.flight });
    let count_seats = json!({ "action": "seats", "flight": request.flight });
    // Both are asked at once. The flight's error counts first: without the flight its seats mean nothing.
    let (flight, seats) =
        tokio::join!(downstream.ask(FLIGHT_SERVICE, &look_up), downstream.ask(RESERVATION_SERVICE, &count_seats),);
    let (flight, seats) = (flight?, seats?);
    tracing::info!(flight = request.flight, "page assembled");
    Ok(FlightPage {
        flight: flight.result,
        seats: seats.result,
        served_by: ServedBy { flight_service: flight.version, reservation_service: seats.version },
    })
}

#[cfg(test)]
mod tests;
