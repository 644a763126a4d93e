//! Taking over a pool that was filled by hand: the map that `axon map adopt` writes says what is there, and putting it in force
//! changes nothing.

use anyhow::{Context, ensure};
use axon_tests::{Catalog, MAP, Place, Pool, Serve, entra_token};
use serde_json::{Value, json};

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";
const BEN: &str = "ben@acme.example";
const DAN: &str = "dan@acme.example";
const EVE: &str = "eve@acme.example";
const FAY: &str = "fay@acme.example";

/// What somebody once typed into the pool.
const BY_HAND: &str = "
CREATE USER [kim@acme.example] FROM EXTERNAL PROVIDER
CREATE USER [ana@acme.example] FROM EXTERNAL PROVIDER
CREATE USER [ben@acme.example] FROM EXTERNAL PROVIDER
CREATE USER [dan@acme.example] FROM EXTERNAL PROVIDER
CREATE USER [eve@acme.example] FROM EXTERNAL PROVIDER
CREATE USER [fay@acme.example] FROM EXTERNAL PROVIDER
CREATE USER [nightly-loads] FROM EXTERNAL PROVIDER
CREATE USER [SG-Auditors] FROM EXTERNAL PROVIDER
CREATE USER legacy WITHOUT LOGIN
CREATE ROLE readers
GRANT SELECT ON SCHEMA::sales TO readers
EXEC sp_addrolemember 'readers', 'kim@acme.example'
EXEC sp_addrolemember 'readers', 'ana@acme.example'
EXEC sp_addrolemember 'readers', 'ben@acme.example'
EXEC sp_addrolemember 'readers', 'legacy'
CREATE ROLE [Big Loads]
GRANT INSERT ON sales.orders TO [Big Loads]
EXEC sp_addrolemember 'Big Loads', 'nightly-loads'
EXEC sp_addrolemember 'Big Loads', 'dan@acme.example'
CREATE ROLE inner_role
CREATE ROLE outer_role
EXEC sp_addrolemember 'outer_role', 'inner_role'
GRANT SELECT ON sales.orders (order_id, region) TO [dan@acme.example]
GRANT SELECT ON sales.orders (order_id, region) TO [eve@acme.example]
DENY SELECT ON sales.regions TO [dan@acme.example]
DENY SELECT ON sales.regions TO [eve@acme.example]
EXEC sp_addrolemember 'mediumrc', 'dan@acme.example'
EXEC sp_addrolemember 'mediumrc', 'eve@acme.example'
EXEC sp_addrolemember 'db_datareader', 'SG-Auditors'
GRANT VIEW DEFINITION TO [ana@acme.example]
GRANT INSERT ON sales.orders TO [ben@acme.example] WITH GRANT OPTION
GRANT SELECT ON sales.regions TO public
CREATE WORKLOAD CLASSIFIER [readers:mediumrc] WITH (WORKLOAD_GROUP = 'mediumrc', MEMBERNAME = 'readers', WLM_LABEL = 'month end', IMPORTANCE = LOW)
CREATE WORKLOAD CLASSIFIER [quick readers] WITH (WORKLOAD_GROUP = 'largerc', MEMBERNAME = 'readers', IMPORTANCE = NORMAL)
CREATE ROLE nightly
EXEC sp_addrolemember 'nightly', 'nightly-loads'
CREATE WORKLOAD CLASSIFIER [nightly:largerc] WITH (WORKLOAD_GROUP = 'largerc', MEMBERNAME = 'nightly', START_TIME = '22:00', END_TIME = '02:00')
CREATE WORKLOAD CLASSIFIER loads WITH (WORKLOAD_GROUP = 'largerc', MEMBERNAME = 'nightly-loads', IMPORTANCE = HIGH)
";

/// A directory that has pushed, and a pool that was filled by hand.
async fn stage() -> anyhow::Result<(Place, Pool)> {
    let people = [KIM, ANA, BEN, DAN, EVE, FAY];
    let place = Place::new(people)?;
    let mut tenant: Value = serde_json::from_str(&place.read("directory.json")?)?;
    tenant["apps"] = json!([{
        "displayName": "nightly-loads",
        "appId": "00000000-0000-4000-9000-000000000001",
        "objectId": "00000000-0000-4000-9000-000000000002"
    }]);
    tenant["groups"] =
        json!([{ "displayName": "SG-Auditors", "objectId": "00000000-0000-4000-9000-000000000003" }]);
    place.write("directory.json", &tenant.to_string())?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(&MAP.replace("mode: authoritative", "mode: observe"), pool.port()?)?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let mut ids = Vec::new();
    for person in people {
        ids.push(scim.person(person).await?);
    }
    let [kim, ana, ben, dan, eve, fay] = &ids[..] else { anyhow::bail!("six people") };
    scim.group("SG-Sales", &[kim, ana, ben]).await?;
    scim.group("SG-Load", &[dan, eve]).await?;
    scim.group("SG-Auditors", &[fay]).await?;
    serve.stop().await?;
    let mut admin = pool.person(axon_tests::ENTRA_ADMIN).await?;
    for batch in BY_HAND.lines().map(str::trim).filter(|line| !line.is_empty()) {
        admin.run(batch).await.with_context(|| batch.to_owned())?;
    }
    Ok((place, pool))
}

/// The classifiers that somebody made.
async fn workload(admin: &mut axon_tests::Tds) -> anyhow::Result<Vec<String>> {
    let all = "SELECT name FROM sys.workload_management_workload_classifiers ORDER BY 1";
    let mut names = admin.column(all).await?;
    names.retain(|name| !name.contains("rc") || name.contains(':'));
    Ok(names)
}

fn left<'r>(report: &'r Value, kind: &str) -> Vec<&'r str> {
    let all = report["left"].as_array().into_iter().flatten();
    all.filter(|left| left["kind"] == kind).filter_map(|left| left["what"].as_str()).collect()
}

#[tokio::test]
async fn a_pool_that_was_filled_by_hand_is_taken_over_and_nothing_changes() -> anyhow::Result<()> {
    let (place, pool) = stage().await?;
    let mut admin = pool.admin().await?;
    let before = Catalog::read(&mut admin).await?;
    let said = place
        .axon(&["map", "adopt", "--target", "warehouse", "--out", "adopted.yaml", "--json"])
        .await?
        .exits(0)?;
    let report = said.json()?;
    let text = place.read("adopted.yaml")?;
    ensure!(report["map"] == text.as_str(), "the report holds the map that was written");
    ensure!(said.err.contains("6 people and 3 groups"), "{}", said.err);

    // What the map says.
    for line in [
        "- select on schema::sales",
        "- select on sales.orders (order_id, region)",
        "- deny select on sales.regions",
        "- per person: member of mediumrc",
        "- per person: member of db_datareader",
        "- view definition on database",
        "- \"classifier in mediumrc importance low label [month end]\"",
        "- classifier in largerc importance normal from 22:00 until 02:00",
        "- \"per person: member of [Big Loads]\"",
        "principal: nightly-loads",
        "client_id: 00000000-0000-4000-9000-000000000001",
        "mode: observe",
    ] {
        ensure!(text.contains(line), "{line} is not in\n{text}");
    }
    ensure!(text.contains("- groups: { any: [SG-Auditors] }\n    source: entra\n    via: group"), "{text}");
    let roles = report["roles"].as_array().context("roles")?;
    let of = |name: &str| {
        roles.iter().find(|role| role["name"] == name).with_context(|| format!("{name}: {report:#}"))
    };
    ensure!(of("readers")?["groups"] == json!(["SG-Sales"]), "{report:#}");
    ensure!(of("of-sg-load")?["groups"] == json!(["SG-Load"]), "{report:#}");
    ensure!(of("of-ana")?["one_by_one"] == json!([ANA]), "{report:#}");

    // What it does not say, and why.
    ensure!(left(&report, "protected") == [BEN, "canary_user", "legacy"], "{report:#}");
    ensure!(left(&report, "role") == ["role Big Loads", "role outer_role"], "{report:#}");
    ensure!(left(&report, "nested") == ["role inner_role in role outer_role"], "{report:#}");
    let permissions = left(&report, "permission");
    let expected = [
        "GRANT SELECT on sales.regions to public".to_owned(),
        format!("GRANT WITH GRANT OPTION INSERT on sales.orders to {BEN}"),
    ];
    ensure!(expected.iter().all(|what| permissions.contains(&what.as_str())), "{permissions:?}");
    ensure!(
        left(&report, "classifier")
            == [
                "classifier loads puts requests of nightly-loads into workload group largerc, importance high",
                "classifier quick readers puts requests of readers into workload group largerc, importance normal",
            ],
        "{report:#}"
    );
    ensure!(report["counts"]["own_classifiers"] == 2, "{report:#}");
    let classifiers = workload(&mut admin).await?;
    ensure!(classifiers.len() == 4, "{classifiers:#?}");

    // Put in force, it changes nothing.
    place.axon(&["map", "check", "adopted.yaml"]).await?;
    place.write("role-map.yaml", &text.replace("mode: observe", "mode: authoritative"))?;
    let plan = place.axon(&["plan", "--json"]).await?.exits(0)?.json()?;
    ensure!(
        plan["warehouse"]["steps"] == json!([]) && plan["warehouse"]["withheld"] == json!([]),
        "{plan:#}"
    );
    place.axon(&["apply"]).await?;
    let serve = Serve::start(&place).await?;
    axon_tests::until("the reconciler has looked", axon_tests::SOON, async || {
        Ok((serve.state().await? != "starting").then_some(()))
    })
    .await?;
    serve.stop().await?;
    let after = Catalog::read(&mut admin).await?;
    ensure!(before == after, "before {before:#?}\nafter {after:#?}");
    let now = workload(&mut admin).await?;
    ensure!(now == classifiers, "before {classifiers:#?}\nafter {now:#?}");

    // The line holds what it says: without it the classifier goes, and no other.
    let without = text.replace("mode: observe", "mode: authoritative");
    let without: Vec<&str> = without.lines().filter(|line| !line.contains("[month end]")).collect();
    place.write("role-map.yaml", &without.join("\n"))?;
    // What waits for people keeps waiting.
    place.axon(&["apply"]).await?.exits(3)?;
    let now = workload(&mut admin).await?;
    ensure!(now.len() == 3 && now.iter().all(|name| name != "readers:mediumrc"), "{now:#?}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_adopted_is_refused_with_its_reason() -> anyhow::Result<()> {
    let (place, pool) = stage().await?;
    let adopt = async |more: &[&str]| {
        let mut arguments = vec!["map", "adopt"];
        arguments.extend(more);
        place.axon(&arguments).await
    };
    adopt(&[]).await?.exits(2)?.says(&["--target"])?;
    adopt(&["--target", "warehouse", "--force"]).await?.exits(2)?.says(&["--out"])?;
    adopt(&["--target", "werehouse"]).await?.exits(1)?.says(&["\"werehouse\"", "warehouse"])?;
    // Nothing is written over, and nothing is asked before that is known.
    place.write("there.yaml", "mine")?;
    adopt(&["--target", "warehouse", "--out", "there.yaml"])
        .await?
        .exits(1)?
        .says(&["there.yaml", "--force"])?;
    adopt(&["--target", "warehouse", "--out", "."]).await?.exits(1)?.says(&["is a folder"])?;
    ensure!(place.read("there.yaml")? == "mine");
    // Whoever sees a part only makes no map of a part.
    let token = place.read("pool.token")?;
    place.write("pool.token", &entra_token(KIM))?;
    let said = adopt(&["--target", "warehouse", "--out", "part.yaml"]).await?.exits(1)?;
    said.says(&["not all of warehouse can be seen", "VIEW DEFINITION"])?;
    ensure!(!place.file("part.yaml").exists());
    place.write("pool.token", &token)?;
    pool.lever("power paused").await?;
    adopt(&["--target", "warehouse", "--out", "part.yaml"]).await?.exits(1)?.says(&["warehouse"])?;
    ensure!(!place.file("part.yaml").exists());
    pool.lever("power online").await?;
    // The map alone goes to standard output, and --force writes over.
    let said = adopt(&["--target", "warehouse"]).await?.exits(0)?;
    ensure!(
        said.out.starts_with("# What the pool holds") && said.err.contains("proved that"),
        "{}",
        said.err
    );
    let said = adopt(&["--target", "warehouse", "--out", "there.yaml", "--force"]).await?.exits(0)?;
    ensure!(said.out.contains("protected until somebody decides"), "{}", said.out);
    ensure!(place.read("there.yaml")?.contains("readers"));

    let empty = Place::new([KIM])?;
    empty.furnish(MAP, pool.port()?)?;
    let said = empty.axon(&["map", "adopt", "--target", "warehouse"]).await?.exits(1)?;
    said.says(&["there is no store"])?;
    empty.token("entra").await?;
    let said = empty.axon(&["map", "adopt", "--target", "warehouse"]).await?.exits(1)?;
    said.says(&["the directory holds nobody"])?;
    Ok(())
}
