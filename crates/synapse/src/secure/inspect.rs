//! Reading what stands there of secure views.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::secure::{
    ActingRow, ActingSession, BaseTable, Filters, FoundPredicate, FoundView, LiveSession, ManagedTable,
    ProfileRow, comparable_call, windows,
};
use axon_reconcile::{ColumnType, Glob, ObjectName, RefusalKind, Retry, Sid, ViewsAsked, ViewsThere};
use tiberius::Row;
use time::PrimitiveDateTime;

use crate::catalog::{number, text};
use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, function_shown, shown_text, view_query as ask};

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
    (there.result_set_caching, there.filters) = beside(session, metadata.schema).await?;
    let has = |table| there.managed.contains(&table);
    if has(ManagedTable::Profile) && has(ManagedTable::MaskKeys) {
        let table = if metadata.by_session { ManagedTable::ActingSessions } else { ManagedTable::Acting };
        let query = ask::metadata(metadata.schema, has(table).then_some(metadata.by_session));
        let mut acting = Vec::new();
        let mut take = |set: usize, row: &Row| {
            match set {
                0 => {
                    let id = text(row, 0)?;
                    there.keys.insert(id.to_owned());
                    there.key_marks.entry(id.to_owned()).or_default().push(text(row, 1)?.to_owned());
                }
                1 => drop(there.profile.insert(profile_row(row)?)),
                _ => acting.push(acting_row(row, metadata.by_session)?),
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

/// A row of `acting`, or of `acting_sessions`.
pub(super) fn acting_row(row: &Row, in_session: bool) -> Result<ActingRow, String> {
    let name = |at| SqlName::parse(text(row, at)?).map_err(|e| format!("a name of who acts as whom: {e}"));
    let sid: Option<&[u8]> = row.try_get(1).map_err(|e| e.to_string())?;
    let until: Option<PrimitiveDateTime> = row.try_get(4).map_err(|e| e.to_string())?;
    Ok(ActingRow {
        actor: name(0)?,
        sid: Sid::from_bytes(sid.ok_or("a permission without a security id")?),
        person: name(2)?,
        role: if text(row, 3)?.is_empty() { None } else { Some(name(3)?) },
        until: until.ok_or("a permission without an end")?.assume_utc(),
        session: if in_session { Some(acting_session(row, 5, 6)?) } else { None },
    })
}

/// A session's id and when it was logged in to: in whole milliseconds, which is what the table keeps.
fn acting_session(row: &Row, id: usize, at: usize) -> Result<ActingSession, String> {
    let login: Option<PrimitiveDateTime> = row.try_get(at).map_err(|e| e.to_string())?;
    let login = login.ok_or("a session without a time of login")?.assume_utc();
    let login = login.replace_nanosecond(login.nanosecond() / 1_000_000 * 1_000_000).unwrap_or(login);
    Ok(ActingSession { id: text(row, id)?.to_owned(), login })
}

/// Those of these sessions that live; none where they are not shown to Axon.
pub(crate) async fn live_sessions(
    session: &mut Session<'_>,
    ids: &[String],
) -> Result<Option<Vec<LiveSession>>, CallError> {
    let mut found = Vec::new();
    let mut take = |_: usize, row: &Row| {
        let sid: Option<&[u8]> = row.try_get(1).map_err(|e| e.to_string())?;
        // A session of nobody's is nobody's permission.
        if let Some(sid) = sid {
            found.push(LiveSession { session: acting_session(row, 0, 2)?, sid: Sid::from_bytes(sid) });
        }
        Ok(())
    };
    match session.read(&ask::live_sessions(ids), &mut take).await {
        Ok(()) => Ok(Some(found)),
        Err(CallError::Refused { refusal, .. }) if refusal.kind == RefusalKind::Forbidden => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether results are kept, and the filters of tables: in one round trip, where the pool knows both.
async fn beside(
    session: &mut Session<'_>,
    schema: SqlName,
) -> Result<(Option<bool>, Option<Filters>), CallError> {
    let (mut on, mut found) = (None, Filters::default());
    let mut take = |set: usize, row: &Row| match set {
        0 => {
            on = Some(number(row, 0)? != 0);
            Ok(())
        }
        set => take_filter(&mut found, set - 1, row),
    };
    match session.read(&ask::beside_views(schema), &mut take).await {
        Ok(()) => return Ok((on, Some(found))),
        Err(CallError::Refused { .. }) => {}
        Err(error) => return Err(error),
    }
    let caching = told(caching(session).await)?;
    Ok((caching.flatten(), told(filters(session, schema).await)?))
}

/// A pool that does not know the word has nothing of the kind. One that is busy has told nothing.
fn told<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(told) => Ok(Some(told)),
        Err(CallError::Refused { retry: Retry::Never, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn caching(session: &mut Session<'_>) -> Result<Option<bool>, CallError> {
    let mut on = None;
    let mut take = |_: usize, row: &Row| {
        on = Some(number(row, 0)? != 0);
        Ok(())
    };
    session.read(&ask::result_set_caching(), &mut take).await?;
    Ok(on)
}

/// The filters of tables.
pub(super) async fn filters(session: &mut Session<'_>, schema: SqlName) -> Result<Filters, CallError> {
    let mut found = Filters::default();
    let mut take = |set: usize, row: &Row| take_filter(&mut found, set, row);
    session.read(&render::filters(schema), &mut take).await?;
    Ok(found)
}

fn take_filter(found: &mut Filters, set: usize, row: &Row) -> Result<(), String> {
    if set > 0 {
        if let Ok(name) = SqlName::parse(text(row, 0)?) {
            found.functions.insert(name, function_shown(text(row, 1).unwrap_or_default()));
        }
        return Ok(());
    }
    let part = |at| text(row, at).ok().and_then(|text| SqlName::parse(text).ok());
    let object = |schema, name| Some(ObjectName { schema: part(schema)?, name: part(name)? });
    // What no map can name is none of Axon's; that it is there matters only where it is about a table that a map names.
    let Some(policy) = object(0, 1) else { return Ok(()) };
    found.predicates.push(FoundPredicate {
        policy,
        enabled: number(row, 2)? != 0,
        table: object(3, 4),
        call: comparable_call(text(row, 5).unwrap_or_default()),
        filters: text(row, 6).unwrap_or_default() == "FILTER",
    });
    Ok(())
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
    // An answer that cannot be read is no plain table either.
    if !matches!(row.try_get::<i32, _>(8), Ok(None)) {
        there.external.insert(table);
    }
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
