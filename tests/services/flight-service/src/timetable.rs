//! Decides which flights there are. A real service would ask a database; this one's timetable ships with the build.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A flight number: an airline's two characters and up to four digits, `TG123`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct FlightNumber(String);

/// The text is no flight number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a flight number such as `TG123`")]
pub(crate) struct MalformedFlightNumber(String);

impl FromStr for FlightNumber {
    type Err = MalformedFlightNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().to_ascii_uppercase();
        let well_formed = number.split_at_checked(2).is_some_and(|(airline, digits)| {
            airline.chars().all(|c| c.is_ascii_alphanumeric())
                && (1..=4).contains(&digits.len())
                && digits.chars().all(|c| c.is_ascii_digit())
        });
        if well_formed { Ok(Self(number)) } else { Err(MalformedFlightNumber(text.to_owned())) }
    }
}

impl fmt::Display for FlightNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A flight as the timetable has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Flight {
    pub(crate) flight: FlightNumber,
    /// IATA code of the airport.
    pub(crate) origin: &'static str,
    /// IATA code of the airport.
    pub(crate) destination: &'static str,
    /// Local time of the origin.
    pub(crate) departure: &'static str,
    /// Local time of the destination.
    pub(crate) arrival: &'static str,
    /// IATA type of the aircraft.
    pub(crate) aircraft: &'static str,
}

/// All flights, by number.
#[derive(Debug)]
pub(crate) struct Timetable(BTreeMap<FlightNumber, Flight>);

impl Timetable {
    /// The timetable of this build.
    pub(crate) fn published() -> Self {
        let flights = [
            ("TG123", "BKK", "HKT", "08:15", "09:40", "A320"),
            ("TG403", "BKK", "SIN", "08:00", "11:25", "A359"),
            ("TG642", "BKK", "NRT", "23:50", "08:10", "B789"),
            ("TG910", "BKK", "LHR", "01:10", "07:20", "B77W"),
            ("TG921", "FRA", "BKK", "13:45", "06:05", "A359"),
        ];
        let entry = |(number, origin, destination, departure, arrival, aircraft): (&str, _, _, _, _, _)| {
            let flight = FlightNumber(number.to_owned());
            (flight.clone(), Flight { flight, origin, destination, departure, arrival, aircraft })
        };
        Self(flights.into_iter().map(entry).collect())
    }

    /// The flight of that number.
    pub(crate) fn find(&self, number: &FlightNumber) -> Option<&Flight> {
        self.0.get(number)
    }

    /// How many flights there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flight_numbers_are_read_as_people_write_them() {
        for text in ["TG123", "tg123", " TG123 "] {
            assert_eq!(text.parse(), Ok(FlightNumber("TG123".to_owned())));
        }
        assert_eq!("5j1".parse(), Ok(FlightNumber("5J1".to_owned())));
    }

    #[test]
    fn what_is_no_flight_number_is_refused_with_the_text() {
        for text in ["", "T", "TG", "TG12345", "TG12A", "ทG123", "T\u{e9}123"] {
            assert_eq!(text.parse::<FlightNumber>(), Err(MalformedFlightNumber(text.to_owned())));
        }
    }

    #[test]
    fn every_published_flight_has_a_well_formed_number_and_is_found_by_it() {
        let timetable = Timetable::published();
        assert!(timetable.len() > 0);
        for (number, flight) in &timetable.0 {
            assert_eq!(number.to_string().parse().as_ref(), Ok(number));
            assert_eq!(timetable.find(number), Some(flight));
        }
    }
}
