//! A database that an integration made ready knows no filters of tables: a view with `enforce: native` there shows nothing, and says why.

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, SOON, entra_token, until};
use serde_json::json;

use crate::kit::{BETWEEN, Stand};

const WITHOUT_TARGETS: &str = "axon: 1\nroles: { reader: {} }\n";

fn map(port: u16, native: &str) -> String {
    format!(
        "axon: 1\ntargets:\n  warehouse:\n    kind: synapse-dedicated\n    host: 127.0.0.1\n    port: {port}\n    database: DW\n    \
         auth: {{ token-file: pool.token }}\n    tls: off\n    mode: authoritative\n    role_name: \"axon_{{role}}\"\n    \
         manage: {{ roles: [\"axon_*\"], schemas: [sample_schema], principals: mapped }}\nroles:\n  reader: {{}}\n\
         mappings:\n  - {{ groups: {{ any: [Readers] }}, source: entra, roles: [reader] }}\nviews:\n  \
         sample_schema.orders:\n    targets: warehouse\n    from: base.orders\n{native}    readers: [reader]\n    \
         columns: {{ id: show, region: show }}\n    rows: [{{ where: region in user.title }}]\n"
    )
}

#[tokio::test]
async fn a_filter_of_a_table_is_refused_where_an_integration_is() -> anyhow::Result<()> {
    let stand = Stand::start().await?;
    stand.post("", &stand.payload(true, json!({}))?).await?.is(201)?;
    stand.status("1", "enabled").await?;
    let mut admin = stand.pool.admin().await?;
    for batch in [
        "CREATE SCHEMA base AUTHORIZATION axon_owner",
        "CREATE TABLE base.orders (id int, region nvarchar(40))",
    ] {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    let port = stand.pool.port()?;
    stand.place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
    let native = "    enforce: native\n    unfiltered: [db_owner]\n";
    let policies = "SELECT p.name FROM sys.security_policies p";
    let views = "SELECT v.name FROM sys.views v";
    stand.place.write("role-map.yaml", &map(port, native))?;
    until("it is refused by name", SOON, async || {
        let said = stand.place.axon(&["status"]).await?.out;
        let told =
            said.contains("view sample_schema.orders shows nothing: base.orders cannot be `enforce: native`");
        Ok((told && said.contains("an integration made this database ready")).then_some(()))
    })
    .await?;
    ensure!(stand.column(policies).await?.is_empty() && stand.column(views).await?.is_empty());

    // The same view without a filter is made.
    stand.place.write("role-map.yaml", &map(port, ""))?;
    let mut last = String::new();
    let made = until("the view is there", SOON, async || {
        last = stand.place.axon(&["status"]).await?.out;
        Ok((stand.column(views).await? == ["orders"]).then_some(()))
    })
    .await;
    made.with_context(|| last)?;

    // Once the integration is given up the table can be filtered.
    stand.place.write("role-map.yaml", WITHOUT_TARGETS)?;
    until("it is no target of the map any more", SOON, async || {
        let answer = stand.delete("/1?force=true", None).await?;
        tokio::time::sleep(BETWEEN).await;
        Ok((answer.status == 200).then_some(()))
    })
    .await?;
    stand.status("1", "disabled").await?;
    stand.place.write("role-map.yaml", &map(port, native))?;
    until("the table is filtered", SOON, async || {
        Ok((stand.column(policies).await?.len() == 1).then_some(()))
    })
    .await?;
    // No integration is made where that would close these views.
    let again = stand.payload(true, json!({}))?;
    stand.post("", &again).await?.refuses(409, "Conflict", "`enforce: native`")?;
    Ok(())
}
