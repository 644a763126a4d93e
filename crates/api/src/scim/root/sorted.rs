//! A page of both kinds in one order: the first of each, merged.

use axon_scim::{Resource, ScimError, Sort, SortKey};
use axon_store::Query;
use serde_json::value::RawValue;

use super::{Both, List, Part, whole};
use crate::reply::Refused;
use crate::scim::page;
use crate::scim::render::Shown;

/// The last place that a merged page may reach: all before it are read for it.
const DEEPEST: u64 = 10_000;

/// The page.
pub(super) async fn page(both: &Both<'_>) -> Result<List, Refused> {
    let asked = &both.call.query;
    let (skip, count) = (asked.start_index as u64 - 1, page::count(both.call));
    let reach = skip.saturating_add(count);
    if reach > DEEPEST && count > 0 {
        let text =
            format!("a sort over all resource types reaches to place {DEEPEST}: ask /Users or /Groups");
        return Err(ScimError::too_many(text).into());
    }
    let reach = if count == 0 { 0 } else { reach };
    let users = both.users(Query { count: reach, ..both.users.query() }).await?;
    let groups = both.groups(Query { count: reach, ..both.groups.query() }).await?;
    let mut all = keyed(both, &both.users, &users.items)?;
    all.extend(keyed(both, &both.groups, &groups.items)?);
    // Stable: equal keys keep users before groups, each in the store's order.
    all.sort_by(|a, b| if asked.descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    let shown = all.into_iter().map(|(_, text)| text).skip(whole(skip)).take(whole(count)).collect();
    Ok(List::new(whole(users.total + groups.total), asked.start_index, shown))
}

fn keyed<T: Shown>(
    both: &Both<'_>,
    part: &Part,
    items: &[T],
) -> Result<Vec<(SortKey, Box<RawValue>)>, Refused> {
    let key =
        |resource: Resource| part.sort.as_ref().map_or(SortKey::Absent, |sort: &Sort| sort.key(&resource));
    let keys = items.iter().map(|item| key(item.decorated()));
    Ok(keys.zip(both.write(part, items)?).collect())
}
