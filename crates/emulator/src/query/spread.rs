//! How the rows of a table lie over the distributions, and how the values of a column are spread: what statistics tell.

use std::cmp::Ordering;

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType, Value};
use crate::catalog::object::{Distribution, Object};
use crate::query::cell::hold;
use crate::query::collation::Collation;

/// Distributions of a dedicated pool.
const DISTRIBUTIONS: usize = 60;
/// Kilobytes of a page.
const PAGE: usize = 8;
/// Most steps of a histogram.
const STEPS: usize = 200;

/// What lies in one distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// `distribution_id`: 1 to 60, or -1 of a replicated table.
    pub(crate) distribution: i64,
    /// Its rows.
    pub(crate) rows: i64,
    /// Pages of 8 KB that they fill.
    pub(crate) pages: i64,
}

impl Part {
    pub(crate) fn kilobytes(self) -> i64 {
        self.pages * whole(PAGE)
    }
}

/// The parts of a table. Which row goes where is this server's own choice: by turns.
pub(crate) fn parts(table: &Object) -> Vec<Part> {
    let all = &table.rows;
    if table.distribution == Some(Distribution::Replicate) {
        return vec![part(-1, all.iter())];
    }
    (0..DISTRIBUTIONS).map(|at| part(whole(at) + 1, all.iter().skip(at).step_by(DISTRIBUTIONS))).collect()
}

fn part<'r>(distribution: i64, rows: impl Iterator<Item = &'r Vec<Value>>) -> Part {
    let (mut count, mut size) = (0, 0);
    for row in rows {
        count += 1;
        size += row.iter().map(bytes).sum::<usize>();
    }
    Part { distribution, rows: count, pages: whole(size.div_ceil(PAGE * 1024)) }
}

pub(crate) fn bytes(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) | Value::DateTime(_) => 8,
        Value::Decimal(_) => 9,
        Value::Text(text) => 2 * text.encode_utf16().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Guid(_) => 16,
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A step of a histogram: its highest value, and what lies below it and above the step before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// `RANGE_HI_KEY`
    pub(crate) key: Value,
    /// `EQ_ROWS`
    pub(crate) same: i64,
    /// `RANGE_ROWS`
    pub(crate) below: i64,
    /// `DISTINCT_RANGE_ROWS`
    pub(crate) distinct_below: i64,
}

/// The histogram of a column, and how many values it holds.
pub(crate) fn histogram(values: &[&Value], ty: SqlType) -> Result<(Vec<Step>, i64), ServerError> {
    let mut held =
        values.iter().map(|value| Ok((hold(value, ty)?, *value))).collect::<Result<Vec<_>, _>>()?;
    held.sort_by(|(one, _), (other, _)| order(one, other));
    let groups: Vec<(&Value, i64)> = held
        .chunk_by(|(one, _), (other, _)| order(one, other).is_eq())
        .map(|same| (same[0].1, whole(same.len())))
        .collect();
    // The lowest value is a step of its own.
    let each = groups.len().saturating_sub(1).div_ceil(STEPS - 1).max(1);
    let (lowest, others) = groups.split_at(groups.len().min(1));
    let steps = lowest.chunks(1).chain(others.chunks(each)).filter_map(|chunk| {
        let ((key, same), below) = chunk.split_last()?;
        let rows = below.iter().map(|(_, rows)| rows).sum();
        Some(Step { key: (*key).clone(), same: *same, below: rows, distinct_below: whole(below.len()) })
    });
    Ok((steps.collect(), whole(groups.len())))
}

/// The order of SQLite, with text by the collation of the pool.
fn order(one: &Cell, other: &Cell) -> Ordering {
    match (one, other) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Less,
        (_, Cell::Null) => Ordering::Greater,
        (Cell::Integer(one), Cell::Integer(other)) => one.cmp(other),
        (Cell::Real(one), Cell::Real(other)) => one.total_cmp(other),
        (Cell::Text(one), Cell::Text(other)) => Collation::Insensitive.compare(one, other),
        (Cell::Blob(one), Cell::Blob(other)) => one.cmp(other),
        // A column holds one family.
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_value_and_merges_where_there_are_too_many() {
        let few = [Value::Int(3), Value::Null, Value::Int(1), Value::Int(3)];
        let (steps, distinct) = histogram(&few.iter().collect::<Vec<_>>(), SqlType::Int).unwrap();
        let told: Vec<_> = steps.iter().map(|step| (step.key.clone(), step.same, step.below)).collect();
        assert_eq!(told, [(Value::Null, 1, 0), (Value::Int(1), 1, 0), (Value::Int(3), 2, 0)]);
        assert_eq!(distinct, 3);

        let many: Vec<Value> = (0..1000).map(Value::Int).collect();
        let (steps, distinct) = histogram(&many.iter().collect::<Vec<_>>(), SqlType::Int).unwrap();
        assert!(steps.len() <= STEPS && steps[0].below == 0 && distinct == 1000, "{}", steps.len());
        assert_eq!(steps.iter().map(|step| step.same + step.below).sum::<i64>(), 1000);
        assert_eq!(steps.last().map(|step| step.key.clone()), Some(Value::Int(999)));
        assert_eq!(histogram(&[], SqlType::Int).unwrap(), (vec![], 0));
    }
}
