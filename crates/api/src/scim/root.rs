//! Queries over all resource types: `GET /?filter=…` and `POST /.search` at the root (RFC 7644 sections 3.4.2.1 and 3.4.3).
//! Users come before groups, each in its own order; a sort merges them.

mod by_cursor;
mod sorted;

use axon_model::SourceId;
use axon_scim::{Filter, ListQuery, ListResponse, Projection, ResourceKind, ScimError, Sort};
use axon_store::{Page, Query, StoredGroup, StoredUser};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::value::{RawValue, to_raw_value};

use super::page;
use super::refused;
use super::render::{Shown, View};
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::{Refused, scim_json, unwritable};
use crate::state::Api;

/// Lists users and groups as the address says.
#[tracing::instrument(level = "debug", name = "scim.root.list", skip_all, fields(source.id = %call.source))]
pub async fn list(State(api): State<Api>, call: Call) -> Result<Response, Refused> {
    answer(&api, &call).await
}

/// Lists users and groups as the body says; what the address says does not count.
#[tracing::instrument(level = "debug", name = "scim.root.search", skip_all, fields(source.id = %call.source))]
pub async fn search(
    State(api): State<Api>,
    call: Call,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let call = Call { query: ListQuery::from_search(body)?, ..call };
    answer(&api, &call).await
}

async fn answer(api: &Api, call: &Call) -> Result<Response, Refused> {
    let both = Both::of(api, call)?;
    let list = match (&call.query.cursor, both.is_sorted()) {
        (None, false) => both.by_index().await?,
        (None, true) => sorted::page(&both).await?,
        (Some(cursor), _) => by_cursor::page(&both, cursor).await?,
    };
    Ok(scim_json(StatusCode::OK, &list))
}

/// A list of resources of both kinds, each written already.
type List = ListResponse<Box<RawValue>>;

/// What is asked of one kind.
struct Part {
    kind: ResourceKind,
    projection: Projection,
    filter: Option<Filter>,
    sort: Option<Sort>,
}

/// What is asked of both.
struct Both<'a> {
    api: &'a Api,
    call: &'a Call,
    users: Part,
    groups: Part,
}

impl<'a> Both<'a> {
    fn of(api: &'a Api, call: &'a Call) -> Result<Self, ScimError> {
        let users = Part::of(api, call, ResourceKind::User);
        let groups = Part::of(api, call, ResourceKind::Group);
        let (mut users, mut groups) = (users?, groups?);
        if let Some(text) = &call.query.sort_by {
            let sort = |kind| Sort::parse(text, call.query.descending, &api.registry, kind);
            match (sort(ResourceKind::User), sort(ResourceKind::Group)) {
                // What no kind has sorts nothing; what one has sorts the other as absent.
                (Err(error), Err(_)) => return Err(error),
                (of_users, of_groups) => (users.sort, groups.sort) = (of_users.ok(), of_groups.ok()),
            }
        }
        Ok(Self { api, call, users, groups })
    }

    fn is_sorted(&self) -> bool {
        self.users.sort.is_some() || self.groups.sort.is_some()
    }

    fn source(&self) -> &SourceId {
        &self.call.source
    }

    async fn users(&self, query: Query) -> Result<Page<StoredUser>, Refused> {
        self.api.store.list_users(self.source(), query).await.map_err(|error| refused(&error))
    }

    async fn groups(&self, query: Query) -> Result<Page<StoredGroup>, Refused> {
        self.api.store.list_groups(self.source(), query).await.map_err(|error| refused(&error))
    }

    /// As if the groups stood behind the users in one list.
    async fn by_index(&self) -> Result<List, Refused> {
        let (start, count) = (self.call.query.start_index as u64, page::count(self.call));
        let users = self.users(Query { start, count, ..self.users.query() }).await?;
        let left = count.saturating_sub(users.items.len() as u64);
        let start = start.saturating_sub(users.total).max(1);
        let groups = self.groups(Query { start, count: left, ..self.groups.query() }).await?;
        let mut shown = self.write(&self.users, &users.items)?;
        shown.extend(self.write(&self.groups, &groups.items)?);
        Ok(ListResponse::new(whole(users.total + groups.total), self.call.query.start_index, shown))
    }

    fn write<T: Shown>(&self, part: &Part, items: &[T]) -> Result<Vec<Box<RawValue>>, Refused> {
        let view = View::new(self.api, self.call, &part.projection);
        let written: Result<Vec<_>, _> = items.iter().map(|item| to_raw_value(&view.of(item))).collect();
        written.map_err(|error| {
            drop(unwritable(&error));
            Refused(ScimError::internal("internal error; the log has it by the request id"))
        })
    }
}

impl Part {
    fn of(api: &Api, call: &Call, kind: ResourceKind) -> Result<Self, ScimError> {
        let filter = match &call.query.filter {
            Some(text) => Some(Filter::parse_across(text, &api.registry, kind, &call.profile)?),
            None => None,
        };
        Ok(Self { kind, projection: call.projection(api, kind)?, filter, sort: None })
    }

    /// The question without a page.
    fn query(&self) -> Query {
        let links = match self.kind {
            ResourceKind::User => "groups",
            ResourceKind::Group => "members",
        };
        // What sorts is looked at again where the two kinds are merged.
        let sorts = self
            .sort
            .as_ref()
            .is_some_and(|sort| sort.path().extension.is_none() && sort.path().attribute.name == links);
        Query {
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            links: sorts || self.projection.wants(links),
            ..Query::default()
        }
    }
}

fn whole(total: u64) -> usize {
    usize::try_from(total).unwrap_or(usize::MAX)
}
