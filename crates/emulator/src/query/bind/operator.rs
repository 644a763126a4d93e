//! Arithmetic, bits, and `+` on text.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::ast::Operator;
use crate::query::bind::{Binder, Typed};
use crate::query::cell::DAY;
use crate::query::convert::{self, from_text, in_range, moment};
use crate::query::types::{self, Family, family, is_national, is_text, length, text_type, unify};
use crate::query::{decimal, error};

impl Binder<'_> {
    /// Binds `left operator right`.
    pub(crate) fn operate(
        &mut self,
        left: &Typed,
        operator: Operator,
        right: &Typed,
    ) -> Result<Typed, ServerError> {
        let (left, right) = open_types(left, right);
        let (l, r) = (family(left.ty), family(right.ty));
        if operator == Operator::Add && l == Family::Text && r == Family::Text {
            return self.concatenate(&left, &right);
        }
        if operator == Operator::Add && l == Family::Binary && r == Family::Binary {
            return Ok(self.join_bytes(&left, &right));
        }
        if l == Family::Moment || r == Family::Moment {
            return self.shift(&left, operator, &right);
        }
        if matches!(operator, Operator::BitAnd | Operator::BitOr | Operator::BitXor) {
            return self.bits(&left, operator, &right);
        }
        if !can_reckon(left.ty, right.ty) {
            return Err(if l == r || types::is_number(left.ty) && types::is_number(right.ty) {
                error::bad_operator(error::type_name(left.ty), word(operator))
            } else {
                error::incompatible(error::type_name(left.ty), error::type_name(right.ty), word(operator))
            });
        }
        let mut ty = unify(left.ty, right.ty)?;
        if is_text(ty) || family(ty) == Family::Bit {
            return Err(error::bad_operator(error::type_name(ty), word(operator)));
        }
        match family(ty) {
            Family::Integer => {
                let (left, right) = (self.coerce(&left, ty)?, self.coerce(&right, ty)?);
                Ok(self.whole(&left, operator, &right, ty))
            }
            Family::Float => {
                ty = SqlType::Float;
                let (left, right) = (self.coerce(&left, ty)?, self.coerce(&right, ty)?);
                if operator == Operator::Modulo {
                    return Err(error::bad_operator("float", "modulo"));
                }
                Ok(self.strict(&format!("float {operator:?}"), &[&left, &right], ty, move |cells| {
                    floating(&cells[0], operator, &cells[1])
                }))
            }
            _ => self.decimals(&left, operator, &right, ty),
        }
    }

    fn whole(&mut self, left: &Typed, operator: Operator, right: &Typed, ty: SqlType) -> Typed {
        let mut result = self.strict(
            &format!("whole {operator:?} {ty:?}"),
            &[left, right],
            ty,
            move |cells| match cells {
                [Cell::Integer(l), Cell::Integer(r)] => {
                    let (l, r) = (i128::from(*l), i128::from(*r));
                    let value = match operator {
                        Operator::Add => l + r,
                        Operator::Subtract => l - r,
                        Operator::Multiply => l * r,
                        _ if r == 0 => return Err(error::divide_by_zero()),
                        Operator::Divide => l / r,
                        _ => l % r,
                    };
                    in_range(value, ty)
                        .map(Cell::Integer)
                        .ok_or_else(|| error::expression_overflow(error::type_name(ty)))
                }
                _ => Err(error::converting("cell", error::type_name(ty))),
            },
        );
        result.nullable |= matches!(operator, Operator::Divide | Operator::Modulo);
        result
    }

    /// Precision and scale follow the documented rules.
    fn decimals(
        &mut self,
        left: &Typed,
        operator: Operator,
        right: &Typed,
        common: SqlType,
    ) -> Result<Typed, ServerError> {
        let (left, right) = (self.as_decimal(left, common)?, self.as_decimal(right, common)?);
        let ((p1, s1), (p2, s2)) = (types::as_decimal(left.ty), types::as_decimal(right.ty));
        let wide = |n: u8| u32::from(n);
        let money = types::is_money(common);
        let ty = if money {
            common
        } else {
            let whole = wide(p1 - s1).max(wide(p2 - s2));
            match operator {
                Operator::Multiply => types::decimal(wide(p1) + wide(p2) + 1, wide(s1) + wide(s2)),
                Operator::Divide => {
                    let scale = 6.max(wide(s1) + wide(p2) + 1);
                    types::decimal(wide(p1) - wide(s1) + wide(s2) + scale, scale)
                }
                Operator::Modulo => {
                    let scale = wide(s1).max(wide(s2));
                    types::decimal(wide(p1 - s1).min(wide(p2 - s2)) + scale, scale)
                }
                _ => types::decimal(whole + wide(s1).max(wide(s2)) + 1, wide(s1).max(wide(s2))),
            }
        };
        let (precision, scale) = types::as_decimal(ty);
        let key = format!("decimal {operator:?} {p1} {s1} {p2} {s2} {ty:?} {money}");
        let mut result = self.strict(&key, &[&left, &right], ty, move |cells| match cells {
            [Cell::Integer(l), Cell::Integer(r)] => {
                let value = reckon(i128::from(*l), s1, operator, i128::from(*r), s2, (precision, scale))?;
                convert::of_money(value, ty)
            }
            _ => Err(error::converting("cell", "numeric")),
        });
        result.nullable |= matches!(operator, Operator::Divide | Operator::Modulo);
        Ok(result)
    }

    /// An operand of decimal arithmetic with its own precision.
    fn as_decimal(&mut self, value: &Typed, common: SqlType) -> Result<Typed, ServerError> {
        if types::is_money(common) {
            return self.coerce(value, common);
        }
        let ty = match (value.ty, value.digits) {
            (SqlType::Decimal { .. }, _) => value.ty,
            (_, Some(digits)) => SqlType::Decimal { precision: digits, scale: 0 },
            (text, None) if is_text(text) => common,
            (other, None) => {
                let (precision, scale) = types::as_decimal(other);
                SqlType::Decimal { precision, scale }
            }
        };
        self.coerce(value, ty)
    }

    fn bits(&mut self, left: &Typed, operator: Operator, right: &Typed) -> Result<Typed, ServerError> {
        let whole = |ty| matches!(family(ty), Family::Integer | Family::Bit);
        if !whole(left.ty) || !whole(right.ty) {
            return Err(error::incompatible(
                error::type_name(left.ty),
                error::type_name(right.ty),
                word(operator),
            ));
        }
        let ty = unify(left.ty, right.ty)?;
        let (left, right) = (self.coerce(left, ty)?, self.coerce(right, ty)?);
        Ok(self.strict(&format!("bits {operator:?}"), &[&left, &right], ty, move |cells| match cells {
            [Cell::Integer(l), Cell::Integer(r)] => Ok(Cell::Integer(match operator {
                Operator::BitAnd => l & r,
                Operator::BitOr => l | r,
                _ => l ^ r,
            })),
            _ => Err(error::converting("cell", error::type_name(ty))),
        }))
    }

    /// `datetime` plus and minus days; other date types have no arithmetic.
    fn shift(&mut self, left: &Typed, operator: Operator, right: &Typed) -> Result<Typed, ServerError> {
        let classic = |ty| matches!(ty, SqlType::DateTime | SqlType::SmallDateTime);
        let refused = || error::clash(error::type_name(left.ty), error::type_name(right.ty));
        if !classic(left.ty) || family(right.ty) != Family::Integer {
            return Err(refused());
        }
        let sign = match operator {
            Operator::Add => 1,
            Operator::Subtract => -1,
            _ => return Err(refused()),
        };
        let ty = left.ty;
        Ok(self.strict(&format!("shift {sign} {ty:?}"), &[left, right], ty, move |cells| match cells {
            [Cell::Integer(at), Cell::Integer(days)] => {
                let overflow = || error::expression_overflow(error::type_name(ty));
                let moved = days
                    .checked_mul(DAY * sign)
                    .and_then(|ticks| at.checked_add(ticks))
                    .ok_or_else(overflow)?;
                moment::cast(moved, SqlType::DateTime2(7), ty).map(Cell::Integer).map_err(|_| overflow())
            }
            _ => Err(error::converting("cell", error::type_name(ty))),
        }))
    }

    fn concatenate(&mut self, left: &Typed, right: &Typed) -> Result<Typed, ServerError> {
        let national = is_national(left.ty) || is_national(right.ty);
        let units = joined(left.ty, right.ty);
        let ty = text_type(national, units);
        // Text that is not `max` stays within 8000 bytes.
        let limit = if units == 0 { None } else { Some(if national { 4000 } else { 8000 }) };
        let (left, right) =
            (self.coerce(left, widen(left.ty, ty))?, self.coerce(right, widen(right.ty, ty))?);
        let mut result =
            self.strict(&format!("concatenate {limit:?}"), &[&left, &right], ty, move |cells| match cells {
                [Cell::Text(l), Cell::Text(r)] => {
                    let text = format!("{l}{r}");
                    match limit {
                        Some(limit) if text.len() > usize::from(limit) => {
                            crate::query::convert::to_text::fit(text, SqlType::NVarChar(limit))
                        }
                        _ => Ok(Cell::Text(text)),
                    }
                }
                _ => Err(error::converting("cell", "nvarchar")),
            });
        let leading = if right.explicit && !left.explicit { &right } else { &left };
        result.collation = leading.collation;
        result.explicit = leading.explicit;
        Ok(result)
    }

    fn join_bytes(&mut self, left: &Typed, right: &Typed) -> Typed {
        let ty = match joined(left.ty, right.ty) {
            0 => SqlType::VarBinary(0),
            width => SqlType::VarBinary(u16::try_from(width.min(8000)).unwrap_or(8000)),
        };
        self.strict("join bytes", &[left, right], ty, |cells| match cells {
            [Cell::Blob(l), Cell::Blob(r)] => Ok(Cell::Blob([l.as_slice(), r.as_slice()].concat())),
            _ => Err(error::converting("cell", "varbinary")),
        })
    }
}

/// NULL takes the type of the other side.
fn open_types(left: &Typed, right: &Typed) -> (Typed, Typed) {
    let (mut left, mut right) = (left.clone(), right.clone());
    if left.null && !right.null {
        left.ty = right.ty;
    } else if right.null && !left.null {
        right.ty = left.ty;
    }
    (left, right)
}

/// The type in which one side of a concatenation takes part.
fn widen(own: SqlType, result: SqlType) -> SqlType {
    if is_national(result) && !is_national(own) { SqlType::NVarChar(length(own)) } else { own }
}

/// Sum of two lengths; 0 is `max`.
fn joined(left: SqlType, right: SqlType) -> u32 {
    match (length(left), length(right)) {
        (0, _) | (_, 0) => 0,
        (l, r) => u32::from(l) + u32::from(r),
    }
}

fn can_reckon(left: SqlType, right: SqlType) -> bool {
    let fits = |ty| types::is_number(ty) || is_text(ty);
    fits(left) && fits(right) && (types::is_number(left) || types::is_number(right))
}

fn word(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "add",
        Operator::Subtract => "subtract",
        Operator::Multiply => "multiply",
        Operator::Divide => "divide",
        Operator::Modulo => "modulo",
        Operator::BitAnd => "'&'",
        Operator::BitOr => "'|'",
        Operator::BitXor => "'^'",
    }
}

fn floating(left: &Cell, operator: Operator, right: &Cell) -> Result<Cell, ServerError> {
    let (Cell::Real(l), Cell::Real(r)) = (left, right) else {
        return Err(error::converting("cell", "float"));
    };
    let value = match operator {
        Operator::Add => l + r,
        Operator::Subtract => l - r,
        Operator::Multiply => l * r,
        _ if *r == 0.0 => return Err(error::divide_by_zero()),
        _ => l / r,
    };
    if value.is_finite() { Ok(Cell::Real(value)) } else { Err(error::expression_overflow("float")) }
}

fn reckon(
    left: i128,
    left_scale: u8,
    operator: Operator,
    right: i128,
    right_scale: u8,
    (precision, scale): (u8, u8),
) -> Result<i64, ServerError> {
    let overflow = || error::expression_overflow("numeric");
    let unit = |exponent: u8| decimal::unit(u32::from(exponent)).ok_or_else(overflow);
    let common = left_scale.max(right_scale);
    let align = |value: i128, own: u8| value.checked_mul(unit(common - own)?).ok_or_else(overflow);
    match operator {
        Operator::Add => {
            decimal::rescale(align(left, left_scale)? + align(right, right_scale)?, common, scale, precision)
        }
        Operator::Subtract => {
            decimal::rescale(align(left, left_scale)? - align(right, right_scale)?, common, scale, precision)
        }
        Operator::Multiply => {
            let product = left.checked_mul(right).ok_or_else(overflow)?;
            decimal::rescale(product, left_scale + right_scale, scale, precision)
        }
        _ if right == 0 => Err(error::divide_by_zero()),
        Operator::Divide => {
            // left/10^s1 / (right/10^s2), cut to the scale of the result.
            let lifted = left
                .checked_mul(unit(scale)?)
                .and_then(|value| unit(right_scale).ok().and_then(|unit| value.checked_mul(unit)))
                .ok_or_else(overflow)?;
            let divisor = right.checked_mul(unit(left_scale)?).ok_or_else(overflow)?;
            decimal::rescale(lifted / divisor, scale, scale, precision)
        }
        _ => {
            decimal::rescale(align(left, left_scale)? % align(right, right_scale)?, common, scale, precision)
        }
    }
}

/// A number read from text, for `ISNUMERIC` and its like.
pub(crate) fn is_plain_number(text: &str) -> bool {
    from_text::is_decimal(text.trim_matches(' '))
}
