//! The journal's records: what one says, how it is hashed, how a chain of them is proved.
//!
//! Pure: the store keeps records, this crate says what they are.
//!
//! ```text
//!  NewRecord ──seal(prev)──> Record ── hash ──> prev of the next
//!     │                        │
//!     └─ ClearPart (erasable) ─┴─ commitment = SHA-256(domain, salt, canonical body)
//!                              verify(records) / verify_export(lines) -> Verified | Broken{seq, what}
//! ```
//!
//! What identifies a person (names, documents, statement texts) is only ever in the [`ClearPart`]; the record itself
//! holds ids, counts and codes, and the clear part's commitment. Erasing a clear part leaves the chain whole.
//!
//! A [`Checkpoint`] is a record that signs the chain up to another one.
//!
//! To add a kind of record: a variant of [`RecordKind`], a payload struct in [`payload`], and nothing else: the chain,
//! the export and the verifier do not look inside.

pub mod canonical;
pub mod chain;
pub mod checkpoint;
pub mod clear;
pub mod digest;
pub mod draft;
pub mod export;
pub mod payload;
pub mod record;

pub use canonical::{CanonicalError, canonical};
pub use chain::{Broken, Chain, Sealed, Signed, Verified, Verifier, What, seal, verify};
pub use checkpoint::{BadKey, Checkpoint, PublicKey, SigningKey};
pub use clear::{ClearPart, Salt};
pub use digest::Digest;
pub use draft::Draft;
pub use export::{
    ExportError, ExportHeader, Exported, export_header, export_line, verify_export, verify_export_by,
};
pub use payload::{DirectoryChange, Payload, PayloadError};
pub use record::{NewRecord, Record, RecordKind};
