//! Pages of both kinds by cursor (RFC 9865): all users first, then all groups. The cursor says which of the two it is in.

use axon_scim::{ListResponse, ScimError};
use axon_store::{Cursor, Query};

use super::{Both, List, whole};
use crate::reply::Refused;
use crate::scim::page;

/// The page.
pub(super) async fn page(both: &Both<'_>, cursor: &str) -> Result<List, Refused> {
    let count = page::count(both.call);
    let (of_users, of_groups) = match (cursor.strip_prefix("u."), cursor.strip_prefix("g.")) {
        _ if cursor.is_empty() => (Some(Cursor::First), Cursor::First),
        (Some(inner), _) if !inner.is_empty() => (Some(page::cursor(inner, count)?), Cursor::First),
        (_, Some("")) => (None, Cursor::First),
        (_, Some(inner)) => (None, page::cursor(inner, count)?),
        _ => return Err(ScimError::invalid_cursor("the cursor is none of this server's").into()),
    };
    let is_behind_users = of_users.is_none();
    let asked = if is_behind_users { 0 } else { count };
    let users = both.users(Query { count: asked, cursor: of_users, ..both.users.query() }).await?;
    let mut shown = both.write(&both.users, &users.items)?;
    let left = count.saturating_sub(shown.len() as u64);
    let is_among_users = !is_behind_users && users.next.is_some();
    let asked = if is_among_users { 0 } else { left };
    let by_cursor = (asked > 0).then_some(of_groups);
    let groups = both.groups(Query { count: asked, cursor: by_cursor, ..both.groups.query() }).await?;
    shown.extend(both.write(&both.groups, &groups.items)?);
    let next = if let (true, Some(inner)) = (is_among_users, &users.next) {
        Some(format!("u.{}", page::shown_cursor(inner, count)))
    } else if let Some(inner) = &groups.next {
        Some(format!("g.{}", page::shown_cursor(inner, count)))
    } else if asked == 0 && count > 0 && groups.total > 0 {
        // The users ended with the page: the groups begin with the next one.
        Some("g.".to_owned())
    } else {
        None
    };
    Ok(ListResponse::by_cursor(whole(users.total + groups.total), next, shown))
}
