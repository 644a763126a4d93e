//! What a statement gives back: columns, rows, counts, messages.
//!
//! The engine speaks in these values and knows nothing of TDS; the wire layer
//! turns them into tokens and knows nothing of SQL.

use serde::{Deserialize, Serialize};
use time::PrimitiveDateTime;

/// One piece of an answer. Pieces are sent in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A result set begins. Rows that follow belong to it.
    Columns(Vec<Column>),
    /// One row, as many values as the last [`Answer::Columns`] named.
    Row(Vec<Value>),
    /// One statement ended. `rows` is `None` for statements that do not count.
    Done {
        /// Rows returned or changed.
        rows: Option<u64>,
    },
    /// A statement failed. A [`Answer::Done`] may follow; the wire marks it as failed.
    Error(ServerError),
    /// A message that is no failure (`PRINT`, "Changed database context").
    Info(ServerError),
    /// What a procedure returned.
    ReturnStatus(i32),
    /// The value that an `OUTPUT` parameter of an RPC has at its end.
    ReturnValue {
        /// Parameter name with its `@`.
        name: String,
        /// Declared type.
        ty: SqlType,
        /// Value at the end.
        value: Value,
    },
    /// The session works in another database from here on.
    DatabaseChanged {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
    },
    /// The connection is cut at once, without the end of the answer (`KILL`, scaling, fault).
    Hangup,
}

/// An error or an information message of the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (error {number}, severity {class}, state {state})")]
pub struct ServerError {
    /// Message number, as in `sys.messages`.
    pub number: i32,
    /// State: tells apart causes of one number.
    pub state: u8,
    /// Severity: 0 to 10 are information, 11 to 16 are faults of the statement, 20 and up end the session.
    pub class: u8,
    /// Text.
    pub message: String,
    /// Line in the batch, from 1. 0 if unknown.
    pub line: u32,
    /// Procedure in which it arose.
    pub procedure: Option<String>,
}

impl ServerError {
    /// An ordinary failure of a statement: severity 16, state 1, line 1.
    pub fn new(number: i32, message: impl Into<String>) -> Self {
        Self { number, state: 1, class: 16, message: message.into(), line: 1, procedure: None }
    }

    /// The same error with another severity.
    #[must_use]
    pub fn with_class(mut self, class: u8) -> Self {
        self.class = class;
        self
    }

    /// The same error with another state.
    #[must_use]
    pub fn with_state(mut self, state: u8) -> Self {
        self.state = state;
        self
    }

    /// The same error on another line.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Self {
        self.line = line;
        self
    }
}

/// One column of a result set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name shown to the client; empty for expressions without alias.
    pub name: String,
    /// Type of every value in it.
    pub ty: SqlType,
    /// Whether NULL may occur.
    pub nullable: bool,
}

impl Column {
    /// A nullable column.
    pub fn new(name: impl Into<String>, ty: SqlType) -> Self {
        Self { name: name.into(), ty, nullable: true }
    }
}

/// A SQL type. Lengths are characters (bytes for binary); 0 stands for `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SqlType {
    /// `bit`
    Bit,
    /// `tinyint`
    TinyInt,
    /// `smallint`
    SmallInt,
    /// `int`
    Int,
    /// `bigint`
    BigInt,
    /// `real`
    Real,
    /// `float`
    Float,
    /// `decimal(precision, scale)`
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `money`; its values are [`Value::Decimal`] with four decimals.
    Money,
    /// `smallmoney`; its values are [`Value::Decimal`] with four decimals.
    SmallMoney,
    /// `nvarchar(n)`
    NVarChar(u16),
    /// `nchar(n)`
    NChar(u16),
    /// `varchar(n)`
    VarChar(u16),
    /// `char(n)`
    Char(u16),
    /// `varbinary(n)`
    VarBinary(u16),
    /// `binary(n)`
    Binary(u16),
    /// `uniqueidentifier`
    UniqueIdentifier,
    /// `datetime`
    DateTime,
    /// `smalldatetime`
    SmallDateTime,
    /// `datetime2(scale)`
    DateTime2(u8),
    /// `datetimeoffset(scale)`; its values are UTC, and what their offset was is not kept.
    DateTimeOffset(u8),
    /// `date`; the time of its values is midnight.
    Date,
    /// `time(scale)`; the date of its values is 1900-01-01.
    Time(u8),
}

/// A value. Which variant a type uses is stated at [`SqlType`] where it is not plain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// NULL of any type
    Null,
    /// `bit`
    Bool(bool),
    /// All integer types
    Int(i64),
    /// `real`, `float`
    Float(f64),
    /// Decimal digits, optional sign and point, as `-12.50`
    Decimal(String),
    /// All character types
    Text(String),
    /// `binary`, `varbinary`
    Bytes(Vec<u8>),
    /// `uniqueidentifier`, in the order in which the text form is read
    Guid([u8; 16]),
    /// All date and time types
    DateTime(PrimitiveDateTime),
}
