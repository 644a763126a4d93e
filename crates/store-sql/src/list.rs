//! Lists: what key columns answer goes to SQL, the rest is evaluated over batches of rows.
//!
//! ```text
//! filter and order told by key columns ──> one SELECT … LIMIT            (by index: OFFSET; by cursor: behind its place)
//! else ──> evaluate in batches, keep (sort key, row) ──> order, cut ──> read the page's rows
//! ```

mod conditions;
mod evaluate;
mod order;

use axon_model::SourceId;
use axon_scim::{ResourceKind, ScimError};
use axon_store::directory::MAX_LISTED_MEMBERS;
use axon_store::query::{Place, cursor};
use axon_store::{Cursor, Page, Query, StoreError, StoredGroup, StoredUser, WriteError};

use self::conditions::{Plan, Select};
use self::order::{Order, Window};
use crate::codec::signed;
use crate::reader::{
    GroupRow, KeyedGroup, KeyedUser, UserRow, group, group_select, members_of, user, user_sql,
};
use crate::session::{Dialect, Session};

/// A kind of resource, as lists read it.
trait Listed: Sized {
    const KIND: ResourceKind;
    /// What stands before the conditions.
    fn select(dialect: Dialect, links: bool) -> &'static str;
    /// Runs a SELECT; the rows come in its order.
    async fn rows(session: &mut dyn Session, select: Select) -> Result<Vec<Self>, StoreError>;
    /// Reads the links that a SELECT does not bring.
    async fn link(session: &mut dyn Session, rows: &mut [Self]) -> Result<(), WriteError>;
    /// Forgets links that were read for the filter alone.
    fn unlink(&mut self);
    fn seq(&self) -> i64;
    fn decorated(&self) -> axon_scim::Resource;
    /// How many values a filter over the links looks at.
    fn effort(&self) -> u64;
}

impl Listed for KeyedUser {
    const KIND: ResourceKind = ResourceKind::User;

    fn select(dialect: Dialect, links: bool) -> &'static str {
        user_sql!(dialect, links, "")
    }

    async fn rows(session: &mut dyn Session, select: Select) -> Result<Vec<Self>, StoreError> {
        let rows: Vec<UserRow> = session.all("list users", select.sql, &select.args).await?;
        rows.into_iter().map(user).collect()
    }

    async fn link(_: &mut dyn Session, _: &mut [Self]) -> Result<(), WriteError> {
        Ok(())
    }

    fn unlink(&mut self) {
        self.user.groups = None;
    }

    fn seq(&self) -> i64 {
        self.seq
    }

    fn decorated(&self) -> axon_scim::Resource {
        self.user.decorated()
    }

    fn effort(&self) -> u64 {
        0
    }
}

impl Listed for KeyedGroup {
    const KIND: ResourceKind = ResourceKind::Group;

    fn select(_: Dialect, _: bool) -> &'static str {
        group_select!("")
    }

    async fn rows(session: &mut dyn Session, select: Select) -> Result<Vec<Self>, StoreError> {
        let rows: Vec<GroupRow> = session.all("list groups", select.sql, &select.args).await?;
        rows.into_iter().map(group).collect()
    }

    async fn link(session: &mut dyn Session, rows: &mut [Self]) -> Result<(), WriteError> {
        let members = rows.iter().map(|keyed| keyed.group.member_count).sum::<u64>();
        if members > MAX_LISTED_MEMBERS {
            return Err(ScimError::too_many(format!(
                "the page's groups have {members} members; ask for a smaller page, or exclude members"
            ))
            .into());
        }
        members_of(session, rows).await.map_err(Into::into)
    }

    fn unlink(&mut self) {
        self.group.members = None;
    }

    fn seq(&self) -> i64 {
        self.seq
    }

    fn decorated(&self) -> axon_scim::Resource {
        self.group.decorated()
    }

    fn effort(&self) -> u64 {
        self.group.member_count
    }
}

/// Users of a source, inside one read transaction.
pub(crate) async fn users(
    session: &mut dyn Session,
    source: &SourceId,
    query: &Query,
) -> Result<Page<StoredUser>, WriteError> {
    let page = list::<KeyedUser>(session, source, query).await?;
    Ok(Page {
        total: page.total,
        start: page.start,
        items: page.items.into_iter().map(|keyed| keyed.user).collect(),
        next: page.next,
        places: page.places,
    })
}

/// Groups of a source, inside one read transaction.
pub(crate) async fn groups(
    session: &mut dyn Session,
    source: &SourceId,
    query: &Query,
) -> Result<Page<StoredGroup>, WriteError> {
    let page = list::<KeyedGroup>(session, source, query).await?;
    Ok(Page {
        total: page.total,
        start: page.start,
        items: page.items.into_iter().map(|keyed| keyed.group).collect(),
        next: page.next,
        places: page.places,
    })
}

async fn list<T: Listed>(
    session: &mut dyn Session,
    source: &SourceId,
    query: &Query,
) -> Result<Page<T>, WriteError> {
    let plan = Plan::of(T::KIND, source, query);
    let order = Order::of(T::KIND, query, plan.filter.is_none());
    let window = match &query.cursor {
        None => Window::Index { skip: query.start.saturating_sub(1), count: query.count },
        Some(Cursor::First) => Window::Cursor { after: None, count: query.count },
        Some(Cursor::After(text)) => {
            let place = cursor::read(source, T::KIND, query, text)?;
            Window::Cursor { after: Some(place), count: query.count }
        }
    };
    match order.column() {
        Some(column) if plan.filter.is_none() => {
            by_columns::<T>(session, &plan, &order, column, window, query).await
        }
        _ => evaluate::list::<T>(session, &plan, &order, window, query).await,
    }
}

/// A page that key columns answer whole.
async fn by_columns<T: Listed>(
    session: &mut dyn Session,
    plan: &Plan<'_>,
    order: &Order<'_>,
    column: &'static str,
    window: Window,
    query: &Query,
) -> Result<Page<T>, WriteError> {
    let (skip, count) = window.size();
    let by_cursor = matches!(window, Window::Cursor { .. });
    let begins = matches!(window, Window::Index { .. } | Window::Cursor { after: None, .. });
    let mut items = Vec::new();
    if count > 0 {
        let mut select = plan.select(T::select(session.dialect(), query.links));
        if let Window::Cursor { after: Some(place), .. } = &window {
            let place = order.settled(session, plan, place).await?;
            order.behind(&mut select, column, &place)?;
        }
        order.by(&mut select, column);
        // One more than is wanted tells whether there is another page.
        select.push(" LIMIT ").bind(signed(count.saturating_add(u64::from(by_cursor))));
        if skip > 0 {
            select.push(" OFFSET ").bind(signed(skip));
        }
        items = T::rows(session, select).await?;
    }
    let more = items.len() as u64 > count;
    if more {
        items.pop();
    }
    let next = match items.last() {
        Some(last) if more => {
            let key = order.key_of_row(session, plan, column, last.seq()).await?;
            Some(cursor::write(plan.source, T::KIND, query, &Place { seq: last.seq(), key }))
        }
        _ => None,
    };
    let places = if query.places {
        let seqs = items.iter().map(T::seq).collect();
        order.places_of_rows(session, plan, column, seqs).await?
    } else {
        Vec::new()
    };
    let found = items.len() as u64;
    // The page tells the total where it holds the end of the list.
    let total = if begins && !more && found < count && (found > 0 || skip == 0) {
        skip + found
    } else {
        plan.count(session).await?
    };
    if query.links {
        T::link(session, &mut items).await?;
    }
    Ok(Page { total, start: if by_cursor { 1 } else { skip + 1 }, items, next, places })
}
