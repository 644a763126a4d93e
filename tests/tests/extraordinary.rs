//! Out of the ordinary: somebody is shut out before any provider says so; somebody has a role for a while.

use anyhow::{Context, ensure};
use axon_tests::{MAP, Place, SOON, Stage, Tds, number, until};
use serde_json::{Value, json};

const KIM: &str = "kim@acme.example";
const ANA: &str = "ana@acme.example";

/// Waits until the pool has ended this session.
async fn cut(session: &mut Tds) -> anyhow::Result<()> {
    until("the open session is cut", SOON, async || {
        Ok(session.run("SELECT order_id FROM sales.orders").await.is_err().then_some(()))
    })
    .await
}

/// The one request that stands.
async fn asked(place: &Place) -> anyhow::Result<Value> {
    let all = place.status().await?["requests"].clone();
    ensure!(all.as_array().is_some_and(|all| all.len() == 1), "{all}");
    Ok(all[0].clone())
}

#[tokio::test]
async fn who_is_offboarded_is_out_at_once_and_no_push_brings_them_back() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM, ANA]).await?;
    let (kim, ana) = (stage.scim.person(KIM).await?, stage.scim.person(ANA).await?);
    let readers = stage.scim.group("Readers", &[&kim, &ana]).await?;
    stage.catalog_when("both read", |c| !c.roles_of(KIM).is_empty() && !c.roles_of(ANA).is_empty()).await?;
    let mut session = stage.pool.person(KIM).await?;
    session.run("SELECT order_id FROM sales.orders").await?;

    let place = &stage.place;
    // A mistyped name, no reason, a source that is none: nothing is kept.
    place.axon(&["offboard", "kin@acme.example", "--reason", "x"]).await?.exits(1)?.says(&[KIM])?;
    place.axon(&["offboard", KIM, "--reason", " "]).await?.exits(1)?.says(&["reason is empty"])?;
    place.axon(&["offboard", KIM, "--reason", "x", "--source", "entr"]).await?.exits(1)?.says(&["entra"])?;
    place
        .axon(&["offboard", KIM, "--release", "--reason", "x"])
        .await?
        .exits(1)?
        .says(&["not offboarded"])?;
    ensure!(place.status().await?["requests"].as_array().is_some_and(Vec::is_empty));

    let said =
        place.axon(&["offboard", "KIM@acme.example", "--reason", "a stolen laptop"]).await?.exits(0)?;
    ensure!(said.out.contains("in-force") && said.out.contains(&kim), "{}", said.out);
    cut(&mut session).await?;
    stage.catalog_when("kim is shut out", |c| c.shut_out.contains(KIM) && c.roles_of(KIM).is_empty()).await?;
    ensure!(stage.pool.person(KIM).await.err().as_ref().and_then(number) == Some(18456));
    stage.pool.person(ANA).await?.run("SELECT order_id FROM sales.orders").await?;

    // Nothing that the provider pushes lifts it: reactivation, membership, another name, a new record under the old one.
    stage.scim.activate(&kim, "False").await?;
    stage.scim.activate(&kim, "True").await?;
    stage.scim.part(&readers, &kim).await?;
    stage.scim.join(&readers, &kim).await?;
    stage.scim.delete(&format!("/Users/{kim}")).await?.is(204)?;
    let again = stage.scim.person(KIM).await?;
    stage.scim.join(&readers, &again).await?;
    stage.settled().await?;
    let catalog = stage.catalog().await?;
    ensure!(catalog.shut_out.contains(KIM) && catalog.roles_of(KIM).is_empty(), "{catalog:#?}");

    // Whoever asks is told.
    let request = asked(place).await?;
    let id = request["id"].as_str().context("an id")?;
    ensure!(request["asked"]["reason"] == "a stolen laptop" && request["kind"] == "offboard", "{request}");
    for command in [&["explain", KIM][..], &["status"], &["plan"], &["offboard", "--list"]] {
        let said = place.axon(command).await?.exits(0)?;
        ensure!(said.out.contains(id), "{command:?}: {}", said.out);
    }
    let twice = place.axon(&["offboard", KIM, "--reason", "again"]).await?.exits(0)?;
    ensure!(twice.out.contains("stands already") && twice.out.contains(id), "{}", twice.out);

    place.axon(&["offboard", KIM, "--release", "--reason", "found again"]).await?.exits(0)?;
    stage
        .catalog_when("kim is back", |c| !c.shut_out.contains(KIM) && c.roles_of(KIM) == ["axon_reader"])
        .await?;
    let journal = place.journal().await?;
    let states: Vec<&str> = journal
        .iter()
        .filter(|record| record.kind == "access-request")
        .filter_map(|record| record.record["facts"]["state"].as_str())
        .collect();
    ensure!(states == ["in-force", "lifted"], "{states:?}");
    let begun = journal.iter().find(|record| record.kind == "access-request").context("a record")?;
    let causes = |record: &axon_tests::Record| {
        record.kind == "step-intent"
            && record.record["facts"]["action"] == "deny-connect"
            && record.record["facts"]["causes"][0]["membership"] == begun.seq
    };
    ensure!(journal.iter().any(causes), "the step names the request's record as its cause");
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_name_that_nobody_has_yet_can_be_shut_out_beforehand() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM]).await?;
    let place = &stage.place;
    place
        .axon(&["offboard", KIM, "--reason", "x"])
        .await?
        .exits(1)?
        .says(&["no source knows", "--unknown"])?;
    place.axon(&["offboard", KIM, "--unknown", "--reason", "a known thief"]).await?.exits(0)?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.settled().await?;
    let catalog = stage.catalog().await?;
    ensure!(!catalog.people.contains(KIM), "{catalog:#?}");
    Ok(())
}

#[tokio::test]
async fn a_role_for_a_while_comes_at_once_and_ends_by_itself() -> anyhow::Result<()> {
    let map = format!(
        "{MAP}guards: {{ break_glass: {{ second_person: false, longest: 1h }}, steps: {{ hold: [drop member] }} }}\n"
    );
    let stage = Stage::set_with(&[KIM], &map).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let place = &stage.place;
    let ask = |role: &'static str, time: &'static str| {
        ["grant", KIM, role, "--for", time, "--reason", "an incident"]
    };
    place.axon(&ask("regoin", "1h")).await?.exits(1)?.says(&["did you mean `region`"])?;
    place.axon(&ask("region", "2h")).await?.exits(1)?.says(&["longest"])?;
    place
        .axon(&["grant", ANA, "region", "--for", "1h", "--reason", "x"])
        .await?
        .exits(1)?
        .says(&["no source knows"])?;
    place
        .axon(&["grant", KIM, "region", "--for", "1h", "--reason", "x", "--target", "dw"])
        .await?
        .exits(1)?
        .says(&["warehouse"])?;

    place.axon(&ask("region", "4s")).await?.exits(0)?;
    let request = asked(place).await?;
    ensure!(request["state"] == "in-force" && request["until"].is_string(), "{request}");
    stage.catalog_when("kim has the role", |c| c.roles_of(KIM) == ["axon_reader", "axon_region"]).await?;
    let explained = place.axon(&["explain", KIM]).await?.exits(0)?.out;
    let id = request["id"].as_str().context("an id")?;
    ensure!(explained.contains(&format!("because: request {id}")), "{explained}");
    // Its end is no removal that a guard withholds, though all others of the kind wait for a person.
    stage.catalog_when("it is over", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    until("the journal says that it is over", SOON, async || {
        let all = place.axon(&["grant", "list", "--all", "--json"]).await?.exits(0)?.json()?;
        Ok((all[0]["state"] == "over").then_some(()))
    })
    .await?;
    ensure!(place.axon(&["grant", "list", "--check"]).await?.exits(0)?.out.contains("nobody"));

    // One may be ended before its time.
    place.axon(&ask("region", "1h")).await?.exits(0)?;
    stage.catalog_when("kim has it again", |c| c.roles_of(KIM) == ["axon_reader", "axon_region"]).await?;
    let request = asked(place).await?;
    place.axon(&["grant", "list", "--check"]).await?.exits(3)?;
    place
        .axon(&["grant", "revoke", request["id"].as_str().context("an id")?, "--reason", "done"])
        .await?
        .exits(0)?;
    stage.catalog_when("it is over at once", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    Ok(())
}

#[tokio::test]
async fn a_role_for_a_while_waits_for_somebody_else_than_whoever_asks() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM]).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let place = &stage.place;
    let operator = async |name: &str, may: &str| {
        let said = place.axon(&["token", "create", "--operator", name, "--may", may]).await?.exits(0)?;
        place.write(&format!("{name}.token"), &said.out)
    };
    operator("ana", "holds.release").await?;
    operator("bo", "grant").await?;
    let ask = ["grant", KIM, "region", "--for", "1h", "--reason", "an incident"];
    place
        .axon(&[&ask[..], &["--token-file", "ana.token"]].concat())
        .await?
        .exits(1)?
        .says(&["lacks grant"])?;
    place.axon(&ask).await?.exits(3)?;
    let request = asked(place).await?;
    let id = request["id"].as_str().context("an id")?;
    ensure!(request["state"] == "proposed" && request["until"].is_null(), "{request}");
    place.axon(&["holds", "list", "--check"]).await?.exits(3)?;

    // The same login is nobody else, under whatever name.
    let release = ["grant", "release", id, "--reason", "seen"];
    place.axon(&release).await?.exits(1)?.says(&["second person"])?;
    let hold = request["hold"].as_str().context("a hold")?;
    let by = ["holds", "release", hold, "--reason", "seen", "--by", "somebody else"];
    place.axon(&by).await?.exits(1)?.says(&["second person"])?;
    place
        .axon(&[&release[..], &["--token-file", "bo.token"]].concat())
        .await?
        .exits(1)?
        .says(&["lacks holds.release"])?;
    stage.settled().await?;
    ensure!(stage.catalog().await?.roles_of(KIM) == ["axon_reader"]);

    place.axon(&[&release[..], &["--token-file", "ana.token"]].concat()).await?.exits(0)?;
    stage.catalog_when("kim has the role", |c| c.roles_of(KIM) == ["axon_reader", "axon_region"]).await?;
    let request = asked(place).await?;
    ensure!(request["released"]["by"] == "operator ana" && request["until"].is_string(), "{request}");
    let said = place.axon(&release).await?.exits(1)?;
    ensure!(said.err.contains("waits for nobody"), "{}", said.err);
    // Who is offboarded loses it with all else.
    place.axon(&["offboard", KIM, "--reason", "x"]).await?.exits(0)?;
    stage.catalog_when("kim is out", |c| c.shut_out.contains(KIM) && c.roles_of(KIM).is_empty()).await?;
    Ok(())
}

/// One call of the operators' API: status and body.
async fn call(stage: &Stage, token: &str, path: &str, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
    let address = format!("{}/api/v1{path}", stage.serve.address());
    let client = reqwest::Client::new();
    let request = match body {
        Some(body) => client.post(address).json(&body),
        None => client.get(address),
    };
    let answer = request.bearer_auth(token.trim()).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

#[tokio::test]
async fn operators_do_the_same_over_their_api_and_sources_do_not() -> anyhow::Result<()> {
    let stage = Stage::set(&[KIM]).await?;
    let kim = stage.scim.person(KIM).await?;
    stage.scim.group("Readers", &[&kim]).await?;
    stage.catalog_when("kim reads", |c| c.roles_of(KIM) == ["axon_reader"]).await?;
    let operator = async |name: &str, may: &str| -> anyhow::Result<String> {
        Ok(stage.place.axon(&["token", "create", "--operator", name, "--may", may]).await?.exits(0)?.out)
    };
    let ana = operator("ana", "grant,offboard,holds.read,holds.release").await?;
    let bo = operator("bo", "holds.read,holds.release").await?;

    let wish = json!({ "user": KIM, "role": "region", "seconds": 3_600, "reason": "an incident" });
    for (token, status) in [(stage.token.as_str(), 401), ("", 401), (&bo, 403)] {
        let (code, body) = call(&stage, token, "/grants", Some(wish.clone())).await?;
        ensure!(code == status, "{code} instead of {status}: {body}");
    }
    for (member, value, status) in [
        ("role", json!("regoin"), 422),
        ("user", json!("nobody@acme.example"), 404),
        ("seconds", json!("an hour"), 400),
        ("seconds", json!(864_000), 422),
        ("reason", json!(""), 400),
        ("target", json!("dw"), 404),
        ("until", json!("tomorrow"), 400),
    ] {
        let mut wrong = wish.clone();
        wrong[member] = value;
        let (code, body) = call(&stage, &ana, "/grants", Some(wrong)).await?;
        ensure!(code == status, "{member}: {code} instead of {status}: {body}");
    }
    let (code, asked) = call(&stage, &ana, "/grants", Some(wish)).await?;
    ensure!(code == 202 && asked["state"] == "proposed", "{code}: {asked}");
    let hold = asked["hold"].as_str().context("a hold")?;
    let (_, holds) = call(&stage, &bo, "/holds", None).await?;
    ensure!(holds["holds"][0]["id"] == hold, "{holds}");
    let release = format!("/holds/{hold}/release");
    let seen = || Some(json!({ "reason": "seen" }));
    let (code, same) = call(&stage, &ana, &release, seen()).await?;
    ensure!(code == 403 && same["code"] == "same-person", "{code}: {same}");
    let (code, released) = call(&stage, &bo, &release, seen()).await?;
    ensure!(code == 200 && released["state"] == "released", "{code}: {released}");
    ensure!(call(&stage, &bo, &release, seen()).await?.0 == 409);
    stage.catalog_when("kim has the role", |c| c.roles_of(KIM) == ["axon_reader", "axon_region"]).await?;

    let out = json!({ "user": KIM, "reason": "a stolen laptop" });
    ensure!(call(&stage, &bo, "/offboardings", Some(out.clone())).await?.0 == 403);
    let (code, offboarded) = call(&stage, &ana, "/offboardings", Some(out.clone())).await?;
    ensure!(code == 201 && offboarded["asked"]["by"] == "operator ana", "{code}: {offboarded}");
    stage.catalog_when("kim is out", |c| c.shut_out.contains(KIM) && c.roles_of(KIM).is_empty()).await?;
    let (code, again) = call(&stage, &ana, "/offboardings", Some(out)).await?;
    ensure!(code == 200 && again["id"] == offboarded["id"], "{code}: {again}");
    let id = offboarded["id"].as_str().context("an id")?;
    ensure!(call(&stage, &ana, &format!("/grants/{id}/revoke"), seen()).await?.0 == 404, "another kind");
    ensure!(call(&stage, &ana, &format!("/offboardings/{id}/release"), seen()).await?.0 == 200);
    stage.catalog_when("kim is back", |c| !c.shut_out.contains(KIM) && c.roles_of(KIM).len() == 2).await?;
    Ok(())
}
