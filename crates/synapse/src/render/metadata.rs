//! The texts about the managed schema: its tables, people's profiles, the keys of masks. What is a person's, and every key, is in
//! what is sent and not in what is recorded.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::secure::{ManagedTable, ProfileRow};

use super::Sql;
use super::quote::{Bracketed, Value};
use super::view::EXACTLY;

/// A statement as it is sent, and as it is recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct Discreet {
    pub(crate) sent: Sql,
    pub(crate) recorded: String,
}

impl Discreet {
    /// A statement of which nothing is secret.
    pub(crate) fn plain(sql: Sql) -> Self {
        Self { recorded: sql.as_str().to_owned(), sent: sql }
    }

    /// What is recorded of it.
    pub fn recorded(&self) -> &str {
        &self.recorded
    }
}

impl std::fmt::Debug for Discreet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.recorded)
    }
}

/// The columns of a profile's row, as bulk loads name them.
pub(crate) const PROFILE_COLUMNS: [&str; 3] = ["[principal]", "[attribute]", "[value]"];
/// How long each of them may be, in UTF-16 units.
pub(crate) const PROFILE_LENGTHS: [usize; 3] = [128, 256, 3_000];
/// Rows of one INSERT: each is a SELECT of its own, and engines take some hundreds of them in one statement.
const ROWS: usize = 500;
/// Conditions of one DELETE.
const CONDITIONS: usize = 200;

pub(crate) fn create_owner(name: SqlName) -> Sql {
    Sql(format!("CREATE USER {} WITHOUT LOGIN", Bracketed(name)))
}

pub(crate) fn create_schema(name: SqlName, owner: SqlName) -> Sql {
    Sql(format!("CREATE SCHEMA {} AUTHORIZATION {}", Bracketed(name), Bracketed(owner)))
}

pub(crate) fn create_table(schema: SqlName, table: ManagedTable) -> Sql {
    let columns = match table {
        // A row of a pool has 8,060 bytes at most.
        ManagedTable::Profile => {
            "[principal] nvarchar(128) NOT NULL, [attribute] nvarchar(256) NOT NULL, [value] nvarchar(3000) NOT NULL"
        }
        ManagedTable::MaskKeys => "[id] nvarchar(450) NOT NULL, [mask_key] nvarchar(64) NOT NULL",
        ManagedTable::Acting => {
            "[actor] nvarchar(128) NOT NULL, [actor_sid] varbinary(85) NOT NULL, [person] nvarchar(128) NOT NULL, \
             [role] nvarchar(128) NOT NULL, [until] datetime2(0) NOT NULL"
        }
        ManagedTable::ActingSessions => {
            "[actor] nvarchar(128) NOT NULL, [actor_sid] varbinary(85) NOT NULL, [person] nvarchar(128) NOT NULL, \
             [role] nvarchar(128) NOT NULL, [until] datetime2(0) NOT NULL, [session_id] nvarchar(32) NOT NULL, \
             [login_time] datetime2(3) NOT NULL"
        }
    };
    let schema = Bracketed(schema);
    Sql(format!("CREATE TABLE {schema}.[{table}] ({columns}) WITH (DISTRIBUTION = REPLICATE, HEAP)"))
}

/// A key comes as a parameter: it stands in no text. What is there stays.
pub(crate) fn create_key(schema: SqlName) -> Sql {
    let schema = Bracketed(schema);
    Sql(format!(
        "INSERT INTO {schema}.[mask_keys] ([id], [mask_key]) SELECT @P1, @P2 \
         WHERE NOT EXISTS (SELECT 1 FROM {schema}.[mask_keys] AS k WHERE k.[id] {EXACTLY} = @P1)"
    ))
}

/// What is recorded of it.
pub(crate) fn key_recorded(schema: SqlName, id: &str) -> String {
    format!("{} /* {} */", create_key(schema).as_str(), axon_model::name::shown(id).replace("*/", "* /"))
}

/// How many rows of which attributes, for the record.
fn counted(rows: &[ProfileRow]) -> String {
    let mut counts: BTreeMap<(&SqlName, &str), usize> = BTreeMap::new();
    for row in rows {
        *counts.entry((&row.principal, &row.attribute)).or_default() += 1;
    }
    let mut text = String::new();
    for (i, ((principal, attribute), count)) in counts.iter().enumerate() {
        if i == 20 {
            // Writing to a String cannot fail.
            let _ = write!(text, ", and {} more", counts.len() - i);
            break;
        }
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{count} of {attribute} of {principal}");
    }
    axon_model::name::shown(&text).replace("*/", "* /")
}

/// Takes rows out, exactly these.
pub(crate) fn delete_rows(schema: SqlName, principal: SqlName, rows: &[ProfileRow]) -> Vec<Discreet> {
    let of = |rows: &[ProfileRow]| {
        let mut text = format!(
            "DELETE FROM {}.[profile] WHERE [principal] = {} AND (",
            Bracketed(schema),
            Value(principal.as_str())
        );
        for (i, row) in rows.iter().enumerate() {
            let _ = write!(
                text,
                "{}([attribute] {EXACTLY} = {} AND [value] {EXACTLY} = {} AND DATALENGTH([value]) = {})",
                if i == 0 { "" } else { " OR " },
                Value(&row.attribute),
                Value(&row.value),
                row.value.encode_utf16().count() * 2
            );
        }
        text.push(')');
        let recorded = format!("DELETE FROM {}.[profile] /* {} */", Bracketed(schema), counted(rows));
        Discreet { sent: Sql(text), recorded }
    };
    rows.chunks(CONDITIONS).map(of).collect()
}

/// Takes out all rows of some people.
pub(crate) fn delete_people(schema: SqlName, people: &[SqlName]) -> Discreet {
    let names: Vec<String> = people.iter().map(|name| Value(name.as_str()).to_string()).collect();
    let text =
        format!("DELETE FROM {}.[profile] WHERE [principal] IN ({})", Bracketed(schema), names.join(", "));
    Discreet::plain(Sql(text))
}

/// Puts rows in. A pool's `VALUES` takes one row, so it is a SELECT of many.
pub(crate) fn insert_rows(schema: SqlName, rows: &[ProfileRow]) -> Vec<Discreet> {
    let of = |rows: &[ProfileRow]| {
        let mut text =
            format!("INSERT INTO {}.[profile] ([principal], [attribute], [value])", Bracketed(schema));
        for (i, row) in rows.iter().enumerate() {
            let _ = write!(
                text,
                "{} SELECT {}, {}, {}",
                if i == 0 { "" } else { " UNION ALL" },
                Value(row.principal.as_str()),
                Value(&row.attribute),
                Value(&row.value)
            );
        }
        let recorded = format!("INSERT INTO {}.[profile] /* {} */", Bracketed(schema), counted(rows));
        Discreet { sent: Sql(text), recorded }
    };
    rows.chunks(ROWS).map(of).collect()
}

/// The table of profiles, as a bulk load names it.
pub(crate) fn profile_table(schema: SqlName) -> String {
    format!("{}.[profile]", Bracketed(schema))
}

/// What is recorded of a bulk load.
pub(crate) fn bulk_recorded(schema: SqlName, rows: &[ProfileRow]) -> String {
    format!("INSERT BULK {} /* {} */", profile_table(schema), counted(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_quotes_is_one_literal_and_is_not_recorded() {
        let row = ProfileRow {
            principal: SqlName::parse("o'neill").unwrap(),
            attribute: "region".into(),
            value: "x'; DROP TABLE t--".into(),
        };
        let schema = SqlName::parse("ax]on").unwrap();
        let insert = insert_rows(schema, &[row.clone(), row.clone()]);
        let delete = delete_rows(schema, row.principal, &[row]);
        assert_eq!(
            insert[0].sent.as_str(),
            "INSERT INTO [ax]]on].[profile] ([principal], [attribute], [value]) \
             SELECT N'o''neill', N'region', N'x''; DROP TABLE t--' UNION ALL SELECT N'o''neill', N'region', N'x''; DROP TABLE t--'"
        );
        assert!(delete[0].sent.as_str().contains("= N'x''; DROP TABLE t--' AND DATALENGTH([value]) = 36)"));
        for discreet in insert.iter().chain(&delete) {
            assert!(!format!("{discreet:?} {}", discreet.recorded()).contains("DROP"), "{discreet:?}");
        }
        assert_eq!(insert[0].recorded(), "INSERT INTO [ax]]on].[profile] /* 2 of region of o'neill */");
    }
}
