//! HASHBYTES, NEWID.

use rusqlite::types::Value as Cell;
use sha2::{Digest, Sha256, Sha512};

use crate::answer::{ServerError, SqlType};
use crate::query::ast::{Call, Expr};
use crate::query::bind::{Binder, Typed};
use crate::query::convert::from_text::raw;
use crate::query::error;
use crate::query::functions::Answered;
use crate::query::types::{Family, family, is_national};

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    Some(match name {
        "HASHBYTES" => hash(binder, call),
        "NEWID" => new_id(binder, call),
        _ => return None,
    })
}

fn hash(binder: &mut Binder<'_>, call: &Call) -> Result<Typed, ServerError> {
    let args = binder.arguments(call, 2, 2)?;
    let Expr::Text { value: algorithm, .. } = &call.args[0] else {
        return Err(error::outside(call.line, "computed algorithm"));
    };
    let wide = match algorithm.to_ascii_uppercase().as_str() {
        "SHA2_256" => false,
        "SHA2_512" => true,
        other => return Err(error::outside(call.line, other)),
    };
    let value = &args[1];
    let national = is_national(value.ty);
    if !matches!(family(value.ty), Family::Text | Family::Binary) {
        return Err(error::bad_argument(2, "hashbytes", error::type_name(value.ty)));
    }
    Ok(binder.strict(&format!("hash {wide} {national}"), &[value], SqlType::VarBinary(8000), move |cells| {
        let bytes = match &cells[0] {
            Cell::Text(text) => raw(text, national),
            Cell::Blob(bytes) => bytes.clone(),
            _ => return Err(error::converting("cell", "varbinary")),
        };
        Ok(Cell::Blob(if wide { Sha512::digest(&bytes).to_vec() } else { Sha256::digest(&bytes).to_vec() }))
    }))
}

/// A random uniqueidentifier of version 4; the bits come from SQLite's generator.
fn new_id(binder: &mut Binder<'_>, call: &Call) -> Result<Typed, ServerError> {
    binder.arguments(call, 0, 0)?;
    let random = Typed::new("randomblob(16)".to_owned(), SqlType::UniqueIdentifier, false);
    Ok(binder.strict("newid", &[&random], SqlType::UniqueIdentifier, |cells| match &cells[0] {
        Cell::Blob(bytes) => {
            let mut guid: [u8; 16] =
                bytes.as_slice().try_into().map_err(|_| error::converting("cell", "uniqueidentifier"))?;
            guid[6] = guid[6] & 0x0f | 0x40;
            guid[8] = guid[8] & 0x3f | 0x80;
            Ok(Cell::Blob(crate::query::cell::guid_in(guid)))
        }
        _ => Err(error::converting("cell", "uniqueidentifier")),
    }))
}
