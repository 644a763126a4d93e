//! The list of a workspace's role assignments.

use serde::Deserialize;

use super::{VERSION, scope};
use crate::assigned::{Listing, PageRead, Row};
use crate::entra::EntryKind;
use crate::guid::Guid;
use crate::service::{Service, ServiceFault};
use crate::wire::{Answer, Call};

/// The header that carries the place of the next page, in answers and in requests.
const CONTINUATION: &str = "x-ms-continuation";
/// The longest such place.
const MOST_MARK: usize = 8 * 1024;
/// The most pages and rows of one list.
const MOST_PAGES: usize = 5_000;
const MOST_ROWS: usize = 200_000;

#[derive(Deserialize)]
struct Page {
    count: Option<usize>,
    value: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    id: String,
    #[serde(alias = "roleId")]
    role_definition_id: Guid,
    principal_id: Guid,
    scope: String,
    /// Old rows have none or odd ones.
    principal_type: Option<serde_json::Value>,
}

impl Raw {
    fn row(self, workspace: &str) -> Row {
        let kind =
            self.principal_type.as_ref().and_then(serde_json::Value::as_str).and_then(|kind| match kind {
                "User" => Some(EntryKind::User),
                "Group" => Some(EntryKind::Group),
                "ServicePrincipal" => Some(EntryKind::ServicePrincipal),
                _ => None,
            });
        Row {
            id: self.id,
            role: self.role_definition_id,
            principal: self.principal_id,
            kind,
            scope: scope::folded(workspace, &self.scope),
            conditional: false,
        }
    }
}

/// The row that an answer shows.
pub(super) fn one(answer: &Answer, workspace: &str) -> Result<Row, ServiceFault> {
    let raw: Raw = answer.json().map_err(ServiceFault::Unreadable)?;
    Ok(raw.row(workspace))
}

/// One page of the list, what it says of its length, and what leads to the next.
async fn page(
    service: &Service,
    workspace: &str,
    of: Option<Guid>,
    from: Option<&str>,
) -> Result<(Vec<Row>, Option<usize>, Option<String>), ServiceFault> {
    let filter = of.map(|id| format!("&principalId={id}")).unwrap_or_default();
    let call = Call::get(service.base.at(&format!("/roleAssignments?{VERSION}{filter}")));
    let call = match from {
        Some(mark) => call.header(CONTINUATION, mark.to_owned()),
        None => call,
    };
    let answer = service.call(call).await?;
    let page: Page = answer.json().map_err(ServiceFault::Unreadable)?;
    let next = answer.header(CONTINUATION).filter(|next| !next.is_empty()).map(str::to_owned);
    let rows = page.value.into_iter().map(|raw| raw.row(workspace)).collect();
    Ok((rows, page.count, next))
}

/// One page of all rows.
pub(super) async fn one_page(
    service: &Service,
    workspace: &str,
    from: Option<&str>,
) -> Result<PageRead, ServiceFault> {
    let (rows, _, next) = page(service, workspace, None, from).await?;
    Ok(PageRead::of(&rows, next.as_deref()))
}

/// Lists all rows of the workspace and its items, or those of one principal.
pub(super) async fn list(
    service: &Service,
    workspace: &str,
    of: Option<Guid>,
) -> Result<Listing, ServiceFault> {
    let mut listing = Listing::default();
    let mut counts: Vec<(Option<usize>, usize)> = Vec::new();
    let mut mark: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let (mut rows, count, next) = page(service, workspace, of, mark.as_deref()).await?;
        counts.push((count, rows.len()));
        listing.pages.push(PageRead::of(&rows, next.as_deref()));
        listing.rows.append(&mut rows);
        if listing.rows.len() > MOST_ROWS {
            return Err(ServiceFault::Unreadable(format!("the workspace lists more than {MOST_ROWS} rows")));
        }
        let Some(next) = next else {
            whole(&counts)?;
            return Ok(listing);
        };
        if next.len() > MOST_MARK || mark.as_deref() == Some(next.as_str()) {
            return Err(ServiceFault::Unreadable("the workspace's list of roles does not go on".into()));
        }
        mark = Some(next);
    }
    Err(ServiceFault::Unreadable(format!("the workspace's list of roles has more than {MOST_PAGES} pages")))
}

/// Half a list would read as if others had left. `count` is of the page or of all pages: the documentation does not say.
fn whole(counts: &[(Option<usize>, usize)]) -> Result<(), ServiceFault> {
    let all: usize = counts.iter().map(|(_, rows)| rows).sum();
    let short = counts.iter().find(|(count, rows)| count.is_some_and(|count| count > *rows && count > all));
    match short {
        Some((Some(count), _)) => Err(ServiceFault::Unreadable(format!(
            "the workspace says that there are {count} role assignments and shows {all}"
        ))),
        _ => Ok(()),
    }
}
