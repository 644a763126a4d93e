//! Lists: what key columns answer goes to SQL, the rest is evaluated over batches of rows.

use axon_model::{SourceId, UserId};
use axon_scim::{Filter, IndexTerm, ResourceKind, ScimError};
use axon_store::directory::MAX_EVALUATED;
use axon_store::{Page, Query, StoreError, StoredGroup, StoredUser, WriteError};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::codec::{failed, signed};
use crate::reader::{GroupRow, UserRow, all_members, group, group_select, user, user_groups, user_select};

/// How many rows are evaluated at a time.
const BATCH: i64 = 500;

/// A filter, parted into what SQL says and whether that is all of it.
struct Plan<'q> {
    kind: ResourceKind,
    terms: Vec<IndexTerm>,
    /// What every row must still meet; none when the terms say it all.
    filter: Option<&'q Filter>,
}

impl<'q> Plan<'q> {
    fn of(kind: ResourceKind, query: &'q Query) -> Self {
        let Some(filter) = &query.filter else { return Self { kind, terms: Vec::new(), filter: None } };
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
        Self { kind, terms, filter: (!exact).then_some(filter) }
    }

    /// Whether evaluating the filter needs members or groups.
    fn needs_links(&self) -> bool {
        self.filter.is_some_and(|filter| {
            filter
                .attributes()
                .iter()
                .any(|p| p.extension.is_none() && matches!(p.attribute.name.as_str(), "members" | "groups"))
        })
    }

    fn conditions(&self, sql: &mut QueryBuilder<Sqlite>, source: &SourceId) {
        let row = match self.kind {
            ResourceKind::User => "u",
            ResourceKind::Group => "g",
        };
        sql.push(" WHERE ").push(row).push(".source = ").push_bind(source.as_str().to_owned());
        for term in &self.terms {
            sql.push(" AND ");
            match term {
                IndexTerm::Id(id) => match id.parse::<UserId>() {
                    Ok(id) => {
                        sql.push(row).push(".id = ").push_bind(id.as_uuid().as_bytes().to_vec());
                    }
                    Err(_) => {
                        sql.push("0");
                    }
                },
                IndexTerm::UserName(key) => {
                    sql.push("u.user_name_key = ").push_bind(key.clone());
                }
                IndexTerm::ExternalId(id) => {
                    sql.push(row).push(".external_id = ").push_bind(id.clone());
                }
                IndexTerm::DisplayName(key) => {
                    sql.push("g.display_name_key = ").push_bind(key.clone());
                }
                IndexTerm::Email { value, .. } => {
                    sql.push("u.seq IN (SELECT user FROM user_emails WHERE value_key = ")
                        .push_bind(value.clone())
                        .push(")");
                }
                IndexTerm::Member(id) => {
                    let id = id.parse::<UserId>().map_or(Vec::new(), |id| id.as_uuid().as_bytes().to_vec());
                    sql.push(
                        "g.seq IN (SELECT m.grp FROM users x JOIN members m ON m.member = x.seq AND m.kind = 0 \
                         WHERE x.id = ",
                    )
                    .push_bind(id.clone())
                    .push(
                        " UNION ALL SELECT m.grp FROM groups x JOIN members m ON m.member = x.seq AND m.kind = 1 \
                         WHERE x.id = ",
                    )
                    .push_bind(id)
                    .push(")");
                }
            }
        }
    }

    /// The page and total where SQL says it all.
    async fn count(&self, connection: &mut SqliteConnection, source: &SourceId) -> Result<u64, StoreError> {
        let mut sql = QueryBuilder::new(match self.kind {
            ResourceKind::User => "SELECT count(*) FROM users u",
            ResourceKind::Group => "SELECT count(*) FROM groups g",
        });
        self.conditions(&mut sql, source);
        let total: i64 =
            sql.build_query_scalar().fetch_one(connection).await.map_err(failed("count resources"))?;
        Ok(u64::try_from(total).unwrap_or(0))
    }
}

fn columns_have(kind: ResourceKind, term: &IndexTerm) -> bool {
    match term {
        IndexTerm::Id(_) | IndexTerm::ExternalId(_) => true,
        IndexTerm::UserName(_) | IndexTerm::Email { .. } => kind == ResourceKind::User,
        IndexTerm::DisplayName(_) | IndexTerm::Member(_) => kind == ResourceKind::Group,
    }
}

/// What the page takes of a growing list of matches.
struct Pager {
    skip: u64,
    count: u64,
    total: u64,
}

impl Pager {
    fn of(query: &Query) -> Self {
        Self { skip: query.start.saturating_sub(1), count: query.count, total: 0 }
    }

    /// Counts one match; true when it is on the page.
    fn take(&mut self) -> bool {
        let place = self.total;
        self.total += 1;
        place >= self.skip && place - self.skip < self.count
    }

    const fn limit(&self) -> (u64, u64) {
        (self.count, self.skip)
    }
}

/// Users of a source, inside one read transaction.
pub(crate) async fn users(
    connection: &mut SqliteConnection,
    source: &SourceId,
    query: &Query,
) -> Result<Page<StoredUser>, WriteError> {
    let plan = Plan::of(ResourceKind::User, query);
    let links = query.links || plan.needs_links();
    let begin = if links { user_select!(user_groups!(), "") } else { user_select!("NULL", "") };
    let mut pager = Pager::of(query);
    let mut items = Vec::new();
    let Some(filter) = plan.filter else {
        let (count, skip) = pager.limit();
        if count > 0 {
            let mut sql = QueryBuilder::new(begin);
            plan.conditions(&mut sql, source);
            page(&mut sql, "u", count, skip);
            let rows: Vec<UserRow> =
                sql.build_query_as().fetch_all(&mut *connection).await.map_err(failed("list users"))?;
            for row in rows {
                items.push(user(row)?.user);
            }
        }
        let total = total(&plan, connection, source, items.len(), count, skip).await?;
        return Ok(Page { total, start: skip + 1, items });
    };
    let (mut after, mut seen) = (0, 0);
    loop {
        let mut sql = QueryBuilder::new(begin);
        plan.conditions(&mut sql, source);
        batch(&mut sql, "u", after);
        let rows: Vec<UserRow> =
            sql.build_query_as().fetch_all(&mut *connection).await.map_err(failed("list users"))?;
        let Some(last) = rows.last() else { break };
        after = last.0;
        seen += rows.len() as u64;
        check_effort(seen)?;
        for row in rows {
            let mut stored = user(row)?.user;
            if filter.matches(&stored.decorated()) && pager.take() {
                stored.groups = stored.groups.filter(|_| query.links);
                items.push(stored);
            }
        }
    }
    Ok(Page { total: pager.total, start: pager.skip + 1, items })
}

/// Groups of a source, inside one read transaction.
pub(crate) async fn groups(
    connection: &mut SqliteConnection,
    source: &SourceId,
    query: &Query,
) -> Result<Page<StoredGroup>, WriteError> {
    let plan = Plan::of(ResourceKind::Group, query);
    let mut pager = Pager::of(query);
    let mut items = Vec::new();
    let Some(filter) = plan.filter else {
        let (count, skip) = pager.limit();
        if count > 0 {
            let mut sql = QueryBuilder::new(group_select!(""));
            plan.conditions(&mut sql, source);
            page(&mut sql, "g", count, skip);
            let rows: Vec<GroupRow> =
                sql.build_query_as().fetch_all(&mut *connection).await.map_err(failed("list groups"))?;
            for row in rows {
                let mut keyed = group(row)?;
                if query.links {
                    keyed.group.members = Some(all_members(connection, keyed.seq).await?);
                }
                items.push(keyed.group);
            }
        }
        let total = total(&plan, connection, source, items.len(), count, skip).await?;
        return Ok(Page { total, start: skip + 1, items });
    };
    let needs_links = plan.needs_links();
    let (mut after, mut seen) = (0, 0);
    loop {
        let mut sql = QueryBuilder::new(group_select!(""));
        plan.conditions(&mut sql, source);
        batch(&mut sql, "g", after);
        let rows: Vec<GroupRow> =
            sql.build_query_as().fetch_all(&mut *connection).await.map_err(failed("list groups"))?;
        let Some(last) = rows.last() else { break };
        after = last.0;
        for row in rows {
            let mut keyed = group(row)?;
            seen += 1;
            if needs_links {
                seen += keyed.group.member_count;
                check_effort(seen)?;
                keyed.group.members = Some(all_members(connection, keyed.seq).await?);
            }
            check_effort(seen)?;
            if filter.matches(&keyed.group.decorated()) && pager.take() {
                if !query.links {
                    keyed.group.members = None;
                } else if keyed.group.members.is_none() {
                    keyed.group.members = Some(all_members(connection, keyed.seq).await?);
                }
                items.push(keyed.group);
            }
        }
    }
    Ok(Page { total: pager.total, start: pager.skip + 1, items })
}

fn page(sql: &mut QueryBuilder<Sqlite>, row: &'static str, count: u64, skip: u64) {
    sql.push(" ORDER BY ").push(row).push(".seq LIMIT ").push_bind(signed(count));
    sql.push(" OFFSET ").push_bind(signed(skip));
}

fn batch(sql: &mut QueryBuilder<Sqlite>, row: &'static str, after: i64) {
    sql.push(" AND ").push(row).push(".seq > ").push_bind(after);
    sql.push(" ORDER BY ").push(row).push(".seq LIMIT ").push_bind(BATCH);
}

/// The total: told by the page where that holds the end of the list, else counted.
async fn total(
    plan: &Plan<'_>,
    connection: &mut SqliteConnection,
    source: &SourceId,
    found: usize,
    count: u64,
    skip: u64,
) -> Result<u64, StoreError> {
    let found = found as u64;
    if found < count && (found > 0 || skip == 0) {
        return Ok(skip + found);
    }
    plan.count(connection, source).await
}

fn check_effort(seen: u64) -> Result<(), WriteError> {
    if seen > MAX_EVALUATED {
        return Err(ScimError::too_many(format!(
            "the filter would look at more than {MAX_EVALUATED} values; filter by userName, externalId, displayName or id"
        ))
        .into());
    }
    Ok(())
}
