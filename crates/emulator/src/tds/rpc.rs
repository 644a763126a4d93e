//! RPC requests (2.2.6.6): which procedure, with which parameters.

use crate::session_port::Param;

use super::param::{ParamFault, typed_value};
use super::reader::{Malformed, Reader};
use super::version::TdsVersion;

const PARAM_BY_REF: u8 = 0x01;
/// Most parameters that a call may have, as in the server.
const MAX_PARAMS: usize = 2100;
/// Most calls in one message.
const MAX_CALLS: usize = 1000;

/// A procedure, by its number or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Procedure {
    /// `sp_executesql`
    ExecuteSql,
    /// `sp_prepare`
    Prepare,
    /// `sp_execute`
    Execute,
    /// `sp_prepexec`
    PrepExec,
    /// `sp_unprepare`
    Unprepare,
    /// A cursor procedure, none of which is supported.
    Cursor(&'static str),
    /// Any other.
    Named(String),
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What is called.
    pub procedure: Procedure,
    /// With what.
    pub params: Vec<Param>,
}

/// Why a request could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RpcFault {
    /// The bytes are wrong; the connection cannot go on.
    Malformed(Malformed),
    /// A parameter has a type that is not supported.
    Unsupported {
        /// Its position from 1.
        position: usize,
        /// Its name.
        name: String,
        /// The type's number.
        number: u8,
    },
}

impl From<Malformed> for RpcFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Read the calls of a message, headers already passed.
pub fn parse(body: &[u8], version: TdsVersion) -> Result<Vec<Call>, RpcFault> {
    let mut reader = Reader::new(body);
    let mut calls = Vec::new();
    loop {
        calls.push(call(&mut reader, version)?);
        if reader.is_empty() {
            return Ok(calls);
        }
        if calls.len() == MAX_CALLS {
            return Err(Malformed("too many calls in one message").into());
        }
        // The separator that ended the call.
        reader.u8()?;
        if reader.is_empty() {
            return Ok(calls);
        }
    }
}

/// 0xFF ends a call from 7.2 on, 0x80 before; 0xFE says not to run it.
fn is_separator(byte: u8, version: TdsVersion) -> bool {
    if version.has_wide_counts() { byte >= 0xFE } else { byte == 0x80 }
}

fn call(reader: &mut Reader<'_>, version: TdsVersion) -> Result<Call, RpcFault> {
    let procedure = match reader.u16()? {
        0xFFFF => by_number(reader.u16()?)?,
        units => by_name(super::reader::utf16(reader.take(usize::from(units) * 2)?)?),
    };
    // Options: recompile, no metadata.
    reader.u16()?;
    let mut params: Vec<Param> = Vec::new();
    while reader.peek().is_some_and(|byte| !is_separator(byte, version)) {
        if params.len() == MAX_PARAMS {
            return Err(Malformed("too many parameters").into());
        }
        let name = reader.b_varchar()?;
        let output = reader.u8()? & PARAM_BY_REF != 0;
        match typed_value(reader) {
            Ok((ty, value)) => params.push(Param { name, ty, value, output }),
            Err(ParamFault::Malformed(malformed)) => return Err(malformed.into()),
            Err(ParamFault::Unsupported(number)) => {
                return Err(RpcFault::Unsupported { position: params.len() + 1, name, number });
            }
        }
    }
    Ok(Call { procedure, params })
}

fn by_number(number: u16) -> Result<Procedure, Malformed> {
    Ok(match number {
        1 => Procedure::Cursor("sp_cursor"),
        2 => Procedure::Cursor("sp_cursoropen"),
        3 => Procedure::Cursor("sp_cursorprepare"),
        4 => Procedure::Cursor("sp_cursorexecute"),
        5 => Procedure::Cursor("sp_cursorprepexec"),
        6 => Procedure::Cursor("sp_cursorunprepare"),
        7 => Procedure::Cursor("sp_cursorfetch"),
        8 => Procedure::Cursor("sp_cursoroption"),
        9 => Procedure::Cursor("sp_cursorclose"),
        10 => Procedure::ExecuteSql,
        11 => Procedure::Prepare,
        12 => Procedure::Execute,
        13 => Procedure::PrepExec,
        14 => Procedure::Cursor("sp_prepexecrpc"),
        15 => Procedure::Unprepare,
        _ => return Err(Malformed("unknown procedure number")),
    })
}

fn by_name(name: String) -> Procedure {
    let lower = name.to_ascii_lowercase();
    let bare = lower.strip_prefix("sys.").unwrap_or(&lower);
    match bare {
        "sp_executesql" => Procedure::ExecuteSql,
        "sp_prepare" => Procedure::Prepare,
        "sp_execute" => Procedure::Execute,
        "sp_prepexec" => Procedure::PrepExec,
        "sp_unprepare" => Procedure::Unprepare,
        _ => Procedure::Named(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{SqlType, Value};
    use crate::tds::{type_info, value};

    fn param_bytes(out: &mut Vec<u8>, name: &str, ty: SqlType, v: Value) {
        out.push(u8::try_from(name.len()).unwrap());
        out.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        out.push(0);
        type_info::put(out, ty, TdsVersion::V7_4);
        value::put(out, v, ty, TdsVersion::V7_4).unwrap();
    }

    #[test]
    fn calls_by_number_and_name_are_the_same() {
        let mut body = vec![0xFF, 0xFF, 10, 0, 0, 0];
        param_bytes(&mut body, "", SqlType::NVarChar(20), Value::Text("SELECT 1".into()));
        body.push(0xFF);
        body.extend([13, 0]);
        body.extend("sp_executesql".encode_utf16().flat_map(u16::to_le_bytes));
        body.extend([0, 0]);
        param_bytes(&mut body, "", SqlType::NVarChar(20), Value::Text("SELECT 1".into()));
        let calls = parse(&body, TdsVersion::V7_4).unwrap();
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0], calls[1]);
        assert_eq!(calls[0].procedure, Procedure::ExecuteSql);
    }

    #[test]
    fn cuts_are_errors() {
        let mut body = vec![0xFF, 0xFF, 10, 0, 0, 0];
        let head = body.len();
        param_bytes(&mut body, "@a", SqlType::Int, Value::Int(1));
        for cut in (0..head).chain(head + 1..body.len()) {
            assert!(parse(&body[..cut], TdsVersion::V7_4).is_err(), "cut at {cut}");
        }
    }
}
