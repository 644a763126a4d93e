//! The list of roles that can be assigned at a scope, custom ones among them.

use serde::Deserialize;

use super::{DEFINITIONS, VERSION};
use crate::assigned::{Allows, Definition, Definitions, Notes};
use crate::guid::Guid;
use crate::service::{Service, ServiceFault};
use crate::wire::Call;

const MOST_PAGES: usize = 200;
const MOST: usize = 20_000;

#[derive(Deserialize)]
struct Page {
    value: Vec<Raw>,
    #[serde(rename = "nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    name: Guid,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_name: String,
    #[serde(rename = "type", alias = "roleType")]
    kind: Option<String>,
    #[serde(default)]
    permissions: Vec<Permissions>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Permissions {
    actions: Vec<String>,
    not_actions: Vec<String>,
    data_actions: Vec<String>,
    not_data_actions: Vec<String>,
}

/// Lists them.
pub(super) async fn list(service: &Service, scope: &str) -> Result<(Definitions, Notes), ServiceFault> {
    let mut call = Call::get(service.base.at(&format!("{scope}/{DEFINITIONS}?{VERSION}")));
    let mut all = Vec::new();
    for _ in 0..MOST_PAGES {
        let page: Page = service.call(call).await?.json().map_err(ServiceFault::Unreadable)?;
        all.extend(page.value.into_iter().map(definition));
        if all.len() > MOST {
            break;
        }
        match page.next.filter(|next| !next.is_empty()) {
            Some(next) => call = service.link(&next)?,
            None if all.is_empty() => {
                return Err(ServiceFault::Unreadable("Azure lists no role at all".into()));
            }
            None => return Ok((Definitions::new(all), Notes::default())),
        }
    }
    Err(ServiceFault::Unreadable("Azure's list of roles does not end".into()))
}

fn definition(raw: Raw) -> Definition {
    let mut allows = Allows::default();
    for part in raw.properties.permissions {
        allows.actions.extend(part.actions);
        allows.not_actions.extend(part.not_actions);
        allows.data_actions.extend(part.data_actions);
        allows.not_data_actions.extend(part.not_data_actions);
    }
    let custom = raw.properties.kind.is_some_and(|kind| kind.eq_ignore_ascii_case("CustomRole"));
    Definition { id: raw.name, name: raw.properties.role_name, built_in: !custom, allows }
}
