//! Lists that key columns do not answer: rows are evaluated in batches, and only keys and places are kept until the page is
//! known.

use std::cmp::Ordering;
use std::collections::HashMap;

use axon_scim::{ScimError, SortKey};
use axon_store::directory::MAX_EVALUATED;
use axon_store::query::{Place, PlaceKey, cursor};
use axon_store::{Page, Query, WriteError};

use super::Listed;
use super::conditions::Plan;
use super::order::{Order, Window, carried, carried_back};
use crate::session::Session;

/// How many rows are evaluated at a time.
const BATCH: i64 = 500;

/// A row that matches.
struct Match {
    key: Option<SortKey>,
    seq: i64,
}

impl Match {
    fn place(&self) -> Place {
        Place { seq: self.seq, key: carried(self.key.as_ref()) }
    }
}

/// One page.
pub(super) async fn list<T: Listed>(
    session: &mut dyn Session,
    plan: &Plan<'_>,
    order: &Order<'_>,
    window: Window,
    query: &Query,
) -> Result<Page<T>, WriteError> {
    let mut matches = matching::<T>(session, plan, order).await?;
    let compare = |a: &Match, b: &Match| compare(order, a, b);
    matches.sort_by(compare);
    let total = matches.len() as u64;
    let (skip, count) = window.size();
    let from = match &window {
        Window::Index { .. } => usize::try_from(skip).unwrap_or(usize::MAX).min(matches.len()),
        Window::Cursor { after: None, .. } => 0,
        Window::Cursor { after: Some(place), .. } => behind(order, &matches, place)?,
    };
    let end = from.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)).min(matches.len());
    let page = &matches[from..end];
    let by_cursor = matches!(window, Window::Cursor { .. });
    let next = match page.last() {
        Some(last) if by_cursor && end < matches.len() => {
            Some(cursor::write(plan.source, T::KIND, query, &last.place()))
        }
        _ => None,
    };
    let items = read::<T>(session, plan, page, query.links).await?;
    let places = if query.places { page.iter().map(Match::place).collect() } else { Vec::new() };
    Ok(Page { total, start: if by_cursor { 1 } else { skip + 1 }, items, next, places })
}

fn compare(order: &Order<'_>, a: &Match, b: &Match) -> Ordering {
    let keys = match (order.sort(), &a.key, &b.key) {
        (Some(sort), Some(a), Some(b)) => sort.order(a, b),
        _ => Ordering::Equal,
    };
    keys.then(a.seq.cmp(&b.seq))
}

/// How many of the matches are not behind a place.
fn behind(order: &Order<'_>, matches: &[Match], place: &Place) -> Result<usize, ScimError> {
    if place.key == PlaceKey::OfRow {
        let at = matches.iter().position(|m| m.seq == place.seq);
        return at
            .map(|at| at + 1)
            .ok_or_else(|| ScimError::expired_cursor("what the cursor points at is not there any more"));
    }
    let last = Match { key: carried_back(&place.key), seq: place.seq };
    Ok(matches.partition_point(|m| compare(order, m, &last) != Ordering::Greater))
}

/// All that match, by creation.
async fn matching<T: Listed>(
    session: &mut dyn Session,
    plan: &Plan<'_>,
    order: &Order<'_>,
) -> Result<Vec<Match>, WriteError> {
    let links = plan.needs_links()
        || order.sort().is_some_and(|sort| {
            sort.path().extension.is_none()
                && matches!(sort.path().attribute.name.as_str(), "members" | "groups")
        });
    let select = T::select(session.dialect(), links);
    let (mut after, mut seen) = (0_i64, 0_u64);
    let mut matches = Vec::new();
    loop {
        let mut batch = plan.select(select);
        let row = plan.row();
        batch.push(" AND ").push(row).push(".seq > ").bind(after);
        batch.push(" ORDER BY ").push(row).push(".seq LIMIT ").bind(BATCH);
        let mut rows = T::rows(session, batch).await?;
        let Some(last) = rows.last() else { return Ok(matches) };
        after = last.seq();
        seen += rows.len() as u64;
        if links {
            seen += rows.iter().map(T::effort).sum::<u64>();
        }
        check_effort(seen)?;
        if links {
            T::link(session, &mut rows).await?;
        }
        for row in &rows {
            let resource = row.decorated();
            if plan.filter.is_none_or(|filter| filter.matches(&resource)) {
                let key = order.sort().map(|sort| sort.key(&resource));
                matches.push(Match { key, seq: row.seq() });
            }
        }
    }
}

/// The rows of a page, in its order.
async fn read<T: Listed>(
    session: &mut dyn Session,
    plan: &Plan<'_>,
    page: &[Match],
    links: bool,
) -> Result<Vec<T>, WriteError> {
    let mut items = Vec::with_capacity(page.len());
    for part in page.chunks(1_000) {
        let mut select = plan.select(T::select(session.dialect(), links));
        let seqs: Vec<i64> = part.iter().map(|m| m.seq).collect();
        let list = serde_json::Value::from(seqs).to_string();
        let row = plan.row();
        select.push(" AND ").push(row).push(".seq IN (SELECT CAST(value AS BIGINT) FROM json_each(");
        select.bind(list).push("))");
        let rows = T::rows(session, select).await?;
        let mut rows: HashMap<i64, T> = rows.into_iter().map(|row| (row.seq(), row)).collect();
        items.extend(part.iter().filter_map(|wanted| rows.remove(&wanted.seq)));
    }
    if links {
        T::link(session, &mut items).await?;
    } else {
        items.iter_mut().for_each(T::unlink);
    }
    Ok(items)
}

fn check_effort(seen: u64) -> Result<(), WriteError> {
    if seen > MAX_EVALUATED {
        return Err(ScimError::too_many(format!(
            "the list would look at more than {MAX_EVALUATED} values; filter by userName, externalId, displayName or id"
        ))
        .into());
    }
    Ok(())
}
