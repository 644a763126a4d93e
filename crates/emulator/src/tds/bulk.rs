//! Bulk load messages (2.2.6.1): COLMETADATA, rows, DONE, as bulk copy programs send them.

use super::param::{ParamFault, typed_value};
use super::reader::{Malformed, Reader};
use super::version::TdsVersion;
use crate::answer::Value;
use crate::session_port::BulkRows;

const COLUMNS: u8 = 0x81;
const ROW: u8 = 0xD1;
/// A row whose NULLs are bits before its values.
const BITMAP_ROW: u8 = 0xD2;
const DONE: u8 = 0xFD;
/// Length that marks a `max` type.
const PLP: u16 = 0xFFFF;
const PLP_NULL: u64 = u64::MAX;
/// The most columns that a table has.
const MOST_COLUMNS: u16 = 1024;

/// The rows of a message.
pub fn parse(body: &[u8], version: TdsVersion) -> Result<BulkRows, ParamFault> {
    let mut reader = Reader::new(body);
    if reader.u8()? != COLUMNS {
        return Err(Malformed("a bulk load without columns").into());
    }
    let count = reader.u16()?;
    if count == 0 || count > MOST_COLUMNS {
        return Err(Malformed("number of columns of a bulk load").into());
    }
    let mut found = BulkRows::default();
    let mut types = Vec::new();
    for _ in 0..count {
        reader.take(if version.has_wide_counts() { 4 } else { 2 })?;
        reader.u16()?;
        let ty = Incoming::read(&mut reader)?;
        // A value of every type can be NULL here: its type is told by one.
        let sample = typed_value(&mut Reader::new(&ty.sample))?.0;
        found.columns.push((reader.b_varchar()?, sample));
        types.push(ty);
    }
    let mut whole = Vec::new();
    while let Some(token) = reader.peek() {
        reader.u8()?;
        let nulls = match token {
            ROW => &[][..],
            BITMAP_ROW => reader.take(usize::from(count).div_ceil(8))?,
            DONE => return Ok(found),
            _ => return Err(Malformed("token in a bulk load").into()),
        };
        let mut row = Vec::with_capacity(types.len());
        for (at, ty) in types.iter().enumerate() {
            let is_null = nulls.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0);
            row.push(if is_null { Value::Null } else { ty.value(&mut reader, &mut whole)? });
        }
        found.rows.push(row);
    }
    Err(Malformed("a bulk load without an end").into())
}

/// How long the values of a type are.
#[derive(Debug, Clone, Copy)]
enum Extent {
    Fixed(usize),
    Short,
    Long,
    Chunked,
}

/// The type of a column: its bytes, and how far its values go.
#[derive(Debug)]
struct Incoming {
    bytes: Vec<u8>,
    /// The type with a value that needs nothing else.
    sample: Vec<u8>,
    extent: Extent,
}

impl Incoming {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ParamFault> {
        let start = reader.clone();
        let number = reader.u8()?;
        let (more, extent) = match number {
            0x30 | 0x32 => (0, Extent::Fixed(1)),
            0x34 => (0, Extent::Fixed(2)),
            0x38 | 0x3A | 0x3B | 0x7A => (0, Extent::Fixed(4)),
            0x3C | 0x3D | 0x3E | 0x7F => (0, Extent::Fixed(8)),
            0x28 => (0, Extent::Short),
            0x24 | 0x26 | 0x29..=0x2B | 0x68 | 0x6D | 0x6E | 0x6F => (1, Extent::Short),
            0x37 | 0x3F | 0x6A | 0x6C => (3, Extent::Short),
            0xA7 | 0xAF | 0xE7 | 0xEF => (7, Extent::Long),
            0xA5 | 0xAD => (2, Extent::Long),
            // Others would name a table here, or are none that pools have.
            other => return Err(ParamFault::Unsupported(other)),
        };
        let width = reader.take(more)?;
        let is_max = matches!(extent, Extent::Long)
            && width.first_chunk().is_some_and(|bytes| u16::from_le_bytes(*bytes) == PLP);
        let extent = if is_max { Extent::Chunked } else { extent };
        let bytes = start.clone().take(1 + more)?.to_vec();
        let mut sample = bytes.clone();
        match extent {
            Extent::Fixed(length) => sample.resize(1 + length, 0),
            Extent::Short => sample.push(0),
            Extent::Long => sample.extend(PLP.to_le_bytes()),
            Extent::Chunked => sample.extend(PLP_NULL.to_le_bytes()),
        }
        Ok(Self { bytes, sample, extent })
    }

    /// The next value, read as that of a parameter is: `whole` is room for its type and its bytes.
    fn value(&self, reader: &mut Reader<'_>, whole: &mut Vec<u8>) -> Result<Value, ParamFault> {
        let length = self.length(reader.clone())?;
        whole.clear();
        whole.extend_from_slice(&self.bytes);
        whole.extend_from_slice(reader.take(length)?);
        Ok(typed_value(&mut Reader::new(whole))?.1)
    }

    /// Bytes of the value that comes next, with its own length before it.
    fn length(&self, mut reader: Reader<'_>) -> Result<usize, Malformed> {
        Ok(match self.extent {
            Extent::Fixed(length) => length,
            Extent::Short => 1 + usize::from(reader.u8()?),
            Extent::Long => match reader.u16()? {
                u16::MAX => 2,
                length => 2 + usize::from(length),
            },
            Extent::Chunked => {
                if reader.u64()? == PLP_NULL {
                    return Ok(8);
                }
                let mut length = 8;
                loop {
                    let chunk = reader.length32()?;
                    reader.take(chunk)?;
                    length += 4 + chunk;
                    if chunk == 0 {
                        return Ok(length);
                    }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::SqlType;
    use crate::tds::type_info;
    use crate::tds::value::put;

    const V: TdsVersion = TdsVersion::V7_4;

    fn message(columns: &[(&str, SqlType)], rows: &[Vec<Value>]) -> Vec<u8> {
        let mut out = vec![COLUMNS, u8::try_from(columns.len()).unwrap(), 0];
        for (name, ty) in columns {
            out.extend([0, 0, 0, 0, 9, 0]);
            type_info::put(&mut out, *ty, V);
            out.push(u8::try_from(name.len()).unwrap());
            out.extend(name.bytes().flat_map(|byte| [byte, 0]));
        }
        for row in rows {
            out.push(ROW);
            for (value, (_, ty)) in row.iter().zip(columns) {
                put(&mut out, value.clone(), *ty, V).unwrap();
            }
        }
        out.push(DONE);
        out.extend([0; 12]);
        out
    }

    #[test]
    fn rows_of_many_types_read_back_and_every_cut_is_an_error() {
        let columns = [
            ("a", SqlType::NVarChar(20)),
            ("b", SqlType::Int),
            ("c", SqlType::Decimal { precision: 10, scale: 2 }),
            ("d", SqlType::NVarChar(0)),
            ("e", SqlType::VarBinary(3)),
            ("f", SqlType::DateTime2(3)),
            ("g", SqlType::UniqueIdentifier),
        ];
        let moment = Value::DateTime(time::macros::datetime!(2024-05-01 10:20:30.123));
        let rows = vec![
            vec![
                Value::Text("it's 😀".into()),
                Value::Int(-7),
                Value::Decimal("-1.50".into()),
                Value::Text("x".repeat(5_000)),
                Value::Bytes(vec![1, 2]),
                moment,
                Value::Guid(*b"0123456789abcdef"),
            ],
            vec![Value::Null; 7],
        ];
        let body = message(&columns, &rows);
        let found = parse(&body, V).unwrap();
        assert_eq!(found.rows, rows);
        let told: Vec<(&str, SqlType)> =
            found.columns.iter().map(|(name, ty)| (name.as_str(), *ty)).collect();
        assert_eq!(told, columns);
        // All but the end of DONE, which nothing is read of.
        for cut in 0..body.len() - 12 {
            assert!(parse(&body[..cut], V).is_err(), "{cut}");
        }
    }

    #[test]
    fn nulls_may_be_bits() {
        let mut body = message(&[("a", SqlType::Int), ("b", SqlType::Int)], &[]);
        body.truncate(body.len() - 13);
        body.extend([BITMAP_ROW, 0b01, 4, 9, 0, 0, 0, DONE]);
        assert_eq!(parse(&body, V).unwrap().rows, [vec![Value::Null, Value::Int(9)]]);
    }

    #[test]
    fn what_pools_have_no_type_for_is_named() {
        assert_eq!(parse(&[COLUMNS, 1, 0, 0, 0, 0, 0, 9, 0, 0x63], V), Err(ParamFault::Unsupported(0x63)));
        assert!(matches!(parse(&[COLUMNS, 0, 0], V), Err(ParamFault::Malformed(_))));
        assert!(matches!(parse(&[ROW], V), Err(ParamFault::Malformed(_))));
    }
}
