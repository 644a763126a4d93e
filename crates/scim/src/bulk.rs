//! Bulk requests (RFC 7644 section 3.7): what is asked for, in which order it can be done, and what came of it.
//!
//! ```text
//! body --parse--> BulkRequest --> BulkRun --next--> BulkStep  (the HTTP layer does it)
//!                                    ^------done--- Outcome
//!                                    '--finish--> BulkResponse
//! ```
//! An operation that names another one by `bulkId:…` waits for it. Where two wait for each other, the first is made
//! without what it names, and gets that by a PATCH as soon as the other one is there.

mod references;
mod request;
mod response;
mod run;

pub use self::request::{BulkMethod, BulkOperation, BulkRequest, BulkTarget};
pub use self::response::{BulkEntry, BulkResponse};
pub use self::run::{BulkRun, BulkStep, Done};
