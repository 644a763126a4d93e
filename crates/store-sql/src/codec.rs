//! Between columns and the domain's types. A stored value that makes no sense is named by table, column and row.

use axon_store::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

/// Where a value came from, for the error.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub table: &'static str,
    pub row: &'a (dyn std::fmt::Display + Sync),
}

impl Place<'_> {
    /// The error for a value of this column.
    pub fn bad(&self, column: &'static str, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt {
            table: self.table,
            column,
            row: self.row.to_string(),
            reason: reason.to_string(),
        }
    }

    /// A UUID's 16 bytes.
    pub fn uuid(&self, column: &'static str, bytes: &[u8]) -> Result<Uuid, StoreError> {
        Uuid::from_slice(bytes).map_err(|e| self.bad(column, e))
    }

    /// An instant.
    pub fn instant(&self, column: &'static str, micros: i64) -> Result<OffsetDateTime, StoreError> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).map_err(|e| self.bad(column, e))
    }

    /// A number that is never negative.
    pub fn count(&self, column: &'static str, n: i64) -> Result<u64, StoreError> {
        u64::try_from(n).map_err(|e| self.bad(column, e))
    }

    /// An exact number of bytes.
    pub fn bytes<const N: usize>(&self, column: &'static str, bytes: &[u8]) -> Result<[u8; N], StoreError> {
        bytes
            .try_into()
            .map_err(|_| self.bad(column, format_args!("{} bytes where {N} should be", bytes.len())))
    }

    /// A JSON text.
    pub fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|e| self.bad(column, e))
    }

    /// Anything that parses itself.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, StoreError> {
        text.parse().map_err(|e| self.bad(column, e))
    }
}

/// An instant as a column holds it: microseconds since 1970.
pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// A position or a count as a column holds it. They never come near 2^63.
pub(crate) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn instants_read_back() {
        let place = Place { table: "t", row: &1 };
        for at in [datetime!(2026-11-22 03:04:05.123_456 UTC), datetime!(1969-12-31 23:59:59.999_999 UTC)] {
            assert_eq!(place.instant("at", micros(at)).unwrap(), at);
        }
    }

    #[test]
    fn a_bad_value_is_named_by_its_place() {
        let place = Place { table: "users", row: &7 };
        let error = place.uuid("id", &[1, 2]).unwrap_err().to_string();
        assert!(error.contains("users.id, row 7"), "{error}");
    }
}
