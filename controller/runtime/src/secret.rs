//! A value that is never shown: the one type through which credentials travel.
use std::fmt;

/// A password or token. `Debug` prints a placeholder, there is no `Display` and no serialisation: only the code that
/// puts it on the wire calls [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the wire alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_neither_the_value_nor_its_length() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), format!("{:?}", Secret::new("a much longer value")));
        assert!(!format!("{:#?}", Some(Secret::new("hunter2"))).contains("hunter2"));
    }
}
