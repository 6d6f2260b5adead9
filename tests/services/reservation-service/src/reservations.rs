//! Decides what may be reserved, and remembers it for as long as the process lives.
//!
//! Lambda runs many processes, and none for ever: a real service would keep this in a database. Here a locator follows
//! from flight and passenger, so that a request sent twice, to two processes or two versions, gets the same answer.

use std::collections::BTreeMap;

use serde::Serialize;

/// Seats of each flight.
const SEATS: usize = 168;

/// Without 0, 1, I and O, which people mix up on the telephone: 32 characters, five bits each.
const LOCATOR_ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const LOCATOR_LENGTH: usize = 6;

/// A seat that is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reservation {
    /// Six letters and digits that name the reservation.
    pub(crate) locator: String,
    pub(crate) flight: String,
    pub(crate) passenger: String,
}

/// How full a flight is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Seats {
    pub(crate) flight: String,
    pub(crate) reserved: usize,
    pub(crate) available: usize,
}

/// Whether a request made a reservation, or found its own from before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    Now(Reservation),
    Before(Reservation),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("a reservation needs a passenger")]
    NoPassenger,
    #[error("no seat left on flight `{0}`")]
    SoldOut(String),
    #[error("no reservation `{0}`")]
    UnknownLocator(String),
}

/// All reservations, by locator.
#[derive(Debug, Default)]
pub(crate) struct Reservations(BTreeMap<String, Reservation>);

impl Reservations {
    /// Reserves one seat for a passenger, once however often it is asked.
    pub(crate) fn reserve(&mut self, flight: &str, passenger: &str) -> Result<Reserved, Error> {
        let (flight, passenger) = (flight.trim().to_ascii_uppercase(), passenger.trim());
        if passenger.is_empty() {
            return Err(Error::NoPassenger);
        }
        for attempt in 0_u64.. {
            let locator = locator(&flight, passenger, attempt);
            match self.0.get(&locator) {
                Some(found) if found.flight == flight && found.passenger == passenger => {
                    return Ok(Reserved::Before(found.clone()));
                }
                // Another reservation has the same locator: a billion to one, but it must not be handed out.
                Some(_) => {}
                None if self.seats(&flight).available == 0 => break,
                None => {
                    let reservation = Reservation { locator, flight, passenger: passenger.to_owned() };
                    self.0.insert(reservation.locator.clone(), reservation.clone());
                    return Ok(Reserved::Now(reservation));
                }
            }
        }
        Err(Error::SoldOut(flight))
    }

    /// The reservation of that locator.
    pub(crate) fn read(&self, locator: &str) -> Result<Reservation, Error> {
        let locator = locator.trim().to_ascii_uppercase();
        self.0.get(&locator).cloned().ok_or(Error::UnknownLocator(locator))
    }

    /// How full a flight is. It is for the flight service to know whether there is such a flight.
    pub(crate) fn seats(&self, flight: &str) -> Seats {
        let flight = flight.trim().to_ascii_uppercase();
        let reserved = self.0.values().filter(|reservation| reservation.flight == flight).count();
        Seats { flight, reserved, available: SEATS.saturating_sub(reserved) }
    }
}

/// FNV-1a over flight, passenger and attempt, written in the locator's alphabet.
fn locator(flight: &str, passenger: &str, attempt: u64) -> String {
    let attempt = attempt.to_be_bytes();
    let bytes = flight.bytes().chain([0]).chain(passenger.bytes()).chain([0]).chain(attempt);
    let mut hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut locator = String::with_capacity(LOCATOR_LENGTH);
    for _ in 0..LOCATOR_LENGTH {
        let [.., low] = hash.to_be_bytes();
        locator.extend(LOCATOR_ALPHABET.get(usize::from(low % 32)).copied().map(char::from));
        hash >>= 5;
    }
    locator
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(reserved: Reserved) -> Reservation {
        match reserved {
            Reserved::Now(reservation) | Reserved::Before(reservation) => reservation,
        }
    }

    #[test]
    fn a_locator_is_six_unmistakable_characters_and_the_same_in_every_process() {
        let mut one = Reservations::default();
        let mut other = Reservations::default();
        let reservation = made(one.reserve("TG123", "Somsri Jaidee").unwrap());
        assert_eq!(reservation, made(other.reserve("tg123", " Somsri Jaidee ").unwrap()));
        assert_eq!(reservation.locator.len(), 6);
        assert!(reservation.locator.bytes().all(|b| LOCATOR_ALPHABET.contains(&b)), "{}", reservation.locator);
    }

    #[test]
    fn a_flight_sells_out_and_keeps_the_reservations_it_has() {
        let mut reservations = Reservations::default();
        for passenger in 0..SEATS {
            reservations.reserve("TG123", &format!("passenger {passenger}")).unwrap();
        }
        assert_eq!(reservations.reserve("TG123", "one more"), Err(Error::SoldOut("TG123".to_owned())));
        assert!(matches!(reservations.reserve("TG123", "passenger 0"), Ok(Reserved::Before(_))));
        assert!(matches!(reservations.reserve("TG403", "one more"), Ok(Reserved::Now(_))));
    }

    #[test]
    fn a_locator_that_is_taken_is_not_handed_out_again() {
        let mut reservations = Reservations::default();
        let first = locator("TG123", "Somsri Jaidee", 0);
        let other = Reservation { locator: first.clone(), flight: "TG403".into(), passenger: "Anan".into() };
        reservations.0.insert(first.clone(), other.clone());
        let reservation = made(reservations.reserve("TG123", "Somsri Jaidee").unwrap());
        assert_ne!(reservation.locator, first);
        assert_eq!(reservations.read(&first), Ok(other));
    }

    #[test]
    fn an_unknown_locator_is_named() {
        assert_eq!(Reservations::default().read(" abc "), Err(Error::UnknownLocator("ABC".to_owned())));
    }
}
