//! The wire formats that several services share.
