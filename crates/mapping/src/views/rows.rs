//! Which rows a view shows: each comparison held against its column's type.

use axon_model::SqlName;
use axon_reconcile::ColumnType;
use axon_reconcile::view_body::{Literal, Order, RowRule, Rows, Test, Who};

use super::fault::ViewFault;
use super::{BaseTable, GROUPS, Surroundings, mask};
use crate::secure_view::{Comparison, Operand, RowLine, RowOp, SecureView};

/// What is wrong, and what to do about it.
type Refused = (String, &'static str);

pub(super) fn of(
    view: &SecureView,
    table: &BaseTable,
    within: &Surroundings<'_>,
    faults: &mut Vec<ViewFault>,
) -> Rows {
    if view.rows.is_empty() {
        return Rows::All;
    }
    let mut rules = Vec::new();
    for line in &view.rows {
        match line {
            RowLine::Role(role) => rules.extend(within.who(role).into_iter().map(RowRule::To)),
            RowLine::Group(group) => {
                rules.push(RowRule::To(Who::Has { attribute: GROUPS.to_owned(), value: group.value() }));
            }
            RowLine::Where { all, to, place, .. } => {
                let mut tests = Vec::new();
                if !to.is_empty() {
                    tests.push(Test::Is(to.iter().flat_map(|role| within.who(role)).collect()));
                }
                for comparison in all {
                    match test(comparison, view, table) {
                        Ok(test) => tests.push(test),
                        Err((message, help)) => faults.push(ViewFault::new(view, place, message, help)),
                    }
                }
                rules.push(RowRule::All(tests));
            }
        }
    }
    Rows::Any(rules)
}

fn test(comparison: &Comparison, view: &SecureView, table: &BaseTable) -> Result<Test, Refused> {
    let Some((column, ty)) = table.columns.iter().find(|(name, _)| *name == comparison.column).copied()
    else {
        let message = format!("{} has no column {}", view.from, comparison.column);
        return Err((message, "compare a column that is there"));
    };
    if ty == ColumnType::Other {
        let message = format!("column {column} cannot be compared: Axon does not know its type");
        return Err((message, "compare another column"));
    }
    let order = match comparison.op {
        RowOp::Ne => Order::Ne,
        RowOp::Gt => Order::Gt,
        RowOp::Ge => Order::Ge,
        RowOp::Lt => Order::Lt,
        RowOp::Le => Order::Le,
        RowOp::Eq | RowOp::In | RowOp::Last => Order::Eq,
    };
    if comparison.op == RowOp::Last {
        let Operand::Number(days) = &comparison.operand else {
            return Err(("`last` takes a number of days".into(), "write `last 90 days`"));
        };
        return match days.parse() {
            Ok(days) if dated(ty) => Ok(Test::LastDays { column, days }),
            _ => Err((format!("column {column} of type {ty} has no days"), "use a column of dates")),
        };
    }
    match &comparison.operand {
        Operand::User(attribute) => {
            let compares = matches!(
                ty,
                ColumnType::TinyInt
                    | ColumnType::SmallInt
                    | ColumnType::Int
                    | ColumnType::BigInt
                    | ColumnType::Text { .. }
            );
            if order != Order::Eq {
                // A person may have no value, or many: only being equal to one of them is safe to say.
                let message = format!("user.{attribute} is compared by something else than eq or in");
                return Err((message, "compare an attribute by `eq` or `in`"));
            }
            if !compares {
                let message = format!("column {column} of type {ty} cannot be compared with an attribute");
                return Err((message, "use a column of texts or whole numbers"));
            }
            Ok(Test::Attribute { column, ty, attribute: attribute.clone() })
        }
        Operand::List(values) => {
            let values = values.iter().map(|value| literal(value, column, ty)).collect::<Result<_, _>>()?;
            Ok(Test::In { column, ty, values })
        }
        value => {
            let value = literal(value, column, ty)?;
            let equality = matches!(order, Order::Eq | Order::Ne);
            if !equality && matches!(ty, ColumnType::Text { .. } | ColumnType::UniqueIdentifier) {
                let message = format!("column {column} of type {ty} has an order that depends on the pool");
                return Err((message, "compare a text by `eq`, `ne` or `in`"));
            }
            Ok(Test::Compare { column, ty, order, value })
        }
    }
}

fn dated(ty: ColumnType) -> bool {
    matches!(
        ty,
        ColumnType::Date | ColumnType::DateTime | ColumnType::SmallDateTime | ColumnType::DateTime2(_)
    )
}

/// A date as `20201231`, which no setting of a session reads otherwise.
pub(super) fn date(text: &str) -> Option<String> {
    let form = time::macros::format_description!("[year]-[month]-[day]");
    let date = time::Date::parse(text, form).ok()?;
    // What `datetime` can hold; the others hold more.
    (1900..=2078)
        .contains(&date.year())
        .then(|| format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day()))
}

fn literal(value: &Operand, column: SqlName, ty: ColumnType) -> Result<Literal, Refused> {
    let wrong = |shown: &str| {
        let shown = crate::yaml::shown(shown);
        let help = if dated(ty) { mask::DATE } else { "write a value of the column's type" };
        (format!("column {column} of type {ty} cannot hold `{shown}`"), help)
    };
    match (value, ty) {
        (Operand::Text(text), ColumnType::Text { .. }) if !text.contains(char::is_control) => {
            Ok(Literal::Text(text.clone()))
        }
        (Operand::Text(text), ColumnType::UniqueIdentifier) => {
            let id = text.parse::<uuid::Uuid>().map_err(|_| wrong(text))?;
            Ok(Literal::Text(id.hyphenated().to_string()))
        }
        (Operand::Text(text), _) if dated(ty) => date(text).map(Literal::Text).ok_or_else(|| wrong(text)),
        (Operand::Bool(yes), ColumnType::Bit) => Ok(Literal::Number(u8::from(*yes).to_string())),
        (Operand::Number(text), _) => mask::number(text, ty).map(Literal::Number).ok_or_else(|| wrong(text)),
        (Operand::Text(text) | Operand::User(text), _) => Err(wrong(text)),
        (Operand::Bool(yes), _) => Err(wrong(if *yes { "true" } else { "false" })),
        (Operand::List(_), _) => Err(wrong("a list")),
    }
}
