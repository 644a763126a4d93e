//! Statistics, and DBCC, which tells of tables what a reader of some of their rows may not know.

use super::Run;
use super::names::shown;
use super::work::Work;
use crate::answer::{Answer, Column, ServerError, SqlType, Value};
use crate::catalog::name::same;
use crate::catalog::object::{Object, ObjectKind, Statistics, TableColumn};
use crate::catalog::permission::{Action, Securable};
use crate::errors;
use crate::query::{Part, Step, bytes, histogram, parts};
use crate::sql::ast::StatisticsPart;

/// Who may look at all statistics besides owners.
const DDL_ADMIN: &str = "db_ddladmin";

impl Work<'_> {
    pub(super) fn create_statistics(
        &mut self,
        name: &str,
        path: &[String],
        columns: &[String],
    ) -> Result<(), ServerError> {
        let mut table = self.table_to_alter(path, errors::no_table_for_statistics)?;
        if table.statistics_named(name).is_some() {
            return Err(errors::statistics_exist(&table.name, name));
        }
        let ids = columns.iter().map(|column| {
            table
                .column(column)
                .map(|found| found.id)
                .ok_or_else(|| errors::no_such_statistics_column(column))
        });
        let columns = ids.collect::<Result<Vec<i32>, _>>()?;
        let id = table.statistics.iter().map(|other| other.id).max().unwrap_or(1) + 1;
        table.statistics.push(Statistics { id, name: name.to_owned(), columns, created: self.now() });
        self.catalog_mut().put_object(table);
        Ok(())
    }

    pub(super) fn drop_statistics(&mut self, name: &str, path: &[String]) -> Result<(), ServerError> {
        let missing = |name: &str| errors::cannot_drop("statistics", name);
        let mut table = self.table_to_alter(path, missing)?;
        if table.statistics_named(name).is_none() {
            return Err(missing(&format!("{}.{name}", shown(path))));
        }
        table.statistics.retain(|statistics| !same(&statistics.name, name));
        self.catalog_mut().put_object(table);
        Ok(())
    }

    fn table_told_of(&self, path: &[String]) -> Result<&Object, ServerError> {
        let table = self.find_object(path)?.filter(|object| object.kind == ObjectKind::Table);
        table.ok_or_else(|| errors::dbcc_no_table(&shown(path)))
    }

    /// SELECT on what the statistics are on is enough unless the table is filtered: they count the rows that a filter hides.
    fn may_see_statistics(&self, table: &Object, statistics: &Statistics) -> bool {
        let access = self.access();
        let on = Securable::object(table.id);
        let administers =
            self.catalog().principal_named(DDL_ADMIN).is_some_and(|role| access.is_member(role.id));
        administers
            || access.is_owner()
            || access.owns(on)
            || (access.check(table, &statistics.columns, Action::Select).is_ok()
                && self.catalog().filter_on(table.id).is_none())
    }
}

impl Run<'_> {
    /// DBCC PDW_SHOWSPACEUSED: one table by its distributions, or the whole database.
    pub(super) fn show_space_used(&mut self, path: Option<&[String]>) -> Result<(), ServerError> {
        let (told, of_table) = self.with_work(|work| {
            if !work.access().allows_database(Action::ViewDatabaseState) {
                return Err(errors::dbcc_denied(&work.caller.user_name, "PDW_SHOWSPACEUSED"));
            }
            let Some(path) = path else {
                let tables = work.catalog().objects().filter(|object| object.kind == ObjectKind::Table);
                return Ok((tables.flat_map(parts).collect::<Vec<_>>(), false));
            };
            work.table_told_of(path).map(|table| (parts(table), true))
        })?;
        let sizes = ["reserved_space", "data_space", "index_space", "unused_space"];
        let mut columns: Vec<Column> = sizes.iter().map(|name| column(name, SqlType::BigInt)).collect();
        columns.push(column("pdw_node_id", SqlType::Int));
        let space = |kilobytes: i64| [kilobytes, kilobytes, 0, 0, 1].map(Value::Int);
        let rows = if of_table {
            columns.insert(0, column("rows", SqlType::BigInt));
            columns.push(column("distribution_id", SqlType::Int));
            let row = |part: &Part| {
                let mut row = vec![Value::Int(part.rows)];
                row.extend(space(part.kilobytes()));
                row.push(Value::Int(part.distribution));
                row
            };
            told.iter().map(row).collect()
        } else {
            vec![space(told.iter().map(|part| part.kilobytes()).sum()).to_vec()]
        };
        self.tell(columns, rows);
        Ok(())
    }

    /// DBCC SHOW_STATISTICS, over the rows that the table holds now.
    pub(super) fn show_statistics(
        &mut self,
        path: &[String],
        name: &str,
        asked: &[StatisticsPart],
    ) -> Result<(), ServerError> {
        let (table, statistics) = self.with_work(|work| {
            let table = work.table_told_of(path)?;
            let missing = || errors::no_such_statistics(name);
            if !work.access().sees_object(table) {
                return Err(errors::dbcc_no_table(&shown(path)));
            }
            let statistics = table.statistics_named(name).ok_or_else(missing)?;
            if !work.may_see_statistics(table, statistics) {
                let user = &work.caller.user_name;
                return Err(errors::dbcc_denied_on(user, "SHOW_STATISTICS", &table.name));
            }
            Ok((table.clone(), statistics.clone()))
        })?;
        let on = On::new(&table, &statistics);
        let (steps, distinct) = histogram(&on.values(0), on.columns[0].1.ty)?;
        for part in asked {
            let (columns, rows) = match part {
                StatisticsPart::Header => on.header(&statistics, &steps, distinct),
                StatisticsPart::Density => on.density(),
                StatisticsPart::Histogram => on.histogram(&steps),
            };
            self.tell(columns, rows);
        }
        Ok(())
    }

    fn tell(&mut self, columns: Vec<Column>, rows: Vec<Vec<Value>>) {
        let count = u64::try_from(rows.len()).ok();
        self.answers.push(Answer::Columns(columns));
        self.answers.extend(rows.into_iter().map(Answer::Row));
        self.done(count);
    }
}

fn column(name: &str, ty: SqlType) -> Column {
    Column::new(name, ty)
}

fn named(columns: &[(&str, SqlType)]) -> Vec<Column> {
    columns.iter().map(|(name, ty)| column(name, *ty)).collect()
}

type Told = (Vec<Column>, Vec<Vec<Value>>);

/// What statistics are on: a table, and its columns with their places in a row.
struct On<'t> {
    table: &'t Object,
    columns: Vec<(usize, &'t TableColumn)>,
}

impl<'t> On<'t> {
    fn new(table: &'t Object, statistics: &Statistics) -> Self {
        let place = |id: &i32| table.columns.iter().enumerate().find(|(_, column)| column.id == *id);
        Self { table, columns: statistics.columns.iter().filter_map(place).collect() }
    }

    fn values(&self, column: usize) -> Vec<&'t Value> {
        let at = self.columns[column].0;
        self.table.rows.iter().map(|row| &row[at]).collect()
    }

    /// Bytes of these columns on average.
    fn length(&self, columns: usize) -> f64 {
        let of =
            |row: &Vec<Value>| self.columns[..columns].iter().map(|(at, _)| bytes(&row[*at])).sum::<usize>();
        let all: usize = self.table.rows.iter().map(of).sum();
        if self.table.rows.is_empty() { 0.0 } else { float(all) / float(self.table.rows.len()) }
    }

    fn header(&self, statistics: &Statistics, steps: &[Step], distinct: i64) -> Told {
        let columns = named(&[
            ("Name", SqlType::NVarChar(128)),
            ("Updated", SqlType::NVarChar(20)),
            ("Rows", SqlType::BigInt),
            ("Rows Sampled", SqlType::BigInt),
            ("Steps", SqlType::SmallInt),
            ("Density", SqlType::Real),
            ("Average key length", SqlType::Real),
            ("String Index", SqlType::NVarChar(3)),
            ("Filter Expression", SqlType::NVarChar(0)),
            ("Unfiltered Rows", SqlType::BigInt),
        ]);
        let rows = Value::Int(i64::try_from(self.table.rows.len()).unwrap_or(i64::MAX));
        let row = vec![
            Value::Text(statistics.name.clone()),
            Value::Text(statistics.created.date().to_string()),
            rows.clone(),
            rows.clone(),
            Value::Int(i64::try_from(steps.len()).unwrap_or(i64::MAX)),
            Value::Float(if distinct == 0 {
                0.0
            } else {
                1.0 / float(usize::try_from(distinct).unwrap_or(1))
            }),
            Value::Float(self.length(self.columns.len())),
            Value::Text("NO".to_owned()),
            Value::Null,
            rows,
        ];
        (columns, vec![row])
    }

    /// One row for each beginning of the list of columns.
    fn density(&self) -> Told {
        let columns = named(&[
            ("All density", SqlType::Real),
            ("Average Length", SqlType::Real),
            ("Columns", SqlType::NVarChar(0)),
        ]);
        let of = |count: usize| {
            let mut different: Vec<Vec<&Value>> = Vec::new();
            for row in self.table.rows.iter() {
                let list: Vec<&Value> = self.columns[..count].iter().map(|(at, _)| &row[*at]).collect();
                if !different.contains(&list) {
                    different.push(list);
                }
            }
            let names: Vec<&str> =
                self.columns[..count].iter().map(|(_, column)| column.name.as_str()).collect();
            let density = if different.is_empty() { 0.0 } else { 1.0 / float(different.len()) };
            vec![Value::Float(density), Value::Float(self.length(count)), Value::Text(names.join(", "))]
        };
        (columns, (1..=self.columns.len()).map(of).collect())
    }

    fn histogram(&self, steps: &[Step]) -> Told {
        let columns = named(&[
            ("RANGE_HI_KEY", self.columns[0].1.ty),
            ("RANGE_ROWS", SqlType::BigInt),
            ("EQ_ROWS", SqlType::BigInt),
            ("DISTINCT_RANGE_ROWS", SqlType::BigInt),
            ("AVG_RANGE_ROWS", SqlType::BigInt),
        ]);
        let row = |step: &Step| {
            let average = step.below.checked_div(step.distinct_below).unwrap_or(1);
            let mut row = vec![step.key.clone()];
            row.extend([step.below, step.same, step.distinct_below, average].map(Value::Int));
            row
        };
        (columns, steps.iter().map(row).collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "densities are estimates")]
fn float(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
