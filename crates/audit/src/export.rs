//! JSON lines: a header, then one record a line, each line in canonical form.

use std::io::BufRead;

use axon_model::RecordSeq;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{CanonicalError, canonical};
use crate::chain::{Broken, Chain, Verified, Verifier, What};
use crate::checkpoint::PublicKey;
use crate::clear::ClearPart;
use crate::digest::Digest;
use crate::record::Record;

/// The format that this version writes and reads.
pub const FORMAT: &str = "axon-journal/1";

/// The longest line that a reader takes: 64 MiB.
const MAX_LINE: u64 = 64 << 20;

/// The first line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    /// [`FORMAT`].
    pub format: String,
    /// The position before the first record: 0 for a whole journal.
    pub after: RecordSeq,
    /// The hash that the first record follows.
    pub prev: Digest,
}

impl ExportHeader {
    /// The header of an export that begins behind `last`.
    pub fn after(last: Chain) -> Self {
        Self { format: FORMAT.into(), after: last.seq, prev: last.hash }
    }
}

/// One exported record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The record.
    pub record: Record,
    /// Its clear part, `null` where it has none, it was erased, or it was left out.
    pub clear: Option<ClearPart>,
}

/// The header line, with its line feed.
pub fn export_header(last: Chain) -> Result<String, CanonicalError> {
    line(&ExportHeader::after(last))
}

/// One record's line, with its line feed.
pub fn export_line(record: &Record, clear: Option<&ClearPart>) -> Result<String, CanonicalError> {
    #[derive(Serialize)]
    struct Line<'a> {
        record: &'a Record,
        clear: Option<&'a ClearPart>,
    }
    line(&Line { record, clear })
}

fn line<T: Serialize>(value: &T) -> Result<String, CanonicalError> {
    // These types have text keys and whole numbers only, so that they always have a value.
    let value = serde_json::to_value(value).map_err(|_| CanonicalError::Float)?;
    let mut text = canonical(&value)?;
    text.push('\n');
    Ok(text)
}

/// Why an export does not prove its journal.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file could not be read.
    #[error("the export cannot be read")]
    Read(#[from] std::io::Error),
    /// The first line is not a header of a known format.
    #[error("the first line is not the header of an {FORMAT} export")]
    Header,
    /// A record does not hold.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Proves an export line by line, without holding it in memory, or names the first record that does not hold. A line that
/// is not the canonical text of its record counts as altered, so that readers of the text see what was proved.
pub fn verify_export(lines: impl BufRead, head: Option<Chain>) -> Result<Verified, ExportError> {
    verify_export_by(lines, head, None)
}

/// The same, with the checkpoints of a key.
pub fn verify_export_by(
    mut lines: impl BufRead,
    head: Option<Chain>,
    key: Option<PublicKey>,
) -> Result<Verified, ExportError> {
    let mut buffer = Vec::new();
    next_line(&mut lines, &mut buffer)?;
    let header: ExportHeader = canonical_line(&buffer).map_err(|_| ExportError::Header)?;
    if header.format != FORMAT {
        return Err(ExportError::Header);
    }
    let mut last = header.after;
    let mut verifier = Verifier::after(Chain { seq: header.after, hash: header.prev }).by(key);
    while next_line(&mut lines, &mut buffer)? {
        let exported: Exported = canonical_line(&buffer)
            .map_err(|why| Broken { seq: last.next(), what: What::Unreadable(why) })?;
        verifier.take(&exported.record, exported.clear.as_ref())?;
        last = exported.record.seq;
    }
    Ok(verifier.finish(head)?)
}

/// Reads one line into `buffer`; false at the end. A line over the limit is cut, and then does not parse.
fn next_line(lines: &mut impl BufRead, buffer: &mut Vec<u8>) -> Result<bool, std::io::Error> {
    use std::io::Read as _;
    buffer.clear();
    let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', buffer)?;
    Ok(read > 0)
}

fn canonical_line<T: Serialize + for<'de> Deserialize<'de>>(line: &[u8]) -> Result<T, String> {
    let Some(text) = line.strip_suffix(b"\n") else {
        return Err("the line is cut off".into());
    };
    let value: Value = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let same = canonical(&value).is_ok_and(|canonical| canonical.as_bytes() == text);
    if !same {
        return Err("the line is not in canonical form".into());
    }
    serde_json::from_value(value).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::tests::journal;

    fn exported(n: u64) -> Vec<String> {
        let mut lines = vec![export_header(Chain::EMPTY).unwrap()];
        lines.extend(journal(n).iter().map(|(r, c)| export_line(r, c.as_ref()).unwrap()));
        lines
    }

    fn check(lines: &[String]) -> Result<Verified, ExportError> {
        verify_export(lines.concat().as_bytes(), None)
    }

    fn broken_seq(lines: &[String]) -> u64 {
        match check(lines) {
            Err(ExportError::Broken(broken)) => broken.seq.0,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_export_is_proved_without_the_store() {
        let lines = exported(6);
        assert_eq!(check(&lines).unwrap().records, 6);
        let head = Chain::after(&journal(6)[5].0);
        assert!(verify_export(lines.concat().as_bytes(), Some(head)).is_ok());
        assert!(verify_export(lines[..6].concat().as_bytes(), Some(head)).is_err());
    }

    #[test]
    fn an_export_from_the_middle_follows_its_header() {
        let all = journal(6);
        let mut lines = vec![export_header(Chain::after(&all[2].0)).unwrap()];
        lines.extend(all[3..].iter().map(|(r, c)| export_line(r, c.as_ref()).unwrap()));
        assert_eq!(check(&lines).unwrap().records, 3);
        lines[0] = export_header(Chain::EMPTY).unwrap();
        assert_eq!(broken_seq(&lines), 1);
    }

    #[test]
    fn the_first_bad_line_is_named() {
        let lines = exported(6);
        let mut altered = lines.clone();
        altered[3] = altered[3].replace("\"n\":2", "\"n\":3");
        assert_eq!(broken_seq(&altered), 3);
        let mut blank = lines.clone();
        blank[3] = blank[3].replacen(',', ", ", 1);
        assert_eq!(broken_seq(&blank), 3, "not canonical");
        let mut twice = lines.clone();
        twice[3] = twice[3].replacen("{\"n\":2}", "{\"n\":9,\"n\":2}", 1);
        assert_eq!(broken_seq(&twice), 3, "a name that stands twice");
        let mut cut = lines.clone();
        cut[6].truncate(40);
        assert_eq!(broken_seq(&cut), 6);
        let mut gone = lines;
        gone.remove(2);
        assert_eq!(broken_seq(&gone), 2);
    }

    #[test]
    fn what_is_no_export_is_said_to_be_none() {
        for text in ["", "{}\n", "{\"after\":0,\"format\":\"axon-journal/2\",\"prev\":\"00\"}\n", "\u{0}"] {
            assert!(matches!(verify_export(text.as_bytes(), None), Err(ExportError::Header)), "{text:?}");
        }
    }
}
