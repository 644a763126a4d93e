//! Reading what stands there of secure views.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::secure::{ActingRow, BaseTable, FoundView, ManagedTable, ProfileRow, windows};
use axon_reconcile::{ColumnType, Glob, ObjectName, Sid, ViewsAsked, ViewsThere};
use tiberius::Row;
use time::PrimitiveDateTime;

use crate::catalog::{number, text};
use crate::connect::Session;
use crate::error::CallError;
use crate::render::{shown_text, view_query as ask};

/// Reads all that is asked for, in three round trips at most.
pub(crate) async fn inspect(session: &mut Session<'_>, asked: &ViewsAsked) -> Result<ViewsThere, CallError> {
    let mut there = ViewsThere::default();
    let (bases, schemas) = (plain(&asked.bases), plain(&asked.schemas));
    let metadata = asked.metadata;
    let query = ask::views(bases.as_deref(), schemas.as_deref(), metadata.owner, metadata.schema);
    let mut take = |set: usize, row: &Row| {
        match set {
            0 => take_column(&mut there, asked, row),
            1 => take_view(&mut there, asked, row),
            // A user without a login authenticates by nothing: 0.
            2 => there.owner = Some(text(row, 0)?.trim() == "S" && number(row, 1)? == 0),
            _ => {
                let name = text(row, 0)?.to_lowercase();
                there.managed.extend(ManagedTable::ALL.into_iter().filter(|table| table.name() == name));
            }
        }
        Ok(())
    };
    session.read(&query, &mut take).await?;
    there.result_set_caching = caching(session).await?;
    let has = |table| there.managed.contains(&table);
    if has(ManagedTable::Profile) && has(ManagedTable::MaskKeys) {
        let query = ask::metadata(metadata.schema, has(ManagedTable::Acting));
        let mut acting = Vec::new();
        let mut take = |set: usize, row: &Row| {
            match set {
                0 => drop(there.keys.insert(text(row, 0)?.to_owned())),
                1 => drop(there.profile.insert(profile_row(row)?)),
                _ => acting.push(acting_row(row)?),
            }
            Ok(())
        };
        session.read(&query, &mut take).await?;
        there.acting = windows(acting);
    }
    Ok(there)
}

/// Columns of one table; none where it is not there.
pub(super) async fn columns_of(
    session: &mut Session<'_>,
    table: ObjectName,
) -> Result<Vec<(SqlName, ColumnType)>, CallError> {
    let mut columns = Vec::new();
    let mut take = |_: usize, row: &Row| {
        columns.push(column(row)?);
        Ok(())
    };
    session.read(&ask::table(table), &mut take).await?;
    Ok(columns)
}

/// A row of `profile`.
pub(super) fn profile_row(row: &Row) -> Result<ProfileRow, String> {
    let principal = SqlName::parse(text(row, 0)?).map_err(|e| format!("a principal of a profile: {e}"))?;
    Ok(ProfileRow { principal, attribute: text(row, 1)?.to_owned(), value: text(row, 2)?.to_owned() })
}

/// A row of `acting`.
pub(super) fn acting_row(row: &Row) -> Result<ActingRow, String> {
    let name = |at| SqlName::parse(text(row, at)?).map_err(|e| format!("a name of who acts as whom: {e}"));
    let sid: Option<&[u8]> = row.try_get(1).map_err(|e| e.to_string())?;
    let until: Option<PrimitiveDateTime> = row.try_get(4).map_err(|e| e.to_string())?;
    Ok(ActingRow {
        actor: name(0)?,
        sid: Sid::from_bytes(sid.ok_or("a permission without a security id")?),
        person: name(2)?,
        role: if text(row, 3)?.is_empty() { None } else { Some(name(3)?) },
        until: until.ok_or("a permission without an end")?.assume_utc(),
    })
}

/// A pool that does not know the word keeps no results.
async fn caching(session: &mut Session<'_>) -> Result<Option<bool>, CallError> {
    let mut on = None;
    let mut take = |_: usize, row: &Row| {
        on = Some(number(row, 0)? != 0);
        Ok(())
    };
    match session.read(&ask::result_set_caching(), &mut take).await {
        Ok(()) => Ok(on),
        Err(CallError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The patterns as names, if none of them has a star.
fn plain(globs: &[Glob]) -> Option<Vec<SqlName>> {
    let names: BTreeSet<SqlName> = globs.iter().filter_map(Glob::as_name).collect();
    globs.iter().all(|glob| glob.as_name().is_some()).then(|| names.into_iter().collect())
}

fn object(row: &Row) -> Option<ObjectName> {
    let part = |at| text(row, at).ok().and_then(|text| SqlName::parse(text).ok());
    Some(ObjectName { schema: part(0)?, name: part(1)? })
}

fn column(row: &Row) -> Result<(SqlName, ColumnType), String> {
    let name = SqlName::parse(text(row, 3)?).map_err(|e| e.to_string())?;
    let byte = |at| u8::try_from(number(row, at)?).map_err(|_| format!("column {at} is out of range"));
    let length: i16 = crate::catalog::small(row, 5)?;
    Ok((name, ColumnType::from_catalog(text(row, 4)?, length, byte(6)?, byte(7)?)))
}

fn take_column(there: &mut ViewsThere, asked: &ViewsAsked, row: &Row) {
    // What no map can name is no table of a view.
    let Some(table) = object(row) else { return };
    if !asked.bases.iter().any(|glob| glob.matches(table.schema)) {
        return;
    }
    let owner = text(row, 2).ok().and_then(|text| SqlName::parse(text).ok());
    let found = there.tables.entry(table).or_insert(BaseTable { owner, columns: Vec::new() });
    // A column that no map can name is shown to nobody.
    if let Ok(column) = column(row) {
        found.columns.push(column);
    }
}

fn take_view(there: &mut ViewsThere, asked: &ViewsAsked, row: &Row) {
    let Some(view) = object(row) else { return };
    if !asked.schemas.iter().any(|glob| glob.matches(view.schema)) {
        return;
    }
    let shown = text(row, 2).ok().map(shown_text);
    let found = FoundView {
        made: shown.as_ref().is_some_and(|shown| shown.made),
        intact: shown.as_ref().is_some_and(|shown| shown.intact),
        digest: shown.map(|shown| shown.digest),
        owner: text(row, 3).ok().and_then(|text| SqlName::parse(text).ok()),
    };
    there.views.insert(view, found);
}
