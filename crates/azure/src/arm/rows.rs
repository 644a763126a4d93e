//! The list of role assignments at a scope. Rows of wider scopes are inherited and never touched.

use serde::Deserialize;

use super::{ASSIGNMENTS, VERSION};
use crate::assigned::{Listing, PageRead, Row};
use crate::entra::EntryKind;
use crate::guid::Guid;
use crate::service::{Service, ServiceFault};
use crate::wire::{Answer, Call, encoded};

const MOST_PAGES: usize = 5_000;
const MOST_ROWS: usize = 200_000;

/// Owner, User Access Administrator, Role Based Access Control Administrator: they can give roles.
pub(super) const ADMINISTER: [Guid; 3] = [
    Guid::from_u128(0x8e3a_f657_a8ff_443c_a75c_2fe8_c4bc_b635),
    Guid::from_u128(0x18d7_d88d_d35e_4fb5_a5c3_7773_c20a_72d9),
    Guid::from_u128(0xf583_10d9_a9f6_439a_9e8d_f62e_7b41_a168),
];

#[derive(Deserialize)]
struct Page {
    value: Vec<Raw>,
    #[serde(rename = "nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    id: String,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: Guid,
    principal_type: Option<String>,
    scope: String,
    condition: Option<String>,
}

impl Raw {
    fn row(self) -> Option<Row> {
        let Properties { role_definition_id, principal_id, principal_type, scope, condition } =
            self.properties;
        let kind = match principal_type.as_deref() {
            Some("User") => Some(EntryKind::User),
            Some("Group") => Some(EntryKind::Group),
            Some("ServicePrincipal") => Some(EntryKind::ServicePrincipal),
            _ => None,
        };
        Some(Row {
            role: role_definition_id.rsplit('/').next()?.parse().ok()?,
            id: self.id,
            principal: principal_id,
            kind,
            scope: scope.trim_end_matches('/').to_ascii_lowercase(),
            conditional: condition.is_some_and(|condition| !condition.is_empty()),
        })
    }
}

/// The row that an answer shows; none of another scope.
pub(super) fn one(answer: &Answer, scope: &str) -> Result<Option<Row>, ServiceFault> {
    let raw: Raw = answer.json().map_err(ServiceFault::Unreadable)?;
    Ok(raw.row().filter(|row| row.scope.eq_ignore_ascii_case(scope)))
}

/// Whether a row's id is one of this scope: what a DELETE is sent to.
pub(super) fn is_row_of(scope: &str, id: &str) -> bool {
    let rest =
        id.get(..scope.len()).filter(|head| head.eq_ignore_ascii_case(scope)).map(|_| &id[scope.len()..]);
    let name = rest.and_then(|rest| {
        let (head, name) = rest.trim_start_matches('/').rsplit_once('/')?;
        head.eq_ignore_ascii_case(ASSIGNMENTS).then_some(name)
    });
    name.is_some_and(|name| name.parse::<Guid>().is_ok())
}

/// Lists the rows at the scope, or those of one principal. Rows of other scopes that the filter lets through are left out.
pub(super) async fn list(service: &Service, scope: &str, of: Option<Guid>) -> Result<Listing, ServiceFault> {
    let mut listing = Listing::default();
    let pages = each(service, scope, of, |row| {
        if row.scope.eq_ignore_ascii_case(scope) {
            listing.rows.push(row);
        } else if ADMINISTER.contains(&row.role) && is_above(&row.scope, scope) {
            listing.inherited_administrators.push(row.principal);
        }
    })
    .await?;
    listing.inherited_administrators.sort();
    listing.inherited_administrators.dedup();
    listing.pages = pages;
    Ok(listing)
}

/// Lists the rows that hold at the scope: its own and those of wider scopes.
pub(super) async fn holding(service: &Service, scope: &str) -> Result<Vec<Row>, ServiceFault> {
    let mut rows = Vec::new();
    each(service, scope, None, |row| {
        if row.scope.eq_ignore_ascii_case(scope) || is_above(&row.scope, scope) {
            rows.push(row);
        }
    })
    .await?;
    Ok(rows)
}

fn first(service: &Service, scope: &str, of: Option<Guid>) -> Call<'static> {
    let filter = of.map_or_else(|| "atScope()".to_owned(), |id| format!("principalId eq '{id}'"));
    let path = format!("{scope}/{ASSIGNMENTS}?{VERSION}&$filter={}", encoded(&filter));
    Call::get(service.base.at(&path))
}

/// One page of the list, and what leads to the next.
async fn page(service: &Service, call: Call<'_>) -> Result<(usize, Vec<Row>, Option<String>), ServiceFault> {
    let page: Page = service.call(call).await?.json().map_err(ServiceFault::Unreadable)?;
    let count = page.value.len();
    let rows = page.value.into_iter().filter_map(Raw::row).collect();
    Ok((count, rows, page.next.filter(|next| !next.is_empty())))
}

/// One page of all rows.
pub(super) async fn one_page(
    service: &Service,
    scope: &str,
    from: Option<&str>,
) -> Result<PageRead, ServiceFault> {
    let call = match from {
        Some(link) => service.link(link)?,
        None => first(service, scope, None),
    };
    let (_, rows, next) = page(service, call).await?;
    Ok(PageRead::of(&rows, next.as_deref()))
}

/// Goes through all pages.
async fn each(
    service: &Service,
    scope: &str,
    of: Option<Guid>,
    mut take: impl FnMut(Row) + Send,
) -> Result<Vec<PageRead>, ServiceFault> {
    let mut call = first(service, scope, of);
    let mut seen = 0_usize;
    let mut pages = Vec::new();
    let mut last: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let (count, rows, next) = page(service, call).await?;
        seen += count;
        if seen > MOST_ROWS {
            return Err(ServiceFault::Unreadable(format!("Azure lists more than {MOST_ROWS} rows")));
        }
        pages.push(PageRead::of(&rows, next.as_deref()));
        rows.into_iter().for_each(&mut take);
        let Some(next) = next else { return Ok(pages) };
        if last.as_ref() == Some(&next) {
            return Err(ServiceFault::Unreadable("Azure's list of role assignments does not go on".into()));
        }
        call = service.link(&next)?;
        last = Some(next);
    }
    Err(ServiceFault::Unreadable("Azure's list of role assignments does not end".into()))
}

/// Whether a scope holds another one. Management groups hold what is not said in a path.
fn is_above(scope: &str, below: &str) -> bool {
    let below = below.to_ascii_lowercase();
    scope.is_empty()
        || scope.starts_with("/providers/microsoft.management/managementgroups/")
        || below.strip_prefix(scope).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delete_goes_to_rows_of_the_scope_only() {
        let scope = "/subscriptions/s/resourceGroups/g";
        let row = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
        assert!(is_row_of(scope, &format!("/SUBSCRIPTIONS/S/resourceGroups/g/{ASSIGNMENTS}/{row}")));
        for bad in [
            format!("/subscriptions/s/{ASSIGNMENTS}/{row}"),
            format!("{scope}/providers/x/{ASSIGNMENTS}/{row}"),
            format!("{scope}2/{ASSIGNMENTS}/{row}"),
            format!("{scope}/{ASSIGNMENTS}/{row}?x=1"),
            format!("{scope}/{ASSIGNMENTS}/../x"),
            String::new(),
        ] {
            assert!(!is_row_of(scope, &bad), "{bad}");
        }
    }

    #[test]
    fn what_is_above_is_told_from_what_has_a_like_name() {
        assert!(is_above("/subscriptions/s", "/Subscriptions/S/resourceGroups/g"));
        assert!(is_above("/providers/microsoft.management/managementgroups/m", "/subscriptions/s"));
        assert!(is_above("", "/subscriptions/s"));
        assert!(!is_above("/subscriptions/s2", "/subscriptions/s/x"));
        assert!(!is_above("/subscriptions/s", "/subscriptions/s2/x"));
    }
}
