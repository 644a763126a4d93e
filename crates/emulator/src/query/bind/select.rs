//! One SELECT block.

use std::fmt::Write as _;

use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::query::ast::{Expr, Item, Order, Page, Select};
use crate::query::bind::aggregate::has_aggregate;
use crate::query::bind::{Binder, Bound, OutColumn, Reading, Scope, Typed};
use crate::query::error;

/// One output column while its block is bound.
pub(crate) struct Output {
    pub(crate) value: Typed,
    pub(crate) name: Option<String>,
}

/// Most columns of a result, as documented for the product; SQLite's own limit is 2000.
const MAX_COLUMNS: usize = 2000;

impl Binder<'_> {
    /// Binds a SELECT with the order and page that stand behind it.
    pub(crate) fn select(
        &mut self,
        select: &Select,
        order: &[Order],
        page: Option<&Page>,
    ) -> Result<Bound, ServerError> {
        let mut scope = Scope::default();
        let from = match &select.from {
            Some(source) => {
                let sql = self.source(source, &mut scope.sources)?;
                format!(" FROM {sql}")
            }
            None => String::new(),
        };
        self.scopes.push(scope);
        let bound = self.block(select, order, page, &from);
        self.scopes.pop();
        bound
    }

    fn block(
        &mut self,
        select: &Select,
        order: &[Order],
        page: Option<&Page>,
        from: &str,
    ) -> Result<Bound, ServerError> {
        let mut sql = from.to_owned();
        if let Some(filter) = &select.filter {
            let _ = write!(sql, " WHERE {}", self.condition(filter)?);
        }
        let groups = self.groups(&select.group)?;
        let aggregated = select.having.is_some()
            || select
                .items
                .iter()
                .any(|item| matches!(item, Item::One { value, .. } if has_aggregate(value)))
            || order.iter().any(|order| has_aggregate(&order.key));
        let grouping = aggregated || !groups.is_empty();
        let scope = self.scope();
        scope.aggregates_allowed = true;
        if grouping {
            scope.groups = Some(groups.iter().map(|group| group.sql.clone()).collect());
        }
        if !groups.is_empty() {
            let keys: Vec<String> = groups.iter().map(Typed::collated).collect();
            let _ = write!(sql, " GROUP BY {}", keys.join(","));
        }
        if let Some(having) = &select.having {
            let _ = write!(sql, " HAVING {}", self.condition(having)?);
        }
        self.scope().windows_allowed = true;
        let outputs = self.outputs(select)?;
        let keys = self.order_of_select(order, &outputs, select)?;
        let limit = self.limit(select.top.as_ref(), page)?;
        let list: Vec<String> = outputs
            .iter()
            .enumerate()
            .map(|(place, output)| format!("{} AS c{place}", output.value.collated()))
            .collect();
        let distinct = if select.distinct { "DISTINCT " } else { "" };
        // A HAVING without groups needs a group: SQLite has one only if an aggregate is named.
        let only_having = select.having.is_some() && groups.is_empty();
        if only_having
            && !select
                .items
                .iter()
                .any(|item| matches!(item, Item::One { value, .. } if has_aggregate(value)))
        {
            return Err(error::outside(1, "HAVING"));
        }
        let mut sql = format!("SELECT {distinct}{}{sql}{keys}{limit}", list.join(","));
        // Inside a set operation a limit needs a block of its own.
        if !limit.is_empty() {
            sql = format!("SELECT * FROM ({sql})");
        }
        let columns = outputs
            .into_iter()
            .map(|output| OutColumn {
                name: output.name,
                ty: output.value.ty,
                nullable: output.value.nullable,
                collation: output.value.collation,
                null: output.value.null,
            })
            .collect();
        let one = matches!(&select.top, Some(Expr::Number(digits)) if digits == "1" || digits == "0");
        let single = (grouping && groups.is_empty()) || one || (select.from.is_none());
        Ok(Bound { sql, columns, single })
    }

    fn groups(&mut self, group: &[Expr]) -> Result<Vec<Typed>, ServerError> {
        let mut groups = Vec::with_capacity(group.len());
        for expr in group {
            if let Expr::Call(call) = expr
                && call.name.len() == 1
                && ["ROLLUP", "CUBE"].iter().any(|name| call.name[0].eq_ignore_ascii_case(name))
            {
                return Err(error::outside(call.line, &call.name[0]));
            }
            if matches!(expr, Expr::Number(_) | Expr::Text { .. } | Expr::Null | Expr::Variable { .. }) {
                // 164
                return Err(ServerError::new(
                    164,
                    "Each GROUP BY expression must contain at least one column that is not an outer reference.",
                )
                .with_class(15));
            }
            groups.push(self.value(expr)?);
        }
        Ok(groups)
    }

    fn outputs(&mut self, select: &Select) -> Result<Vec<Output>, ServerError> {
        let mut outputs = Vec::with_capacity(select.items.len());
        for item in &select.items {
            match item {
                Item::One { value, alias } => {
                    let name = alias.clone().or_else(|| own_name(value));
                    outputs.push(Output { value: self.value(value)?, name });
                }
                Item::All { qualifier, line } => self.all(qualifier, *line, select, &mut outputs)?,
            }
            if outputs.len() > MAX_COLUMNS {
                return Err(error::outside(1, "so many columns"));
            }
        }
        Ok(outputs)
    }

    fn all(
        &mut self,
        qualifier: &[String],
        line: u32,
        select: &Select,
        outputs: &mut Vec<Output>,
    ) -> Result<(), ServerError> {
        if select.from.is_none() {
            return Err(error::no_table().at_line(line));
        }
        if self.reading == Reading::BoundFunction {
            return Err(crate::errors::star_in_bound_text().at_line(line));
        }
        let scope = self.scopes.len() - 1;
        let mut matched = false;
        for source in 0..self.scopes[scope].sources.len() {
            let entry = &self.scopes[scope].sources[source];
            if !entry.answers_to(qualifier) {
                continue;
            }
            matched = true;
            for place in 0..entry.columns.len() {
                let name = self.scopes[scope].sources[source].columns[place].name.clone();
                let value = self.found(scope, source, place).map_err(|error| error.at_line(line))?;
                outputs.push(Output { value, name });
            }
        }
        if matched { Ok(()) } else { Err(error::prefix_unknown(&qualifier.join(".")).at_line(line)) }
    }
}

/// A column keeps its name; other expressions have none.
fn own_name(value: &Expr) -> Option<String> {
    match value {
        Expr::Column { name, .. } => name.last().cloned(),
        Expr::Collate(inner, _) => own_name(inner),
        _ => None,
    }
}

impl crate::query::bind::SourceScope {
    /// Whether a qualifier (nothing, alias, or schema and table) names this source.
    pub(crate) fn answers_to(&self, qualifier: &[String]) -> bool {
        match qualifier {
            [] => true,
            [name] => same(name, &self.name),
            [.., schema, name] => {
                same(name, &self.name) && self.schema.as_ref().is_some_and(|own| same(own, schema))
            }
        }
    }
}
