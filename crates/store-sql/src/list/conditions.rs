//! A filter, parted into what SQL says and what is evaluated.

use std::borrow::Cow;

use axon_model::{SourceId, UserId};
use axon_scim::{Filter, IndexTerm, ResourceKind};
use axon_store::{Query, StoreError};

use crate::session::Session;
use crate::value::Arg;

/// A SELECT that is put together from literals, with its parameters.
pub(super) struct Select {
    pub sql: String,
    pub args: Vec<Arg<'static>>,
}

impl Select {
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub fn bind(&mut self, arg: impl Into<Arg<'static>>) -> &mut Self {
        self.args.push(arg.into());
        self.sql.push('$');
        self.sql.push_str(&self.args.len().to_string());
        self
    }
}

/// What a list asks for.
pub(super) struct Plan<'q> {
    pub kind: ResourceKind,
    pub source: &'q SourceId,
    terms: Vec<IndexTerm>,
    /// What every row must still meet; none when the terms say it all.
    pub filter: Option<&'q Filter>,
}

impl<'q> Plan<'q> {
    pub fn of(kind: ResourceKind, source: &'q SourceId, query: &'q Query) -> Self {
        let Some(filter) = &query.filter else {
            return Self { kind, source, terms: Vec::new(), filter: None };
        };
        let index = filter.index_terms();
        let mut exact = index.rest.is_none();
        let terms = index
            .terms
            .into_iter()
            .filter(|term| {
                let known = columns_have(kind, term);
                exact &= known && !matches!(term, IndexTerm::Email { kind: Some(_), .. });
                known
            })
            .collect();
        // The whole filter is evaluated, not only what the terms leave: they merely narrow the rows.
        Self { kind, source, terms, filter: (!exact).then_some(filter) }
    }

    /// The name that the SELECTs give a row.
    pub const fn row(&self) -> &'static str {
        match self.kind {
            ResourceKind::User => "u",
            ResourceKind::Group => "g",
        }
    }

    /// Whether evaluating the filter needs members or groups.
    pub fn needs_links(&self) -> bool {
        self.filter.is_some_and(|filter| {
            filter
                .attributes()
                .iter()
                .any(|p| p.extension.is_none() && matches!(p.attribute.name.as_str(), "members" | "groups"))
        })
    }

    /// A SELECT with the conditions behind it.
    pub fn select(&self, begin: &str) -> Select {
        let mut select = Select { sql: begin.to_owned(), args: Vec::new() };
        let row = self.row();
        select.push(" WHERE ").push(row).push(".source = ").bind(self.source.as_str().to_owned());
        for term in &self.terms {
            select.push(" AND ");
            self.term(&mut select, term);
        }
        select
    }

    fn term(&self, select: &mut Select, term: &IndexTerm) {
        let row = self.row();
        let id = |id: &str| id.parse::<UserId>().map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
        match term {
            // What is no id names nothing, like an id of no bytes.
            IndexTerm::Id(text) => select.push(row).push(".id = ").bind(id(text)),
            IndexTerm::UserName(key) => select.push("u.user_name_key = ").bind(key.clone()),
            IndexTerm::ExternalId(id) => select.push(row).push(".external_id = ").bind(id.clone()),
            IndexTerm::DisplayName(key) => select.push("g.display_name_key = ").bind(key.clone()),
            IndexTerm::Email { value, .. } => select
                .push("u.seq IN (SELECT \"user\" FROM user_emails WHERE value_key = ")
                .bind(value.clone())
                .push(" UNION ALL SELECT seq FROM users WHERE source = ")
                .bind(self.source.as_str().to_owned())
                .push(" AND user_name_key = ")
                .bind(value.clone())
                .push(" AND name_is_address = 1)"),
            IndexTerm::Member(text) => select
                .push(
                    "g.seq IN (SELECT m.grp FROM users x JOIN members m ON m.member = x.seq AND m.kind = 0 \
                     WHERE x.id = ",
                )
                .bind(id(text))
                .push(
                    " UNION ALL SELECT m.grp FROM groups x JOIN members m ON m.member = x.seq AND m.kind = 1 \
                     WHERE x.id = ",
                )
                .bind(id(text))
                .push(")"),
        };
    }

    /// How many rows meet the conditions.
    pub async fn count(&self, session: &mut dyn Session) -> Result<u64, StoreError> {
        let select = self.select(match self.kind {
            ResourceKind::User => "SELECT count(*) FROM users u",
            ResourceKind::Group => "SELECT count(*) FROM groups g",
        });
        let total: Option<i64> = session.value("count resources", select.sql, &select.args).await?;
        Ok(total.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    /// A SELECT of one row's column.
    pub fn column(&self, column: &'static str, seq: i64) -> Select {
        let mut select = self.columns(column);
        select.push(" AND ").push(self.row()).push(".seq = ").bind(seq);
        select
    }

    /// A SELECT of the numbers and a column of these rows.
    pub fn column_of_many(&self, column: &'static str, seqs: &[i64]) -> Select {
        let mut select = self.columns(&format!("{}.seq, {column}", self.row()));
        select.push(" AND ").push(self.row()).push(".seq IN (SELECT CAST(value AS BIGINT) FROM json_each(");
        select.bind(serde_json::Value::from(seqs).to_string()).push("))");
        select
    }

    fn columns(&self, columns: &str) -> Select {
        let mut select = self.select(match self.kind {
            ResourceKind::User => "SELECT * FROM users u",
            ResourceKind::Group => "SELECT * FROM groups g",
        });
        let from = select.sql.find('*').unwrap_or(0);
        select.sql.replace_range(from..=from, columns);
        select
    }
}

fn columns_have(kind: ResourceKind, term: &IndexTerm) -> bool {
    match term {
        IndexTerm::Id(_) | IndexTerm::ExternalId(_) => true,
        IndexTerm::UserName(_) | IndexTerm::Email { .. } => kind == ResourceKind::User,
        IndexTerm::DisplayName(_) | IndexTerm::Member(_) => kind == ResourceKind::Group,
    }
}

impl From<Select> for Cow<'static, str> {
    fn from(select: Select) -> Self {
        select.sql.into()
    }
}
