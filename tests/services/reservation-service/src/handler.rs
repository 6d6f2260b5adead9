//! Decides what the reservation service answers to an event.
//!
//! ```json
//! {"action": "reserve", "flight": "TG123", "passenger": "Somsri Jaidee"}
//! {"action": "read", "locator": "Q7XK2M"}
//! {"action": "seats", "flight": "TG123"}
//! ```

use std::sync::{Mutex, PoisonError};

use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service_kit::{Build, Fault, Rejection, Reply};

use crate::reservations::{self, Reservation, Reservations, Reserved, Seats};

/// Built once, used by every invocation.
#[derive(Debug)]
pub(crate) struct ReservationService {
    pub(crate) build: Build,
    pub(crate) reservations: Mutex<Reservations>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "camelCase")]
enum Request {
    Reserve { flight: String, passenger: String },
    Read { locator: String },
    Seats { flight: String },
}

/// What the answer is about; the caller knows which, by what it asked.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Reservation(Reservation),
    Seats(Seats),
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the event is not a request: `{{\"action\": \"seats\", \"flight\": \"TG123\"}}` is one")]
    MalformedRequest(#[source] serde_json::Error),
    #[error(transparent)]
    Refused(#[from] reservations::Error),
}

impl Rejection for Error {
    fn status_code(&self) -> u16 {
        match self {
            Self::MalformedRequest(_) | Self::Refused(reservations::Error::NoPassenger) => 400,
            Self::Refused(reservations::Error::UnknownLocator(_)) => 404,
            Self::Refused(reservations::Error::SoldOut(_)) => 409,
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::MalformedRequest(_) => "MalformedRequest",
            Self::Refused(reservations::Error::NoPassenger) => "NoPassenger",
            Self::Refused(reservations::Error::UnknownLocator(_)) => "UnknownLocator",
            Self::Refused(reservations::Error::SoldOut(_)) => "SoldOut",
        }
    }
}

/// Answers one invocation.
///
/// # Errors
/// Only as the build is made to: a request that cannot be served has an answer that says so.
pub(crate) async fn handle(service: &ReservationService, event: LambdaEvent<Value>) -> Result<Reply<Answer>, Fault> {
    service.build.behave().await?;
    Ok(match serve(&service.reservations, event.payload) {
        Ok((status_code, answer)) => Reply::ok(&service.build, status_code, answer),
        Err(error) => Reply::rejected(&service.build, &error),
    })
}

fn serve(reservations: &Mutex<Reservations>, payload: Value) -> Result<(u16, Answer), Error> {
    let request: Request = serde_json::from_value(payload).map_err(Error::MalformedRequest)?;
    // Each change is one insertion, so what a panicking invocation leaves behind is whole.
    let mut reservations = reservations.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(match request {
        Request::Reserve { flight, passenger } => match reservations.reserve(&flight, &passenger)? {
            Reserved::Now(reservation) => {
                tracing::info!(flight, locator = reservation.locator, "reserved");
                (201, Answer::Reservation(reservation))
            }
            Reserved::Before(reservation) => (200, Answer::Reservation(reservation)),
        },
        Request::Read { locator } => (200, Answer::Reservation(reservations.read(&locator)?)),
        Request::Seats { flight } => (200, Answer::Seats(reservations.seats(&flight))),
    })
}

#[cfg(test)]
mod tests {
    use lambda_runtime::Context;
    use serde_json::json;

    use super::*;

    fn service() -> ReservationService {
        ReservationService { build: Build::new("v2.0.0"), reservations: Mutex::default() }
    }

    async fn ask(service: &ReservationService, payload: Value) -> Value {
        let reply = handle(service, LambdaEvent::new(payload, Context::default())).await.unwrap();
        serde_json::to_value(reply).unwrap()
    }

    #[tokio::test]
    async fn a_reservation_can_be_read_by_its_locator() {
        let service = service();
        let request = json!({ "action": "reserve", "flight": "TG123", "passenger": "Somsri Jaidee" });
        let made = ask(&service, request.clone()).await;
        assert_eq!(made["statusCode"], 201);
        assert_eq!(made["version"], "v2.0.0");
        assert_eq!(made["result"]["flight"], "TG123");

        let read = ask(&service, json!({ "action": "read", "locator": made["result"]["locator"] })).await;
        assert_eq!(read["statusCode"], 200);
        assert_eq!(read["result"], made["result"]);

        let again = ask(&service, request).await;
        assert_eq!(again["statusCode"], 200, "asked twice, reserved once");
        assert_eq!(again["result"], made["result"]);
    }

    #[tokio::test]
    async fn seats_tell_how_many_are_left() {
        let service = service();
        ask(&service, json!({ "action": "reserve", "flight": "TG123", "passenger": "Somsri Jaidee" })).await;
        let seats = ask(&service, json!({ "action": "seats", "flight": "TG123" })).await;
        assert_eq!(seats["result"], json!({ "flight": "TG123", "reserved": 1, "available": 167 }));
    }

    #[tokio::test]
    async fn what_cannot_be_served_is_an_answer_and_not_a_function_error() {
        let service = service();
        let cases = [
            (json!({ "action": "cancel" }), 400, "MalformedRequest"),
            (json!({ "flight": "TG123" }), 400, "MalformedRequest"),
            (json!({ "action": "reserve", "flight": "TG123", "passenger": " " }), 400, "NoPassenger"),
            (json!({ "action": "read", "locator": "ABCDEF" }), 404, "UnknownLocator"),
        ];
        for (payload, status, code) in cases {
            let answer = ask(&service, payload).await;
            assert_eq!((&answer["statusCode"], &answer["error"]["code"]), (&json!(status), &json!(code)));
        }
    }
}
