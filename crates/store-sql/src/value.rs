//! What goes into a statement and what comes out of it, whichever database runs it.

use std::borrow::Cow;
use std::sync::Arc;

/// A parameter. A missing value still says of which type it is, because PostgreSQL asks for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg<'a> {
    /// A whole number, an instant, a flag.
    Int(Option<i64>),
    /// A text.
    Text(Option<Cow<'a, str>>),
    /// Bytes.
    Blob(Option<Cow<'a, [u8]>>),
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One row, in the order of the statement's columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row(pub Vec<Value>);

/// The parameters of a statement: `args![id, name]`, in the order of `$1`, `$2` …
#[macro_export]
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &[$($crate::Arg::from($arg)),*] };
}

macro_rules! arg_from {
    ($($from:ty, $variant:ident, $value:ident => $make:expr);+ $(;)?) => {
        $(
            impl<'a> From<$from> for Arg<'a> {
                fn from($value: $from) -> Self {
                    Self::$variant(Some($make))
                }
            }
            impl<'a> From<Option<$from>> for Arg<'a> {
                fn from(value: Option<$from>) -> Self {
                    Self::$variant(value.map(|$value| $make))
                }
            }
        )+
    };
}

arg_from! {
    i64, Int, n => n;
    bool, Int, flag => i64::from(flag);
    &'a str, Text, text => Cow::Borrowed(text);
    &'a String, Text, text => Cow::Borrowed(text.as_str());
    String, Text, text => Cow::Owned(text);
    &'a [u8], Blob, bytes => Cow::Borrowed(bytes);
    &'a [u8; 16], Blob, bytes => Cow::Borrowed(&bytes[..]);
    &'a [u8; 32], Blob, bytes => Cow::Borrowed(&bytes[..]);
    Vec<u8>, Blob, bytes => Cow::Owned(bytes);
}

impl<'a> From<&'a Option<String>> for Arg<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

impl Arg<'_> {
    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Arg<'static> {
        match self {
            Self::Int(n) => Arg::Int(n),
            Self::Text(text) => Arg::Text(text.map(|t| Cow::Owned(t.into_owned()))),
            Self::Blob(bytes) => Arg::Blob(bytes.map(|b| Cow::Owned(b.into_owned()))),
        }
    }
}

/// A column that does not hold what the statement's reader expects.
#[derive(Debug, thiserror::Error)]
#[error("column {column} does not hold {wanted}")]
pub struct Mismatch {
    column: usize,
    wanted: &'static str,
}

/// A type that one value is read as.
pub trait FromValue: Sized {
    /// What it is called in an error.
    const WANTED: &'static str;
    /// Reads it; none where the value is of another type.
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for i64 {
    const WANTED: &'static str = "a whole number";
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Int(n) = value { Some(n) } else { None }
    }
}

impl FromValue for bool {
    const WANTED: &'static str = "a flag";
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Int(n) = value { Some(n != 0) } else { None }
    }
}

impl FromValue for String {
    const WANTED: &'static str = "a text";
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl FromValue for Arc<str> {
    const WANTED: &'static str = "a text";
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into()) } else { None }
    }
}

impl FromValue for Vec<u8> {
    const WANTED: &'static str = "bytes";
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes) } else { None }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const WANTED: &'static str = T::WANTED;
    fn from_value(value: Value) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// A type that a row is read as: a tuple of columns, or the row itself.
pub trait FromRow: Sized {
    /// Reads it.
    fn from_row(row: Row) -> Result<Self, Mismatch>;
}

impl FromRow for Row {
    fn from_row(row: Row) -> Result<Self, Mismatch> {
        Ok(row)
    }
}

struct Columns(std::iter::Enumerate<std::vec::IntoIter<Value>>);

impl Columns {
    fn next<T: FromValue>(&mut self) -> Result<T, Mismatch> {
        let (column, value) = self.0.next().unwrap_or((usize::MAX, Value::Null));
        T::from_value(value).ok_or(Mismatch { column, wanted: T::WANTED })
    }
}

macro_rules! from_row {
    ($($column:ident)+) => {
        impl<$($column: FromValue),+> FromRow for ($($column,)+) {
            fn from_row(row: Row) -> Result<Self, Mismatch> {
                let mut columns = Columns(row.0.into_iter().enumerate());
                Ok(($(columns.next::<$column>()?,)+))
            }
        }
    };
}

from_row!(A);
from_row!(A B);
from_row!(A B C);
from_row!(A B C D);
from_row!(A B C D E);
from_row!(A B C D E F);
from_row!(A B C D E F G);
from_row!(A B C D E F G H);
from_row!(A B C D E F G H I);
from_row!(A B C D E F G H I J);
from_row!(A B C D E F G H I J K);
from_row!(A B C D E F G H I J K L);
from_row!(A B C D E F G H I J K L M);
from_row!(A B C D E F G H I J K L M N);
from_row!(A B C D E F G H I J K L M N O);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_by_its_columns_types() {
        let row = || Row(vec![Value::Int(7), Value::Text("x".into()), Value::Null]);
        let (n, text, none): (i64, String, Option<Vec<u8>>) = FromRow::from_row(row()).unwrap();
        assert_eq!((n, text.as_str(), none), (7, "x", None));
        let error = <(i64, i64, Option<i64>)>::from_row(row()).unwrap_err().to_string();
        assert_eq!(error, "column 1 does not hold a whole number");
        assert!(<(i64, String, Option<i64>, i64)>::from_row(row()).is_err(), "too few columns");
    }

    #[test]
    fn a_missing_parameter_keeps_its_type() {
        let none: Option<&str> = None;
        assert_eq!(Arg::from(none), Arg::Text(None));
        assert_eq!(Arg::from(true), Arg::Int(Some(1)));
    }
}
