//! Jobs push with the token that their system signs for them.

use anyhow::{Context, ensure};
use axon_tests::Place;
use serde_json::{Value, json};

use crate::kit::{Ci, Stand, map};

const ORG: &str = "11111111-2222-3333-4444-555555555555";
const PROJECT: &str = "aaaaaaaa-2222-3333-4444-555555555555";
const CONTEXT: &str = "bbbbbbbb-2222-3333-4444-555555555555";

/// One rule for each system, all of them with this issuer.
pub fn rules(issuer: &str) -> String {
    format!(
        "  jobs:
    circle:
      circleci: {{ organization: {ORG}, project: {PROJECT}, contexts: [{CONTEXT}], branch: main }}
      issuer: {issuer}
      audience: axon
      may: [map.read, map.push]
    actions:
      github: {{ repository: acme/warehouse, branch: main, environment: production, workflow: .github/workflows/map.yml }}
      issuer: {issuer}
      audience: axon
      may: [map.read, map.push]
    lab:
      gitlab: {{ project: acme/warehouse, branch: main }}
      issuer: {issuer}
      audience: axon
      may: [map.read, map.push]
"
    )
}

pub fn circle() -> Value {
    json!({
        "sub": format!("org/{ORG}/project/{PROJECT}/user/u-7/vcs-origin/github.com/acme/w/vcs-ref/refs/heads/main"),
        "oidc.circleci.com/project-id": PROJECT,
        "oidc.circleci.com/context-ids": [CONTEXT, "other"],
        "oidc.circleci.com/vcs-ref": "refs/heads/main",
        "oidc.circleci.com/vcs-origin": "github.com/acme/w",
        "oidc.circleci.com/ssh-rerun": false,
    })
}

pub fn actions() -> Value {
    json!({
        "sub": "repo:acme/warehouse:environment:production", "repository": "acme/warehouse", "ref": "refs/heads/main",
        "environment": "production", "event_name": "push", "run_id": "4711", "sha": "c0ffee", "actor": "kim",
        "workflow_ref": "acme/warehouse/.github/workflows/map.yml@refs/heads/main",
    })
}

pub fn lab() -> Value {
    json!({
        "sub": "project_path:acme/warehouse:ref_type:branch:ref:main", "project_path": "acme/warehouse", "ref": "main",
        "ref_type": "branch", "ref_protected": "true", "pipeline_id": "99", "sha": "beef", "user_login": "lee",
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_job_of_each_system_pushes_and_the_record_names_its_run() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let stand = Stand::start(&rules(&ci.name)).await?;
    let mut parent = stand.version().await?;
    for (n, (claims, rule, run)) in [
        (circle(), "circle", json!({ "project": PROJECT, "branch": "refs/heads/main", "triggered_by": "u-7",
            "pipeline": "pipe-1", "commit": "abc", "declared": ["pipeline", "commit"] })),
        (actions(), "actions", json!({ "project": "acme/warehouse", "pipeline": "4711", "commit": "c0ffee", "triggered_by": "kim" })),
        (lab(), "lab", json!({ "project": "acme/warehouse", "pipeline": "99", "commit": "beef", "triggered_by": "lee" })),
    ]
    .into_iter()
    .enumerate()
    {
        stand.place.write("job.token", &ci.token(&claims))?;
        stand.place.write("map.yaml", &map(&format!("r{n}")))?;
        let url = stand.serve.address().to_owned();
        let push = ["map", "push", "map.yaml", "--comment", "from main", "--parent", &parent, "--pipeline", "pipe-1",
            "--commit", "abc", "--url", &url, "--token-file", "job.token", "--json"];
        let said = stand.place.axon(&push).await?.exits(0)?.json()?;
        let author = &said["version"]["author"];
        ensure!(author["way"] == "job" && author["name"] == rule, "{said}");
        for (name, value) in run.as_object().context("a run")? {
            ensure!(author["job"][name] == *value, "{rule}: {name} is not {value}: {author}");
        }
        parent = said["version"]["version"].as_str().context("a hash")?.to_owned();
        let export = stand.place.axon(&["audit", "export"]).await?.exits(0)?.out;
        let record = export.lines().rfind(|line| line.contains("\"map-version\"")).context("a record")?;
        for word in ["from main", rule, run["project"].as_str().unwrap_or_default(), run["commit"].as_str().unwrap_or_default(),
            run["triggered_by"].as_str().unwrap_or_default(), run["pipeline"].as_str().unwrap_or_default()] {
            ensure!(record.contains(word), "the record lacks {word:?}: {record}");
        }
    }
    let log = stand.place.axon(&["map", "log"]).await?.exits(0)?.out;
    ensure!(log.contains("by job actions (project acme/warehouse, branch refs/heads/main, pipeline 4711, commit c0ffee, triggered by kim)"), "{log}");
    // Nothing of a job's token is kept.
    let tokens = stand.place.axon(&["token", "list", "--operators", "--json"]).await?.exits(0)?.json()?;
    ensure!(tokens.as_array().is_some_and(Vec::is_empty), "{tokens}");
    Ok(())
}

#[tokio::test]
async fn a_token_of_another_branch_project_or_time_is_refused_and_counted() -> anyhow::Result<()> {
    let ci = Ci::start().await;
    let stand = Stand::start(&rules(&ci.name)).await?;
    let first = stand.version().await?;
    let circle_is = |name: &str, value: Value| with(circle(), name, value);
    let (wrong_claim, past) = ("wrong-claim", 1_000_000_000);
    for (claims, why) in [
        (circle_is("oidc.circleci.com/vcs-ref", json!("refs/heads/feature")), wrong_claim),
        (circle_is("oidc.circleci.com/vcs-ref", Value::Null), wrong_claim),
        (circle_is("oidc.circleci.com/project-id", json!(ORG)), wrong_claim),
        (circle_is("oidc.circleci.com/context-ids", json!([])), wrong_claim),
        (circle_is("oidc.circleci.com/ssh-rerun", json!(true)), wrong_claim),
        (with(actions(), "event_name", json!("pull_request_target")), wrong_claim),
        (with(actions(), "ref", json!("refs/pull/7/merge")), wrong_claim),
        (with(actions(), "environment", json!("staging")), wrong_claim),
        (
            with(
                actions(),
                "workflow_ref",
                json!("acme/warehouse/.github/workflows/evil.yml@refs/heads/main"),
            ),
            wrong_claim,
        ),
        (with(actions(), "repository", json!("evil/warehouse")), wrong_claim),
        (with(lab(), "ref_protected", json!("false")), wrong_claim),
        (with(lab(), "ref_type", json!("tag")), wrong_claim),
        (circle_is("aud", json!("another")), "wrong-audience"),
        (circle_is("exp", json!(past)), "expired"),
        (circle_is("nbf", json!(9_999_999_999_i64)), "not-yet"),
        (circle_is("iss", json!("https://ci.example")), "unknown-issuer"),
    ] {
        let before = stand.counted("axon_operators_refused_total", why).await?;
        let client = stand.client(&ci.token(&claims));
        let answer = client.push(&map("evil"), &first).await?;
        // Many refusals in a row are slowed, and are refused all the same.
        ensure!(answer.status == 401, "{why}: {answer:?}");
        ensure!(!answer.body.to_string().contains(why), "the reason is for operators alone: {}", answer.body);
        let after = stand.counted("axon_operators_refused_total", why).await?;
        ensure!(after > before, "{why} was not counted: {claims}");
    }
    let forged =
        axon_identity_token::testing::SigningKey::rsa("k1").sign(&with(circle(), "iss", json!(ci.name)));
    stand.client(&forged).push(&map("evil"), &first).await?.refuses(401, "unauthorized")?;
    ensure!(stand.version().await? == first && stand.log().await?.len() == 1);
    Ok(())
}

/// What docs/CI.md says a job does on a branch: without a configuration, a store or a server.
#[tokio::test]
async fn a_branch_is_checked_tested_and_previewed_as_a_comment() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let scim = stand.serve.scim(&stand.place.token("entra").await?);
    let kim = scim.person("kim@acme.example").await?;
    scim.group("Readers", &[&kim]).await?;
    let snapshot = stand.place.axon(&["map", "snapshot"]).await?.exits(0)?.out;
    let job = Place::new([""; 0])?;
    job.write("directory.jsonl", &snapshot)?;
    let old = "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h.sql.azuresynapse.net, database: d, auth: { token-file: t }, \
               mode: authoritative }\nroles: { r: { grants: { dw: [select on sales.orders] } } }\n\
               guards: { removals: { window: 24h, most: 5%, floor: 20 }, leavers: { window: 24h, most: 5%, floor: 50 } }\n";
    let mapping = "mappings: [{ groups: { any: [Readers] }, source: entra, roles: [r] }]\n";
    let test =
        "tests: [{ user: { userName: kim, groups: [Readers] }, has: { dw: [select on sales.orders] } }]\n";
    job.write("old.yaml", old)?;
    job.write("new.yaml", &format!("{old}{mapping}{test}"))?;
    job.axon(&["map", "check", "new.yaml"]).await?.exits(0)?;
    job.axon(&["map", "test", "new.yaml"]).await?.exits(0)?;
    let preview = [
        "map",
        "preview",
        "new.yaml",
        "--old",
        "old.yaml",
        "--snapshot",
        "directory.jsonl",
        "--markdown",
        "comment.md",
    ];
    job.axon(&preview).await?.exits(3)?;
    let comment = job.read("comment.md")?;
    ensure!(comment.contains("1 person gains") && comment.contains("kim@acme.example"), "{comment}");
    let back = ["map", "preview", "old.yaml", "--old", "new.yaml", "--snapshot", "directory.jsonl"];
    job.axon(&back).await?.exits(0)?;
    job.write("new.yaml", &format!("{old}{mapping}{}", test.replace("[Readers]", "[]")))?;
    job.axon(&["map", "test", "new.yaml"]).await?.exits(1)?;
    Ok(())
}

#[tokio::test]
async fn a_rule_without_a_branch_that_may_push_is_no_configuration() -> anyhow::Result<()> {
    let stand = Stand::start("").await?;
    let rule = "operators:\n  jobs:\n    any:\n      github: { repository: acme/w }\n      audience: axon\n      may: map.push\n";
    let config = stand.place.read("axon.yaml")?;
    stand.place.write("axon.yaml", &format!("{config}{rule}"))?;
    for command in [["config", "check"].as_slice(), &["serve"], &["map", "log"]] {
        stand.place.axon(command).await?.exits(1)?.says(&["operators", "jobs.any", "says no branch"])?;
    }
    Ok(())
}
