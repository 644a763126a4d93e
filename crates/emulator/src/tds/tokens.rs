//! Tokens of the answer stream (2.2.7), one function each.

use crate::answer::{Column, ServerError};

use super::charset::COLLATION;
use super::type_info::{Layout, layout, put as put_type, shown};
use super::version::TdsVersion;

/// More results follow.
pub const DONE_MORE: u16 = 0x01;
/// The statement failed.
pub const DONE_ERROR: u16 = 0x02;
/// The count is valid.
pub const DONE_COUNT: u16 = 0x10;
/// This answers an attention.
pub const DONE_ATTENTION: u16 = 0x20;

/// Longest message text in UTF-16 units, as in the server.
const MAX_MESSAGE: usize = 2048;
const COLUMN_NULLABLE: u16 = 0x01;
/// Whether it could be written to is not said, as real servers do not: a bulk copy program leaves out what it is told to be read-only.
const COLUMN_UPDATEABLE_UNKNOWN: u16 = 8;

/// Which of the three DONE tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// End of a statement of a batch
    Statement,
    /// End of a procedure
    Procedure,
    /// End of a statement inside a procedure
    InProcedure,
}

impl Done {
    /// The token's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Statement => 0xFD,
            Self::Procedure => 0xFE,
            Self::InProcedure => 0xFF,
        }
    }
}

/// DONE, DONEPROC or DONEINPROC.
pub fn put_done(out: &mut Vec<u8>, kind: Done, status: u16, rows: u64, version: TdsVersion) {
    out.push(kind.number());
    out.extend_from_slice(&status.to_le_bytes());
    // The current command, which clients ignore.
    out.extend_from_slice(&0_u16.to_le_bytes());
    if version.has_wide_counts() {
        out.extend_from_slice(&rows.to_le_bytes());
    } else {
        out.extend_from_slice(&u32::try_from(rows).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// `B_VARCHAR`, cut at 255 units.
pub fn put_b_varchar(out: &mut Vec<u8>, text: &str) {
    let at = out.len();
    out.push(0);
    out.extend(text.encode_utf16().take(255).flat_map(u16::to_le_bytes));
    out[at] = u8::try_from((out.len() - at - 1) / 2).unwrap_or(u8::MAX);
}

fn put_us_varchar(out: &mut Vec<u8>, text: &str, limit: usize) {
    let at = out.len();
    out.extend([0, 0]);
    out.extend(text.encode_utf16().take(limit).flat_map(u16::to_le_bytes));
    let units = u16::try_from((out.len() - at - 2) / 2).unwrap_or(u16::MAX);
    out[at..at + 2].copy_from_slice(&units.to_le_bytes());
}

/// Write a token whose length is two bytes after its number.
fn put_sized(out: &mut Vec<u8>, number: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(number);
    let at = out.len();
    out.extend([0, 0]);
    body(out);
    let length = u16::try_from(out.len() - at - 2).unwrap_or(u16::MAX);
    out[at..at + 2].copy_from_slice(&length.to_le_bytes());
}

/// ERROR (severity 11 and up) or INFO.
pub fn put_message(
    out: &mut Vec<u8>,
    is_error: bool,
    error: &ServerError,
    server: &str,
    version: TdsVersion,
) {
    put_sized(out, if is_error { 0xAA } else { 0xAB }, |out| {
        out.extend_from_slice(&error.number.to_le_bytes());
        out.extend([error.state, error.class]);
        put_us_varchar(out, &error.message, MAX_MESSAGE);
        put_b_varchar(out, server);
        put_b_varchar(out, error.procedure.as_deref().unwrap_or_default());
        if version.has_wide_counts() {
            out.extend_from_slice(&error.line.to_le_bytes());
        } else {
            out.extend_from_slice(&u16::try_from(error.line).unwrap_or(u16::MAX).to_le_bytes());
        }
    });
}

/// ENVCHANGE of a text setting: 1 database, 2 language, 4 packet size.
pub fn put_env_text(out: &mut Vec<u8>, kind: u8, new: &str, old: &str) {
    put_sized(out, 0xE3, |out| {
        out.push(kind);
        put_b_varchar(out, new);
        put_b_varchar(out, old);
    });
}

/// ENVCHANGE of bytes: 7 collation, 8 to 10 transactions, 18 reset.
pub fn put_env_bytes(out: &mut Vec<u8>, kind: u8, new: &[u8], old: &[u8]) {
    put_sized(out, 0xE3, |out| {
        out.push(kind);
        for value in [new, old] {
            out.push(u8::try_from(value.len()).unwrap_or(0));
            out.extend_from_slice(value);
        }
    });
}

/// ENVCHANGE of the collation, sent at login.
pub fn put_env_collation(out: &mut Vec<u8>) {
    put_env_bytes(out, 7, &COLLATION, &[]);
}

/// LOGINACK
pub fn put_loginack(out: &mut Vec<u8>, version: TdsVersion, program: &str, program_version: [u8; 4]) {
    put_sized(out, 0xAD, |out| {
        // Interface: T-SQL.
        out.push(1);
        out.extend_from_slice(&version.number().to_be_bytes());
        put_b_varchar(out, program);
        out.extend_from_slice(&program_version);
    });
}

/// FEATUREEXTACK of a FEDAUTH login by security token.
pub fn put_fedauth_ack(out: &mut Vec<u8>, nonce: Option<[u8; 32]>) {
    let nonce = nonce.as_ref().map_or(&[][..], |nonce| &nonce[..]);
    out.extend([0xAE, 0x02]);
    out.extend_from_slice(&u32::try_from(nonce.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(nonce);
    out.push(0xFF);
}

/// COLMETADATA
pub fn put_columns(out: &mut Vec<u8>, columns: &[Column], version: TdsVersion) {
    out.push(0x81);
    out.extend_from_slice(&u16::try_from(columns.len()).unwrap_or(u16::MAX).to_le_bytes());
    for column in columns {
        let ty = shown(column.ty, version);
        put_user_type(out, column.nullable, version);
        put_type(out, ty, version);
        if layout(ty, version) == Layout::Pointed {
            // These types name their table; an expression has none.
            put_us_varchar(out, "", 0);
        }
        put_b_varchar(out, &column.name);
    }
}

/// User type 0 and the flags.
fn put_user_type(out: &mut Vec<u8>, nullable: bool, version: TdsVersion) {
    if version.has_wide_counts() {
        out.extend_from_slice(&0_u32.to_le_bytes());
    } else {
        out.extend_from_slice(&0_u16.to_le_bytes());
    }
    let flags = COLUMN_UPDATEABLE_UNKNOWN | if nullable { COLUMN_NULLABLE } else { 0 };
    out.extend_from_slice(&flags.to_le_bytes());
}

/// RETURNSTATUS
pub fn put_return_status(out: &mut Vec<u8>, status: i32) {
    out.push(0x79);
    out.extend_from_slice(&status.to_le_bytes());
}

/// The head of RETURNVALUE, up to its value.
pub fn put_return_value_head(out: &mut Vec<u8>, ordinal: u16, column: &Column, version: TdsVersion) {
    out.push(0xAC);
    out.extend_from_slice(&ordinal.to_le_bytes());
    put_b_varchar(out, &column.name);
    // 1: an output parameter, not the result of a function.
    out.push(1);
    put_user_type(out, column.nullable, version);
    put_type(out, shown(column.ty, version), version);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_is_short_for_old_clients() {
        let mut out = Vec::new();
        put_done(&mut out, Done::Statement, DONE_COUNT, 3, TdsVersion::V7_4);
        assert_eq!(out, [0xFD, 0x10, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        out.clear();
        put_done(&mut out, Done::Procedure, 0, 3, TdsVersion::V7_1);
        assert_eq!(out, [0xFE, 0, 0, 0, 0, 3, 0, 0, 0]);
    }

    #[test]
    fn messages_are_cut_and_their_length_is_right() {
        let error = ServerError::new(50_000, "x".repeat(100_000));
        let mut out = Vec::new();
        put_message(&mut out, true, &error, "s", TdsVersion::V7_4);
        let length = usize::from(u16::from_le_bytes([out[1], out[2]]));
        assert_eq!(length, out.len() - 3);
        assert_eq!(u16::from_le_bytes([out[9], out[10]]), 2048);
    }

    #[test]
    fn env_changes_have_new_before_old() {
        let mut out = Vec::new();
        put_env_text(&mut out, 1, "b", "a");
        assert_eq!(out, [0xE3, 7, 0, 1, 1, b'b', 0, 1, b'a', 0]);
    }
}
