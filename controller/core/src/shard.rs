//! Decides which schedule of an environment takes which of its services: by a hash of the name, so that nobody has to be asked.
mod merge;

use std::fmt;
use std::num::NonZeroU8;

use release_schema::ServiceName;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use merge::merged;

/// Into how many parts the services of an environment are divided: 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shards(NonZeroU8);

impl Shards {
    /// The most parts that there can be: as many ticks at once are far more than AWS's rates of one account feed.
    pub const MOST: u8 = 64;

    /// So many; `None` for none of them, or too many.
    #[must_use]
    pub fn new(count: u8) -> Option<Self> {
        NonZeroU8::new(count).filter(|count| count.get() <= Self::MOST).map(Self)
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0.get()
    }

    /// Each of them.
    pub fn each(self) -> impl Iterator<Item = Shard> {
        (0..self.count()).map(move |place| Shard { place, of: self })
    }
}

/// One part of an environment's services, written `2/4`: the second of four. `1/1` is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Counted from 0, and less than `of`.
    place: u8,
    of: Shards,
}

/// The text is not a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no shard; write `2/4` for the second of four, at most {most}", most = Shards::MOST)]
pub struct NotAShard(pub String);

impl Shard {
    /// All services of an environment.
    pub const WHOLE: Self = Self { place: 0, of: Shards(NonZeroU8::MIN) };

    /// Which one it is, counted from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.place.saturating_add(1)
    }

    /// How many there are of its kind.
    #[must_use]
    pub const fn of(self) -> Shards {
        self.of
    }

    /// Whether it is all services of an environment.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.of.count() == 1
    }

    /// Whether a service is one of its services.
    #[must_use]
    pub fn takes(self, service: &ServiceName) -> bool {
        self.is_whole() || shard_of(service, self.of) == self
    }

    /// Whether a service can be in both. Two numbers leave the same rest in some number, if and only if they do in the greatest
    /// common divisor (Chinese remainder theorem).
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        let divisor = greatest_common_divisor(self.of.count(), other.of.count());
        self.place.checked_rem(divisor) == other.place.checked_rem(divisor)
    }
}

/// The shard of a service where there are so many: the first eight bytes of its name's SHA-256, as a number, modulo how many
/// there are.
///
/// The same for ever: two builds that disagree would both take a service, or neither. A modulus, because nothing is stored by
/// shard: it costs nothing that another count gives most services to another one, and anybody can work it out with `sha256sum`.
#[must_use]
pub fn shard_of(service: &ServiceName, of: Shards) -> Shard {
    let hash: [u8; 32] = Sha256::digest(service.as_str()).into();
    let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let place = number.checked_rem(of.count().into()).and_then(|rest| u8::try_from(rest).ok()).unwrap_or(0);
    Shard { place, of }
}

const fn greatest_common_divisor(a: u8, b: u8) -> u8 {
    match a.checked_rem(b) {
        None => a,
        Some(rest) => greatest_common_divisor(b, rest),
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl TryFrom<String> for Shard {
    type Error = NotAShard;

    fn try_from(text: String) -> Result<Self, NotAShard> {
        let shard = || {
            let (number, of) = text.split_once('/')?;
            let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
            let (number, of) = (digits(number) && digits(of)).then_some((number, of))?;
            let of = Shards::new(of.parse().ok()?)?;
            let place = number.parse::<u8>().ok()?.checked_sub(1)?;
            (place < of.count()).then_some(Self { place, of })
        };
        shard().ok_or(NotAShard(text))
    }
}

impl std::str::FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, NotAShard> {
        Self::try_from(text.to_owned())
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.of.count())
    }
}
