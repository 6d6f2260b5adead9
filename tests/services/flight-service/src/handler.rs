//! Decides what the flight service answers to an event.

use lambda_runtime::LambdaEvent;
use serde::Deserialize;
use serde_json::Value;
use service_kit::{Build, Fault, Rejection, Reply};

use crate::timetable::{Flight, FlightNumber, MalformedFlightNumber, Timetable};

/// Built once, used by every invocation.
#[derive(Debug)]
pub(crate) struct FlightService {
    pub(crate) build: Build,
    pub(crate) timetable: Timetable,
}

#[derive(Debug, Deserialize)]
struct Request {
    flight: String,
}

/// Why there is no flight to tell of.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the event is not a request: `{{\"flight\": \"TG123\"}}` is one")]
    MalformedRequest(#[source] serde_json::Error),
    #[error(transparent)]
    MalformedFlightNumber(#[from] MalformedFlightNumber),
    #[error("no flight `{0}`")]
    UnknownFlight(FlightNumber),
}

impl Rejection for Error {
    fn status_code(&self) -> u16 {
        match self {
            Self::MalformedRequest(_) | Self::MalformedFlightNumber(_) => 400,
            Self::UnknownFlight(_) => 404,
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::MalformedRequest(_) => "MalformedRequest",
            Self::MalformedFlightNumber(_) => "MalformedFlightNumber",
            Self::UnknownFlight(_) => "UnknownFlight",
        }
    }
}

/// Answers one invocation.
///
/// # Errors
/// Only as the build is made to: a request that cannot be served has an answer that says so.
pub(crate) async fn handle(service: &FlightService, event: LambdaEvent<Value>) -> Result<Reply<Flight>, Fault> {
    service.build.behave().await?;
    Ok(match look_up(&service.timetable, event.payload) {
        Ok(flight) => {
            tracing::info!(flight = %flight.flight, "flight found");
            Reply::ok(&service.build, 200, flight)
        }
        Err(error) => Reply::rejected(&service.build, &error),
    })
}

fn look_up(timetable: &Timetable, payload: Value) -> Result<Flight, Error> {
    let request: Request = serde_json::from_value(payload).map_err(Error::MalformedRequest)?;
    let number: FlightNumber = request.flight.parse()?;
    timetable.find(&number).cloned().ok_or(Error::UnknownFlight(number))
}

#[cfg(test)]
mod tests {
    use lambda_runtime::Context;
    use serde_json::json;

    use super::*;

    async fn ask(payload: Value) -> Value {
        let service = FlightService { build: Build::new("v1.2.3"), timetable: Timetable::published() };
        let reply = handle(&service, LambdaEvent::new(payload, Context::default())).await.unwrap();
        serde_json::to_value(reply).unwrap()
    }

    #[tokio::test]
    async fn a_known_flight_comes_with_its_details_and_the_build_that_answered() {
        let expected = json!({
            "statusCode": 200,
            "version": "v1.2.3",
            "result": {
                "flight": "TG123",
                "origin": "BKK",
                "destination": "HKT",
                "departure": "08:15",
                "arrival": "09:40",
                "aircraft": "A320",
            },
        });
        assert_eq!(ask(json!({ "flight": "TG123" })).await, expected);
        assert_eq!(ask(json!({ "flight": " tg123 ", "trace": "from a newer client" })).await, expected);
    }

    #[tokio::test]
    async fn an_unknown_flight_is_an_answer_and_not_a_function_error() {
        let answer = ask(json!({ "flight": "TG999" })).await;
        assert_eq!(answer["statusCode"], 404);
        assert_eq!(answer["error"], json!({ "code": "UnknownFlight", "message": "no flight `TG999`" }));
    }

    #[tokio::test]
    async fn what_is_not_a_request_is_told_what_one_looks_like() {
        for payload in [Value::Null, json!({}), json!({ "flight": 123 })] {
            let answer = ask(payload).await;
            assert_eq!(answer["statusCode"], 400);
            assert_eq!(answer["error"]["code"], "MalformedRequest");
            assert_eq!(answer["error"]["message"], r#"the event is not a request: `{"flight": "TG123"}` is one"#);
        }
        assert_eq!(ask(json!({ "flight": "Bangkok" })).await["error"]["code"], "MalformedFlightNumber");
    }
}
