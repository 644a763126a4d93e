//! Requests other than RPCs: SQL text and transactions, and the headers before all of them.

use super::reader::{Malformed, Reader, utf16};
use super::version::TdsVersion;

/// Pass over ALL_HEADERS (2.2.5.3), which 7.2 and later put before requests.
pub fn after_headers(body: &[u8], version: TdsVersion) -> Result<&[u8], Malformed> {
    if !version.has_wide_counts() {
        return Ok(body);
    }
    let length = Reader::new(body).length32()?;
    if length < 4 {
        return Err(Malformed("length of ALL_HEADERS"));
    }
    body.get(length..).ok_or(Malformed("length of ALL_HEADERS"))
}

/// Text of a SQLBatch.
pub fn batch(body: &[u8], version: TdsVersion) -> Result<String, Malformed> {
    utf16(after_headers(body, version)?)
}

/// A transaction manager request (2.2.6.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// Begin one. The level is 0 if it is not to change.
    Begin {
        /// Isolation level, 1 to 5
        isolation: u8,
    },
    /// Commit, and perhaps begin the next.
    Commit {
        /// Begin another at once.
        begin: bool,
    },
    /// Roll back, and perhaps begin the next.
    Rollback {
        /// Begin another at once.
        begin: bool,
    },
    /// Set a save point.
    Save,
    /// Distributed transactions.
    Distributed,
}

/// Read a transaction manager request.
pub fn transaction(body: &[u8], version: TdsVersion) -> Result<Transaction, Malformed> {
    let mut reader = Reader::new(after_headers(body, version)?);
    match reader.u16()? {
        5 => {
            let isolation = reader.u8()?;
            reader.b_varchar()?;
            Ok(Transaction::Begin { isolation })
        }
        7 => ending(&mut reader).map(|begin| Transaction::Commit { begin }),
        8 => ending(&mut reader).map(|begin| Transaction::Rollback { begin }),
        9 => Ok(Transaction::Save),
        0 | 1 | 6 => Ok(Transaction::Distributed),
        _ => Err(Malformed("unknown transaction request")),
    }
}

fn ending(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    reader.b_varchar()?;
    Ok(reader.u8()? & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_passed_over_where_they_exist() {
        let body = [6, 0, 0, 0, 9, 9, b'a', 0];
        assert_eq!(batch(&body, TdsVersion::V7_4).as_deref(), Ok("a"));
        assert_eq!(batch(&[b'a', 0], TdsVersion::V7_1).as_deref(), Ok("a"));
        assert!(batch(&[3, 0, 0, 0], TdsVersion::V7_4).is_err());
        assert!(batch(&[9, 0, 0, 0], TdsVersion::V7_4).is_err());
        assert!(batch(&[4, 0], TdsVersion::V7_4).is_err());
    }

    #[test]
    fn transactions_are_told_apart() {
        let read = |rest: &[u8]| transaction(&[&[4, 0, 0, 0], rest].concat(), TdsVersion::V7_4);
        assert_eq!(read(&[5, 0, 2, 0]), Ok(Transaction::Begin { isolation: 2 }));
        assert_eq!(read(&[7, 0, 0, 1, 0, 0]), Ok(Transaction::Commit { begin: true }));
        assert_eq!(read(&[8, 0, 0, 0]), Ok(Transaction::Rollback { begin: false }));
        assert!(read(&[77, 0]).is_err());
        assert!(read(&[8, 0]).is_err());
    }
}
