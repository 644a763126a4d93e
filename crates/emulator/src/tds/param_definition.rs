//! The parameter list of `sp_executesql` and `sp_prepare`: `@a int, @b nvarchar(20) OUTPUT`.

use crate::answer::{ServerError, SqlType};
use crate::session_port::Param;

use super::coerce::coerce;

/// One declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Name with its `@`.
    pub name: String,
    /// Type, if it is one that values can be converted to.
    pub ty: Option<SqlType>,
    /// Whether it is given back.
    pub output: bool,
}

/// Read a parameter list. What is no declaration is left to the engine to complain about.
pub fn parse(list: &str) -> Vec<Declared> {
    split(list).into_iter().filter_map(|part| declaration(part.trim())).collect()
}

/// Parts between commas that are not in parentheses.
fn split(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    list.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn declaration(part: &str) -> Option<Declared> {
    let (name, rest) = part.split_once(char::is_whitespace)?;
    if !name.starts_with('@') {
        return None;
    }
    let lower = rest.trim().to_ascii_lowercase();
    let lower = lower.strip_prefix("as ").unwrap_or(&lower).trim();
    let (ty, output) = match lower.strip_suffix(" output").or_else(|| lower.strip_suffix(" out")) {
        Some(ty) => (ty, true),
        None => (lower, false),
    };
    Some(Declared { name: name.to_owned(), ty: sql_type(ty.trim()), output })
}

fn sql_type(text: &str) -> Option<SqlType> {
    let (name, args) = match text.split_once('(') {
        Some((name, args)) => (name.trim(), args.trim_end().strip_suffix(')')?),
        None => (text, ""),
    };
    let mut numbers = args.split(',').map(str::trim);
    let first = numbers.next().filter(|first| !first.is_empty());
    let second = numbers.next();
    let length = match first {
        None => 1,
        Some("max") => 0,
        Some(digits) => digits.parse().ok()?,
    };
    let scale = || first.map_or(Some(7), |digits| digits.parse().ok()).filter(|scale| *scale <= 7);
    Some(match name {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "real" => SqlType::Real,
        // Up to 24 bits of mantissa it is a `real`.
        "float" if first.is_some_and(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= 24)) => SqlType::Real,
        "float" => SqlType::Float,
        "decimal" | "numeric" | "dec" => SqlType::Decimal {
            precision: first
                .map_or(Some(18), |digits| digits.parse().ok())
                .filter(|p| (1..=38).contains(p))?,
            scale: second.map_or(Some(0), |digits| digits.parse().ok())?,
        },
        "money" => SqlType::Money,
        "smallmoney" => SqlType::SmallMoney,
        "nvarchar" => SqlType::NVarChar(length),
        "sysname" => SqlType::NVarChar(128),
        "nchar" => SqlType::NChar(length),
        "varchar" => SqlType::VarChar(length),
        "char" => SqlType::Char(length),
        "varbinary" => SqlType::VarBinary(length),
        "binary" => SqlType::Binary(length),
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "datetime2" => SqlType::DateTime2(scale()?),
        "datetimeoffset" => SqlType::DateTimeOffset(scale()?),
        "date" => SqlType::Date,
        "time" => SqlType::Time(scale()?),
        _ => return None,
    })
}

/// Give the parameters their declared names and types. Those without a name go by position.
pub fn bind(declared: &[Declared], params: Vec<Param>) -> Result<Vec<Param>, ServerError> {
    if params.len() > declared.len() && !declared.is_empty() {
        let message = "Procedure or function  has too many arguments specified.";
        return Err(ServerError::new(8144, message).with_state(2));
    }
    params.into_iter().enumerate().map(|(position, param)| bind_one(declared, position, param)).collect()
}

fn bind_one(declared: &[Declared], position: usize, mut param: Param) -> Result<Param, ServerError> {
    if !param.name.is_empty() && !param.name.starts_with('@') {
        param.name.insert(0, '@');
    }
    let found = if param.name.is_empty() {
        declared.get(position)
    } else {
        declared.iter().find(|one| one.name.eq_ignore_ascii_case(&param.name))
    };
    let Some(found) = found else {
        if declared.is_empty() {
            return Ok(param);
        }
        let message = format!("{} is not a parameter for procedure .", param.name);
        return Err(ServerError::new(8145, message).with_state(2));
    };
    param.name.clone_from(&found.name);
    if let Some(ty) = found.ty {
        param.value = coerce(param.value, ty)?;
        param.ty = ty;
    }
    Ok(param)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Value;

    #[test]
    fn lists_are_read_with_their_types() {
        let list = parse("@a int,@b  decimal(10, 2) OUTPUT, @c nvarchar(max), @d dbo.mine");
        let names: Vec<_> = list.iter().map(|one| (one.name.as_str(), one.ty, one.output)).collect();
        assert_eq!(
            names,
            [
                ("@a", Some(SqlType::Int), false),
                ("@b", Some(SqlType::Decimal { precision: 10, scale: 2 }), true),
                ("@c", Some(SqlType::NVarChar(0)), false),
                ("@d", None, false),
            ]
        );
        assert_eq!(parse(""), []);
        assert_eq!(parse("@t time(9)")[0].ty, None);
    }

    fn param(name: &str, text: &str) -> Param {
        Param {
            name: name.into(),
            ty: SqlType::NVarChar(4000),
            value: Value::Text(text.into()),
            output: false,
        }
    }

    #[test]
    fn values_take_the_declared_name_and_type() {
        let bound = bind(&parse("@a int, @B bit"), vec![param("", "5"), param("@b", "1")]).unwrap();
        assert_eq!((bound[0].name.as_str(), &bound[0].value), ("@a", &Value::Int(5)));
        assert_eq!((bound[1].name.as_str(), &bound[1].value), ("@B", &Value::Bool(true)));
    }

    #[test]
    fn misfits_are_errors_with_the_servers_numbers() {
        assert_eq!(bind(&parse("@a int"), vec![param("@x", "5")]).unwrap_err().number, 8145);
        assert_eq!(bind(&parse("@a int"), vec![param("", "5"), param("", "5")]).unwrap_err().number, 8144);
        assert_eq!(bind(&parse("@a int"), vec![param("", "x")]).unwrap_err().number, 8114);
    }
}
