//! The rows of Microsoft's SCIM Validator: mandatory and preview, in Entra's two dialects, in the Validator's three modes.
//!
//! The modes differ in where the attributes come from that are filled: the Validator's defaults, what `/Schemas` says, or a
//! schema that an administrator uploads.

mod dialect;
mod groups;
mod path;
mod preview;
mod shape;
mod users;

use anyhow::ensure;
use axon_tests::{Provider, Rows, Scim};
use serde_json::Value;

use dialect::Dialect;
use groups::Groups;
use preview::Preview;
use shape::Shape;
use users::Users;

/// What the Validator fills unless it is told otherwise.
const DEFAULTS: &str = include_str!("validator/defaults.json");
/// A schema as an administrator uploads one.
const UPLOADED: &str = include_str!("validator/uploaded.json");
/// Entra's profile as it stands, but for the switch that the Validator's row G7 needs.
pub const VALIDATED: (&str, &str) = ("entra", "{ kind: entra, switches: { unique_group_names: true } }");

async fn runs(provider: &Provider, mode: &str, shape: &Shape) -> anyhow::Result<()> {
    let connector = provider.connector("entra").await?;
    for dialect in Dialect::ALL {
        let (scim, run) = (dialect.of(&connector), format!("{mode}-{dialect:?}").to_lowercase());
        let mut rows = Rows::of(format!("SCIM Validator, {mode}, {dialect:?}"));
        Users { scim: &scim, dialect, shape, run: run.clone() }.all(&mut rows).await;
        Groups { scim: &scim, dialect, run: run.clone() }.all(&mut rows).await;
        Preview { scim: &scim, dialect, run }.all(&mut rows).await;
        rows.all_hold(users::ROWS + groups::ROWS + preview::ROWS)?;
    }
    Ok(())
}

fn schemas(text: &str) -> anyhow::Result<Vec<Value>> {
    Ok(serde_json::from_str(text)?)
}

#[tokio::test]
async fn validator_default_attributes() -> anyhow::Result<()> {
    let shape = Shape::from_schemas(&schemas(DEFAULTS)?);
    // The list's longest row sends some three dozen operations.
    ensure!(shape.leaves.len() >= 34, "{:#?}", shape.leaves);
    runs(&Provider::start(&[VALIDATED]).await?, "defaults", &shape).await
}

#[tokio::test]
async fn validator_attributes_discovered_from_schemas() -> anyhow::Result<()> {
    let provider = Provider::start(&[VALIDATED]).await?;
    let scim: Scim = provider.connector("entra").await?;
    let found = scim.get("/Schemas").await?.is(200)?;
    // It expects to read back whatever is advertised.
    ensure!(!found.body.to_string().contains("password"), "{}", found.body);
    let shape = Shape::from_schemas(found.resources()?);
    ensure!(
        shape.leaves.len() > Shape::from_schemas(&schemas(DEFAULTS)?).leaves.len(),
        "{:#?}",
        shape.leaves
    );
    runs(&provider, "discovered", &shape).await
}

#[tokio::test]
async fn validator_attributes_of_an_uploaded_schema() -> anyhow::Result<()> {
    let shape = Shape::from_schemas(&schemas(UPLOADED)?);
    ensure!(!shape.leaves.is_empty());
    runs(&Provider::start(&[VALIDATED]).await?, "uploaded", &shape).await
}
