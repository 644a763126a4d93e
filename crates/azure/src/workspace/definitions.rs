//! The list of a workspace's roles.

use serde::Deserialize;

use super::{VERSION, known};
use crate::assigned::{Allows, Definition, Definitions, Notes};
use crate::guid::Guid;
use crate::service::{Kind, Service, ServiceFault};
use crate::wire::Call;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    id: Guid,
    name: String,
    #[serde(default)]
    is_built_in: bool,
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

/// Lists them. Who may assign but not list (an Owner of the resource) works with the table of known ones.
pub(super) async fn list(service: &Service) -> Result<(Definitions, Notes), ServiceFault> {
    let mut notes = Notes::default();
    let answer = match service.call(Call::get(service.base.at(&format!("/roleDefinitions?{VERSION}")))).await
    {
        Ok(answer) => answer,
        Err(fault) if fault.kind() == Some(Kind::Forbidden) => {
            notes.add(format!("the roles cannot be listed, so the known ones stand in: {fault}"));
            return Ok((known::table(), notes));
        }
        Err(fault) => return Err(fault),
    };
    let all: Vec<Raw> = answer.json().map_err(ServiceFault::Unreadable)?;
    if all.is_empty() {
        return Err(ServiceFault::Unreadable("the workspace lists no role at all".into()));
    }
    let all = all.into_iter().map(|raw| {
        let mut allows = Allows::default();
        for part in raw.permissions {
            allows.actions.extend(part.actions);
            allows.not_actions.extend(part.not_actions);
            allows.data_actions.extend(part.data_actions);
            allows.not_data_actions.extend(part.not_data_actions);
        }
        Definition { id: raw.id, name: raw.name, built_in: raw.is_built_in, allows }
    });
    Ok((Definitions::new(all.collect()), notes))
}
