//! Numeric functions.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::ast::Call;
use crate::query::bind::operator::is_plain_number;
use crate::query::bind::{Binder, Typed};
use crate::query::convert::{from_text, in_range};
use crate::query::functions::{Answered, int, text};
use crate::query::types::{Family, family, is_text, scale};
use crate::query::{decimal, error};

type Bound = Result<Typed, ServerError>;

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    Some(match name {
        "ABS" | "SIGN" => same_type(binder, call, name),
        "FLOOR" | "CEILING" => to_whole(binder, call, name == "FLOOR"),
        "ROUND" => round(binder, call),
        "SQRT" => float(binder, call, "sqrt", f64::sqrt),
        "EXP" => float(binder, call, "exp", f64::exp),
        "LOG10" => float(binder, call, "log10", f64::log10),
        "PI" => binder
            .arguments(call, 0, 0)
            .map(|_| Typed::new(format!("{:?}", std::f64::consts::PI), SqlType::Float, false)),
        "POWER" => power(binder, call),
        "ISNUMERIC" => is_numeric(binder, call),
        _ => return None,
    })
}

/// Text becomes a float, as the numeric functions take it.
fn numeric(binder: &mut Binder<'_>, value: &Typed, function: &str) -> Bound {
    match family(value.ty) {
        Family::Integer | Family::Float | Family::Decimal => Ok(value.clone()),
        Family::Bit => binder.coerce(value, SqlType::Int),
        Family::Text => binder.coerce(value, SqlType::Float),
        _ => Err(error::bad_argument(1, function, error::type_name(value.ty))),
    }
}

fn same_type(binder: &mut Binder<'_>, call: &Call, name: &str) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let value = numeric(binder, &args[0], &name.to_lowercase())?;
    let ty = value.ty;
    let unit = match family(ty) {
        Family::Decimal => {
            decimal::unit(u32::from(scale(ty))).and_then(|unit| i64::try_from(unit).ok()).unwrap_or(1)
        }
        _ => 1,
    };
    let absolute = name == "ABS";
    Ok(binder.strict(&format!("{name} {ty:?}"), &[&value], ty, move |cells| match &cells[0] {
        Cell::Integer(number) if absolute => {
            let value = i128::from(*number).abs();
            let value =
                if family(ty) == Family::Integer { in_range(value, ty) } else { i64::try_from(value).ok() };
            value.map(Cell::Integer).ok_or_else(|| error::expression_overflow(error::type_name(ty)))
        }
        Cell::Integer(number) => Ok(Cell::Integer(number.signum() * unit)),
        Cell::Real(number) if absolute => Ok(Cell::Real(number.abs())),
        Cell::Real(number) => Ok(Cell::Real(if *number == 0.0 { 0.0 } else { number.signum() })),
        other => Ok(other.clone()),
    }))
}

fn to_whole(binder: &mut Binder<'_>, call: &Call, down: bool) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let value = numeric(binder, &args[0], if down { "floor" } else { "ceiling" })?;
    let own = scale(value.ty);
    let ty = match value.ty {
        SqlType::Decimal { precision, .. } => SqlType::Decimal { precision, scale: 0 },
        SqlType::Money | SqlType::SmallMoney => return Err(error::outside(call.line, "money")),
        other => other,
    };
    Ok(binder.strict(&format!("whole {down} {:?}", value.ty), &[&value], ty, move |cells| match &cells[0] {
        Cell::Integer(number) if family(ty) == Family::Decimal => {
            let unit = decimal::unit(u32::from(own)).ok_or_else(|| error::expression_overflow("numeric"))?;
            let number = i128::from(*number);
            let whole = if down { number.div_euclid(unit) } else { -((-number).div_euclid(unit)) };
            i64::try_from(whole).map(Cell::Integer).map_err(|_| error::expression_overflow("numeric"))
        }
        Cell::Real(number) => Ok(Cell::Real(if down { number.floor() } else { number.ceil() })),
        other => Ok(other.clone()),
    }))
}

/// ROUND(value, digits [, truncate]).
fn round(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 3)?;
    let value = numeric(binder, &args[0], "round")?;
    let digits = binder.coerce(&args[1], SqlType::BigInt)?;
    let zero = Typed::new("0".to_owned(), SqlType::BigInt, false);
    let cut = match args.get(2) {
        Some(cut) => binder.coerce(cut, SqlType::BigInt)?,
        None => zero,
    };
    let ty = match value.ty {
        SqlType::TinyInt | SqlType::SmallInt => SqlType::Int,
        other => other,
    };
    let own = if family(ty) == Family::Decimal { i64::from(scale(ty)) } else { 0 };
    Ok(binder.strict(&format!("round {ty:?}"), &[&value, &digits, &cut], ty, move |cells| {
        let (digits, cut) = (int(&cells[1])?, int(&cells[2])? != 0);
        match &cells[0] {
            Cell::Integer(number) => {
                let dropped = own - digits;
                if dropped <= 0 {
                    return Ok(Cell::Integer(*number));
                }
                let unit = u32::try_from(dropped).ok().and_then(decimal::unit);
                let Some(unit) = unit else { return Ok(Cell::Integer(0)) };
                let number = i128::from(*number);
                let kept = if cut { number / unit } else { decimal::round_div(number, unit) };
                let value = kept * unit;
                let value = if family(ty) == Family::Integer {
                    in_range(value, ty)
                } else {
                    i64::try_from(value).ok()
                };
                value.map(Cell::Integer).ok_or_else(|| error::expression_overflow(error::type_name(ty)))
            }
            Cell::Real(number) => {
                let power = 10f64.powi(i32::try_from(digits.clamp(-300, 300)).unwrap_or(0));
                let scaled = number * power;
                if !scaled.is_finite() {
                    return Ok(Cell::Real(*number));
                }
                Ok(Cell::Real(if cut { scaled.trunc() } else { scaled.round() } / power))
            }
            other => Ok(other.clone()),
        }
    }))
}

fn float(binder: &mut Binder<'_>, call: &Call, key: &'static str, op: fn(f64) -> f64) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let value = binder.coerce(&args[0], SqlType::Float)?;
    Ok(binder.strict(key, &[&value], SqlType::Float, move |cells| match &cells[0] {
        Cell::Real(number) => finite(op(*number)),
        _ => Err(error::converting("cell", "float")),
    }))
}

fn finite(number: f64) -> Result<Cell, ServerError> {
    if number.is_finite() {
        return Ok(Cell::Real(number));
    }
    Err(ServerError::new(3623, "An invalid floating point operation occurred."))
}

/// The result has the type of the base.
fn power(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 2)?;
    let base = numeric(binder, &args[0], "power")?;
    let ty = match base.ty {
        SqlType::TinyInt | SqlType::SmallInt => SqlType::Int,
        SqlType::Real => SqlType::Float,
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => {
            return Err(error::outside(call.line, "POWER of a decimal"));
        }
        other => other,
    };
    let (base, exponent) = (binder.coerce(&base, SqlType::Float)?, binder.coerce(&args[1], SqlType::Float)?);
    Ok(binder.strict(&format!("power {ty:?}"), &[&base, &exponent], ty, move |cells| match cells {
        [Cell::Real(base), Cell::Real(exponent)] => {
            let value = finite(base.powf(*exponent))?;
            crate::query::convert::cast(&value, SqlType::Float, ty, None)
                .map_err(|_| error::expression_overflow(error::type_name(ty)))
        }
        _ => Err(error::converting("cell", "float")),
    }))
}

fn is_numeric(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    if !is_text(args[0].ty) {
        let number = i32::from(matches!(
            family(args[0].ty),
            Family::Bit | Family::Integer | Family::Float | Family::Decimal
        ));
        return Ok(Typed::new(
            format!("CASE WHEN {} IS NULL THEN 0 ELSE {number} END", args[0].sql),
            SqlType::Int,
            false,
        ));
    }
    let typed = binder.apply("isnumeric", &[&args[0]], SqlType::Int, |cells| {
        if cells[0] == Cell::Null {
            return Ok(Cell::Integer(0));
        }
        let value = text(&cells[0])?.trim_matches(' ');
        let plain = is_plain_number(value) || (!value.is_empty() && from_text::float(value).is_some());
        // Money signs and group separators count as numeric for the engine in ways that this server does not know.
        let strange =
            value.chars().any(|c| matches!(c, '$' | ',' | '\u{a3}' | '\u{20ac}' | '\u{a5}' | '\\' | '\t'))
                || matches!(value, "+" | "-" | ".");
        if strange && !plain {
            return Err(error::outside(1, "ISNUMERIC of money"));
        }
        Ok(Cell::Integer(i64::from(plain)))
    });
    Ok(Typed { nullable: false, ..typed })
}
