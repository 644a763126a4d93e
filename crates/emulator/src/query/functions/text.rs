//! String functions. Positions and lengths count UTF-16 units, as the server does.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::ast::Call;
use crate::query::bind::{Binder, Typed};
use crate::query::collation::Collation;
use crate::query::convert::code_page;
use crate::query::convert::to_text::fit;
use crate::query::error;
use crate::query::functions::{Answered, constant, int, like, text};
use crate::query::types::{Family, family, is_national, is_text, length, text_type};

type Bound = Result<Typed, ServerError>;

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    Some(match name {
        "LEN" => len(binder, call),
        "DATALENGTH" => data_length(binder, call),
        "LEFT" | "RIGHT" => end(binder, call, name == "LEFT"),
        "SUBSTRING" => substring(binder, call),
        "UPPER" => {
            simple(binder, call, "upper", |text| text.chars().map(|c| one(c, c.to_uppercase())).collect())
        }
        "LOWER" => {
            simple(binder, call, "lower", |text| text.chars().map(|c| one(c, c.to_lowercase())).collect())
        }
        "LTRIM" => simple(binder, call, "ltrim", |text| text.trim_start_matches(' ').to_owned()),
        "RTRIM" => simple(binder, call, "rtrim", |text| text.trim_end_matches(' ').to_owned()),
        "TRIM" if call.args.len() == 1 => {
            simple(binder, call, "trim", |text| text.trim_matches(' ').to_owned())
        }
        "TRIM" => trim(binder, call),
        "REVERSE" => simple(binder, call, "reverse", |text| text.chars().rev().collect()),
        "CONCAT" => concat(binder, call, None),
        "CONCAT_WS" => concat_ws(binder, call),
        "CHARINDEX" => char_index(binder, call),
        "PATINDEX" => pat_index(binder, call),
        "REPLACE" => replace(binder, call),
        "STUFF" => stuff(binder, call),
        "REPLICATE" => replicate(binder, call),
        "SPACE" => space(binder, call),
        "QUOTENAME" => quote_name(binder, call),
        "PARSENAME" => parse_name(binder, call),
        "ASCII" | "UNICODE" => code(binder, call, name == "UNICODE"),
        "CHAR" | "NCHAR" => character(binder, call, name == "NCHAR"),
        _ => return None,
    })
}

/// A character whose other case is more than one character stays as it is.
fn one(c: char, mut other: impl Iterator<Item = char>) -> char {
    match (other.next(), other.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// Text of UTF-16 units. Half a surrogate pair cannot be held and is refused.
fn from_units(units: &[u16]) -> Result<Cell, ServerError> {
    String::from_utf16(units).map(Cell::Text).map_err(|_| error::outside(1, "half of a surrogate pair"))
}

/// The first argument as text, the others untouched.
fn first_text(
    binder: &mut Binder<'_>,
    call: &Call,
    least: usize,
    most: usize,
) -> Result<Vec<Typed>, ServerError> {
    let mut args = binder.arguments(call, least, most)?;
    args[0] = binder.textual(&args[0])?;
    Ok(args)
}

fn varying(ty: SqlType) -> SqlType {
    text_type(is_national(ty), u32::from(length(ty)))
}

fn widest(ty: SqlType) -> SqlType {
    text_type(is_national(ty), if length(ty) == 0 { 0 } else { 8000 })
}

fn simple(binder: &mut Binder<'_>, call: &Call, key: &str, op: fn(&str) -> String) -> Bound {
    let args = first_text(binder, call, 1, 1)?;
    let ty = varying(args[0].ty);
    Ok(binder.strict(key, &[&args[0]], ty, move |cells| Ok(Cell::Text(op(text(&cells[0])?)))))
}

fn len(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    if family(args[0].ty) == Family::Binary {
        return Ok(binder.strict("len bytes", &[&args[0]], SqlType::Int, |cells| match &cells[0] {
            Cell::Blob(bytes) => size(bytes.len()),
            _ => Err(error::converting("cell", "varbinary")),
        }));
    }
    let value = binder.textual(&args[0])?;
    let ty = if length(value.ty) == 0 { SqlType::BigInt } else { SqlType::Int };
    Ok(binder.strict("len", &[&value], ty, |cells| {
        size(text(&cells[0])?.trim_end_matches(' ').encode_utf16().count())
    }))
}

fn size(count: usize) -> Result<Cell, ServerError> {
    i64::try_from(count).map(Cell::Integer).map_err(|_| error::expression_overflow("int"))
}

fn data_length(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let ty = args[0].ty;
    let width = crate::sql::data_type::facts(ty).max_length;
    let result = if length(ty) == 0 && matches!(family(ty), Family::Text | Family::Binary) {
        SqlType::BigInt
    } else {
        SqlType::Int
    };
    Ok(binder.strict(&format!("datalength {ty:?}"), &[&args[0]], result, move |cells| match &cells[0] {
        Cell::Text(text) if is_national(ty) => size(text.encode_utf16().count() * 2),
        Cell::Text(text) => size(text.chars().count()),
        Cell::Blob(bytes) => size(bytes.len()),
        _ => Ok(Cell::Integer(i64::from(width))),
    }))
}

fn end(binder: &mut Binder<'_>, call: &Call, left: bool) -> Bound {
    let args = first_text(binder, call, 2, 2)?;
    let count = binder.coerce(&args[1], SqlType::BigInt)?;
    let own = args[0].ty;
    let wanted = constant(call.args.get(1)).and_then(|count| u32::try_from(count).ok());
    let ty = match (wanted, length(own)) {
        (Some(wanted), 0) => text_type(is_national(own), wanted.clamp(1, 8000)),
        (Some(wanted), own_length) => text_type(is_national(own), wanted.clamp(1, u32::from(own_length))),
        (None, _) => varying(own),
    };
    let function = if left { "left" } else { "right" };
    Ok(binder.strict(function, &[&args[0], &count], ty, move |cells| {
        let units = units(text(&cells[0])?);
        let count = usize::try_from(int(&cells[1])?)
            .map_err(|_| if left { error::bad_substring() } else { error::bad_length("right") })?
            .min(units.len());
        from_units(if left { &units[..count] } else { &units[units.len() - count..] })
    }))
}

fn substring(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 3, 3)?;
    let (start, count) =
        (binder.coerce(&args[1], SqlType::BigInt)?, binder.coerce(&args[2], SqlType::BigInt)?);
    if family(args[0].ty) == Family::Binary {
        let ty = SqlType::VarBinary(length(args[0].ty));
        return Ok(binder.strict("substring bytes", &[&args[0], &start, &count], ty, |cells| {
            match &cells[0] {
                Cell::Blob(bytes) => {
                    Ok(Cell::Blob(window(bytes, int(&cells[1])?, int(&cells[2])?)?.to_vec()))
                }
                _ => Err(error::converting("cell", "varbinary")),
            }
        }));
    }
    let value = binder.textual(&args[0])?;
    let wanted = constant(call.args.get(2)).and_then(|count| u32::try_from(count).ok());
    let ty = match wanted {
        Some(wanted) if length(value.ty) != 0 => {
            text_type(is_national(value.ty), wanted.clamp(1, u32::from(length(value.ty))))
        }
        _ => varying(value.ty),
    };
    Ok(binder.strict("substring", &[&value, &start, &count], ty, |cells| {
        let units = units(text(&cells[0])?);
        from_units(window(&units, int(&cells[1])?, int(&cells[2])?)?)
    }))
}

/// The part of `all` from position `start` (from 1, may lie before) with `count` elements.
fn window<T>(all: &[T], start: i64, count: i64) -> Result<&[T], ServerError> {
    if count < 0 {
        return Err(error::bad_substring());
    }
    let end = start.saturating_add(count).max(1) - 1;
    let from = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX).min(all.len());
    let to = usize::try_from(end).unwrap_or(usize::MAX).clamp(from, all.len());
    Ok(&all[from..to])
}

/// TRIM(characters FROM text): the characters come first.
fn trim(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 2)?;
    let (set, value) = (binder.textual(&args[0])?, binder.textual(&args[1])?);
    let ty = varying(value.ty);
    let collation = value.collation;
    Ok(binder.strict(&format!("trim {collation:?}"), &[&set, &value], ty, move |cells| {
        let set: Vec<char> = text(&cells[0])?.chars().collect();
        let drop = |c: char| set.iter().any(|member| collation.same(*member, c));
        Ok(Cell::Text(text(&cells[1])?.trim_matches(drop).to_owned()))
    }))
}

/// Every argument as text; NULL counts as empty.
fn texts(binder: &mut Binder<'_>, args: &[Typed]) -> Result<(Vec<Typed>, SqlType), ServerError> {
    let texts = args.iter().map(|arg| binder.textual(arg)).collect::<Result<Vec<_>, _>>()?;
    let national = texts.iter().any(|text| is_national(text.ty));
    let total = if texts.iter().any(|text| length(text.ty) == 0) {
        0
    } else {
        texts.iter().map(|text| u32::from(length(text.ty))).sum::<u32>().max(1)
    };
    Ok((texts, text_type(national, total)))
}

fn concat(binder: &mut Binder<'_>, call: &Call, separator: Option<&Typed>) -> Bound {
    let skip = usize::from(separator.is_some());
    let args = binder.arguments(call, 2, 254)?;
    let (parts, ty) = texts(binder, &args[skip..])?;
    let ty = if skip == 1 { widest(ty) } else { ty };
    let mut all: Vec<&Typed> = separator.into_iter().collect();
    all.extend(parts.iter());
    let key = format!("concat {skip} {ty:?}");
    let joined = binder.apply(&key, &all, ty, move |cells| {
        let separator = if skip == 1 { optional(&cells[0])? } else { "" };
        let mut joined = String::new();
        let mut first = true;
        for cell in &cells[skip..] {
            if *cell == Cell::Null && skip == 1 {
                continue;
            }
            if !first {
                joined.push_str(separator);
            }
            first = false;
            joined.push_str(optional(cell)?);
        }
        fit(joined, ty)
    });
    Ok(Typed { nullable: false, ..joined })
}

fn optional(cell: &Cell) -> Result<&str, ServerError> {
    if *cell == Cell::Null { Ok("") } else { text(cell) }
}

fn concat_ws(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 3, 254)?;
    let separator = binder.textual(&args[0])?;
    concat(binder, call, Some(&separator))
}

/// Where `needle` begins in `hay`, from `start` on, by the collation.
fn find(hay: &[char], needle: &[char], start: usize, collation: Collation) -> Option<usize> {
    if needle.is_empty() || hay.len() < needle.len() {
        return None;
    }
    (start..=hay.len() - needle.len())
        .find(|at| hay[*at..*at + needle.len()].iter().zip(needle).all(|(a, b)| collation.same(*a, *b)))
}

fn char_index(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 3)?;
    let (needle, hay) = (binder.textual(&args[0])?, binder.textual(&args[1])?);
    let one = Typed::new("1".to_owned(), SqlType::BigInt, false);
    let start = match args.get(2) {
        Some(start) => binder.coerce(start, SqlType::BigInt)?,
        None => one,
    };
    let collation = if needle.explicit { needle.collation } else { hay.collation };
    let ty = if length(hay.ty) == 0 { SqlType::BigInt } else { SqlType::Int };
    Ok(binder.strict(&format!("charindex {collation:?}"), &[&needle, &hay, &start], ty, move |cells| {
        let (needle, hay): (Vec<char>, Vec<char>) =
            (text(&cells[0])?.chars().collect(), text(&cells[1])?.chars().collect());
        let start = usize::try_from(int(&cells[2])?.max(1) - 1).unwrap_or(usize::MAX);
        if hay.iter().any(|c| c.len_utf16() > 1) && start > 0 {
            return Err(error::outside(1, "CHARINDEX"));
        }
        if start >= hay.len() {
            return Ok(Cell::Integer(0));
        }
        size(
            find(&hay, &needle, start, collation)
                .map_or(0, |at| hay[..at].iter().map(|c| c.len_utf16()).sum::<usize>() + 1),
        )
    }))
}

fn pat_index(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 2)?;
    let (pattern, value) = (binder.textual(&args[0])?, binder.textual(&args[1])?);
    let collation = value.collation;
    let ty = if length(value.ty) == 0 { SqlType::BigInt } else { SqlType::Int };
    Ok(binder.strict(&format!("patindex {collation:?}"), &[&pattern, &value], ty, move |cells| {
        let value = text(&cells[1])?;
        let found = like::find(value, text(&cells[0])?, collation)?;
        size(found.map_or(0, |at| value.chars().take(at).map(char::len_utf16).sum::<usize>() + 1))
    }))
}

fn replace(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 3, 3)?;
    let (texts, _) = texts(binder, &args)?;
    let national = texts.iter().any(|text| is_national(text.ty));
    let ty = text_type(national, if length(texts[0].ty) == 0 { 0 } else { 8000 });
    let collation = texts[0].collation;
    let parts: Vec<&Typed> = texts.iter().collect();
    Ok(binder.strict(&format!("replace {collation:?} {ty:?}"), &parts, ty, move |cells| {
        let hay: Vec<char> = text(&cells[0])?.chars().collect();
        let needle: Vec<char> = text(&cells[1])?.chars().collect();
        let with = text(&cells[2])?;
        let (mut replaced, mut at) = (String::with_capacity(hay.len()), 0);
        while let Some(found) = find(&hay, &needle, at, collation) {
            replaced.extend(&hay[at..found]);
            replaced.push_str(with);
            at = found + needle.len();
        }
        replaced.extend(&hay[at..]);
        fit(replaced, ty)
    }))
}

fn stuff(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = first_text(binder, call, 4, 4)?;
    let (start, count) =
        (binder.coerce(&args[1], SqlType::BigInt)?, binder.coerce(&args[2], SqlType::BigInt)?);
    let with = if args[3].null {
        crate::query::bind::expression::text_literal("", is_national(args[0].ty))
    } else {
        binder.textual(&args[3])?
    };
    let ty = widest(if is_national(with.ty) { with.ty } else { args[0].ty });
    let stuffed = binder.apply("stuff", &[&args[0], &start, &count, &with], ty, |cells| {
        if cells[..3].contains(&Cell::Null) {
            return Ok(Cell::Null);
        }
        let all = units(text(&cells[0])?);
        let (start, count) = (int(&cells[1])?, int(&cells[2])?);
        let length = i64::try_from(all.len()).unwrap_or(i64::MAX);
        if start < 1 || count < 0 || start > length {
            return Ok(Cell::Null);
        }
        let from = usize::try_from(start - 1).unwrap_or(0);
        let to = from.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)).min(all.len());
        let with = units(optional(&cells[3])?);
        from_units(&[&all[..from], &with, &all[to..]].concat())
    });
    Ok(stuffed)
}

fn replicate(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = first_text(binder, call, 2, 2)?;
    let count = binder.coerce(&args[1], SqlType::BigInt)?;
    let ty = widest(args[0].ty);
    let limit = usize::from(if length(ty) == 0 { 0 } else { length(ty) });
    Ok(binder.strict(&format!("replicate {ty:?}"), &[&args[0], &count], ty, move |cells| {
        let (value, count) = (text(&cells[0])?, int(&cells[1])?);
        if count < 0 {
            return Ok(Cell::Null);
        }
        repeated(value, usize::try_from(count).unwrap_or(usize::MAX), limit).and_then(|text| fit(text, ty))
    }))
}

/// Longest text that REPLICATE makes of a `max` string.
const MAX_REPEATED: usize = 16 << 20;

fn repeated(value: &str, count: usize, limit: usize) -> Result<String, ServerError> {
    let width = value.encode_utf16().count();
    if width == 0 {
        return Ok(String::new());
    }
    let enough = if limit > 0 { count.min(limit / width + 1) } else { count };
    if enough.saturating_mul(value.len()) > MAX_REPEATED {
        return Err(error::outside(1, "REPLICATE of so long a text"));
    }
    Ok(value.repeat(enough))
}

fn space(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let count = binder.coerce(&args[0], SqlType::BigInt)?;
    Ok(binder.strict("space", &[&count], SqlType::VarChar(8000), |cells| {
        match usize::try_from(int(&cells[0])?) {
            Ok(count) => Ok(Cell::Text(" ".repeat(count.min(8000)))),
            Err(_) => Ok(Cell::Null),
        }
    }))
}

fn quote_name(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = first_text(binder, call, 1, 2)?;
    let mark = match args.get(1) {
        Some(mark) => binder.textual(mark)?,
        None => crate::query::bind::expression::text_literal("[", false),
    };
    Ok(binder.strict("quotename", &[&args[0], &mark], SqlType::NVarChar(258), |cells| {
        let name = text(&cells[0])?;
        let (open, close) = match text(&cells[1])? {
            "" | "[" | "]" => ('[', ']'),
            "'" => ('\'', '\''),
            "\"" => ('"', '"'),
            "(" | ")" => ('(', ')'),
            "{" | "}" => ('{', '}'),
            "<" | ">" => ('<', '>'),
            "`" => ('`', '`'),
            _ => return Ok(Cell::Null),
        };
        if name.encode_utf16().count() > 128 {
            return Ok(Cell::Null);
        }
        let mut quoted = String::from(open);
        for c in name.chars() {
            quoted.push(c);
            if c == close {
                quoted.push(c);
            }
        }
        quoted.push(close);
        Ok(Cell::Text(quoted))
    }))
}

fn parse_name(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = first_text(binder, call, 2, 2)?;
    let part = binder.coerce(&args[1], SqlType::BigInt)?;
    Ok(binder.strict("parsename", &[&args[0], &part], SqlType::NVarChar(128), |cells| {
        let parts = name_parts(text(&cells[0])?);
        let wanted = int(&cells[1])?;
        let Some(parts) = parts.filter(|parts| (1..=4).contains(&parts.len())) else { return Ok(Cell::Null) };
        let place = usize::try_from(wanted).unwrap_or(0);
        if place == 0 || place > parts.len() {
            return Ok(Cell::Null);
        }
        let part = &parts[parts.len() - place];
        Ok(if part.is_empty() { Cell::Null } else { Cell::Text(part.clone()) })
    }))
}

/// The parts of a dotted name, brackets and double quotes undone; `None` if it is not one.
pub(super) fn name_parts(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut characters = name.chars().peekable();
    loop {
        let mut part = String::new();
        let close = match characters.peek() {
            Some('[') => Some(']'),
            Some('"') => Some('"'),
            _ => None,
        };
        if let Some(close) = close {
            characters.next();
            loop {
                match characters.next()? {
                    c if c == close => {
                        if characters.next_if_eq(&close).is_none() {
                            break;
                        }
                        part.push(close);
                    }
                    c => part.push(c),
                }
            }
        } else {
            while let Some(c) = characters.next_if(|c| *c != '.') {
                part.push(c);
            }
        }
        parts.push(part);
        match characters.next() {
            None => return Some(parts),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

fn code(binder: &mut Binder<'_>, call: &Call, unicode: bool) -> Bound {
    let args = first_text(binder, call, 1, 1)?;
    Ok(binder.strict(&format!("code {unicode}"), &[&args[0]], SqlType::Int, move |cells| {
        let value = text(&cells[0])?;
        if unicode {
            return Ok(value.encode_utf16().next().map_or(Cell::Null, |unit| Cell::Integer(i64::from(unit))));
        }
        let Some(first) = value.chars().next() else { return Ok(Cell::Null) };
        Ok(Cell::Integer(i64::from(code_page::byte(first).unwrap_or(b'?'))))
    }))
}

fn character(binder: &mut Binder<'_>, call: &Call, national: bool) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let value = binder.coerce(&args[0], SqlType::BigInt)?;
    let ty = if national { SqlType::NChar(1) } else { SqlType::Char(1) };
    let mut typed = binder.strict(&format!("character {national}"), &[&value], ty, move |cells| {
        let number = int(&cells[0])?;
        if !national {
            return Ok(u8::try_from(number)
                .map_or(Cell::Null, |byte| Cell::Text(code_page::character(byte).to_string())));
        }
        let Ok(unit) = u16::try_from(number) else { return Ok(Cell::Null) };
        from_units(&[unit])
    });
    typed.nullable = true;
    debug_assert!(is_text(typed.ty));
    Ok(typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_may_begin_before_the_text() {
        let all = [1, 2, 3, 4];
        assert_eq!(window(&all, 2, 2).unwrap(), [2, 3]);
        assert_eq!(window(&all, -1, 3).unwrap(), [1]);
        assert_eq!(window(&all, 4, 100).unwrap(), [4]);
        assert!(window(&all, 9, 1).unwrap().is_empty());
        assert_eq!(window(&all, 1, -1).unwrap_err().number, 537);
    }

    #[test]
    fn names_split_at_dots_outside_brackets() {
        assert_eq!(name_parts("a.[b.c]]d].\"e\"").unwrap(), ["a", "b.c]d", "e"]);
        assert_eq!(name_parts("[a"), None);
        assert_eq!(name_parts("[a]b"), None);
    }
}
