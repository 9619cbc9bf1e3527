//! Signatures by cosign's key pairs: made and checked without any service, and understood by
//! cosign in both directions.

mod encrypted;
mod envelope;
mod key;
mod simple;
mod statement;

pub(crate) use envelope::{BUNDLE_TYPE, Bundle};
pub use key::{KeyError, PublicKey, SigningKey};
pub(crate) use simple::SimplePayload;
pub use statement::{Statement, StatementError};
