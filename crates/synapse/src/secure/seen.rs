//! Whether the catalog, and the tables of the managed schema, show what a step asks for.

use std::collections::BTreeSet;

use axon_reconcile::secure::{FilterShown, Metadata, ProfileRow, TableFilter, ViewText, Windows, windows};
use axon_reconcile::{ObjectName, SecureStep};
use tiberius::Row;

use super::{inspect, managed};
use crate::catalog::text;
use crate::connect::Session;
use crate::error::CallError;
use crate::render::{self, Query, Sql, ViewVerb, shown_text, view_query as ask};

/// The digest that a catalog shows of a view with this text.
pub(crate) fn digest(wanted: ViewText<'_>, metadata: &Metadata) -> String {
    digest_of(&match wanted {
        ViewText::Body(body) => render::secure_view(body, ViewVerb::Create, managed(metadata)),
        ViewText::Closed(name) => render::closed_view(name, ViewVerb::Create),
    })
}

/// What a catalog shows of a filter.
pub(crate) fn filter_shown(filter: &TableFilter, metadata: &Metadata) -> Option<FilterShown> {
    render::filter_shown(filter, managed(metadata))
}

fn digest_of(sql: &Sql) -> String {
    shown_text(sql.as_str()).digest
}

/// Whether a step's effect is there.
pub(crate) async fn in_force(session: &mut Session<'_>, step: &SecureStep) -> Result<bool, CallError> {
    Ok(match step {
        SecureStep::CreateOwner { name } => first(session, &ask::owner(*name)).await?.is_some(),
        SecureStep::CreateSchema { name, owner } => {
            let found = first(session, &ask::schema_owner(*name)).await?;
            found.is_some_and(|found| axon_model::SqlName::parse(&found).is_ok_and(|found| found == *owner))
        }
        SecureStep::CreateTable { schema, table } => {
            let name = axon_model::SqlName::parse(table.name());
            let table = name.map(|name| ObjectName { schema: *schema, name });
            match table {
                Ok(table) => !inspect::columns_of(session, table).await?.is_empty(),
                Err(_) => false,
            }
        }
        SecureStep::CreateKey { schema, id } => first(session, &ask::key(*schema, id)).await?.is_some(),
        SecureStep::WriteProfile { schema, principal, remove, add, loses: _ } => {
            let there = rows(session, &ask::profiles(*schema, &[*principal])).await?;
            add.iter().all(|row| there.contains(row)) && !remove.iter().any(|row| there.contains(row))
        }
        SecureStep::FillProfiles { schema, people: _, rows: wanted } => {
            let people: BTreeSet<_> = wanted.iter().map(|row| row.principal).collect();
            let people: Vec<_> = people.into_iter().collect();
            let there = rows(session, &ask::profiles_between(*schema, &people)).await?;
            wanted.iter().all(|row| there.contains(row))
        }
        SecureStep::DropProfiles { schema, people, loses: _ } => {
            rows(session, &ask::profiles(*schema, people)).await?.is_empty()
        }
        SecureStep::LetAct { schema, window } => {
            let in_session = window.session.is_some();
            let query = ask::acting(*schema, window.actor, window.person, in_session);
            let there = acting(session, &query, in_session).await?;
            there.get(&(window.actor, window.person)) == Some(&**window)
        }
        SecureStep::StopActing { schema, actor, person, in_session } => {
            let query = ask::acting(*schema, *actor, *person, *in_session);
            acting(session, &query, *in_session).await?.is_empty()
        }
        SecureStep::CreateView { view, metadata } | SecureStep::AlterView { view, metadata, unseen: _ } => {
            let wanted = digest(ViewText::Body(view), metadata);
            shown(session, view.name).await? == Some(Some(wanted))
        }
        SecureStep::CloseView { view, because: _, unseen: _ } => {
            let wanted = digest_of(&render::closed_view(*view, ViewVerb::Create));
            shown(session, *view).await? == Some(Some(wanted))
        }
        SecureStep::DropView { view } => shown(session, *view).await?.is_none(),
        SecureStep::SetFilter { filter, metadata, make: _, policy: _ } => {
            let there = inspect::filters(session, metadata.schema).await?;
            let wanted = filter_shown(filter, metadata);
            wanted.is_some_and(|wanted| there.in_force(metadata.schema, filter.table, &wanted))
        }
        SecureStep::DropFilter { policy, tables: _ } => {
            let there = inspect::filters(session, policy.schema).await?;
            !there.predicates.iter().any(|found| found.policy == *policy)
        }
        SecureStep::DropFunction { name } => {
            !inspect::filters(session, name.schema).await?.functions.contains_key(&name.name)
        }
    })
}

async fn first(session: &mut Session<'_>, query: &Query) -> Result<Option<String>, CallError> {
    let mut found = None;
    let mut take = |_: usize, row: &Row| {
        found = Some(text(row, 0)?.to_owned());
        Ok(())
    };
    session.read(query, &mut take).await?;
    Ok(found)
}

/// The digest of a view's text, where there is a view, and where its text is seen.
async fn shown(session: &mut Session<'_>, view: ObjectName) -> Result<Option<Option<String>>, CallError> {
    let mut found = None;
    let mut take = |_: usize, row: &Row| {
        found = Some(text(row, 0).ok().map(|text| shown_text(text).digest));
        Ok(())
    };
    session.read(&ask::view_text(view), &mut take).await?;
    Ok(found)
}

async fn acting(session: &mut Session<'_>, query: &Query, in_session: bool) -> Result<Windows, CallError> {
    let mut found = Vec::new();
    let mut take = |_: usize, row: &Row| {
        found.push(inspect::acting_row(row, in_session)?);
        Ok(())
    };
    session.read(query, &mut take).await?;
    Ok(windows(found))
}

async fn rows(session: &mut Session<'_>, query: &Query) -> Result<BTreeSet<ProfileRow>, CallError> {
    let mut found = BTreeSet::new();
    let mut take = |_: usize, row: &Row| {
        found.insert(inspect::profile_row(row)?);
        Ok(())
    };
    session.read(query, &mut take).await?;
    Ok(found)
}
