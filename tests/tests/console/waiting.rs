//! What waits, beside that: targets, holds, requests; and who may see or answer it.

use anyhow::ensure;
use axon_tests::{SOON, until};
use serde_json::json;

use crate::kit::{Browser, CARA, KIM, operator, peopled, written};

#[tokio::test]
async fn whoever_lacks_a_permission_sees_no_control_and_is_refused() -> anyhow::Result<()> {
    let stage = peopled().await?;
    let reads = Browser::with(&stage, &operator(&stage, "rea", "holds.read").await?).await?;
    let page = reads.get("/console/acting").await?.is(200)?.lacks(&["<h2>Start</h2>", "name=\"as\""])?;
    let head = written(&stage).await?.len();
    let key = page.key()?;
    let fields = [("user", CARA), ("as", KIM), ("minutes", "5"), ("reason", "x"), ("key", key.as_str())];
    for path in [
        "/console/acting",
        "/console/acting/01890000-0000-7000-8000-000000000000/stop",
        "/console/holds/01890000-0000-7000-8000-000000000000/release",
        "/console/holds/01890000-0000-7000-8000-000000000000/reject",
    ] {
        let answer = reads.send(path, &fields, &[("origin", reads.base())]).await?;
        answer.is(403)?.says(&["rea may not do this: it needs"])?;
    }
    ensure!(written(&stage).await?.len() == head);

    // Whoever may see nothing that waits may still sign in for the rest.
    let grants = Browser::with(&stage, &operator(&stage, "gus", "grant").await?).await?;
    for path in ["/console", "/console/acting"] {
        grants.get(path).await?.is(200)?.says(&["it needs holds.read"])?;
    }
    for path in ["/console/holds", "/console/requests", "/console/holds/x"] {
        grants.get(path).await?.is(403)?.says(&["it needs holds.read"])?;
    }
    let fields = [("user", CARA), ("as", KIM), ("minutes", "5"), ("reason", "x")];
    grants.post("/console/acting", "/console/acting", &fields).await?.goes("/console/acting")?;
    grants.get("/console/acting").await?.says(&["Started."])?.lacks(&[&format!("{CARA} as")])?;
    Ok(())
}

#[tokio::test]
async fn targets_and_requests_are_shown_and_a_hold_is_answered_with_all_that_it_is_about()
-> anyhow::Result<()> {
    let stage = peopled().await?;
    let ana = operator(&stage, "ana", "grant,offboard,holds.read").await?;
    let bo = Browser::with(&stage, &operator(&stage, "bo", "holds.read,holds.release").await?).await?;
    until("the target converges", SOON, async || {
        let page = bo.get("/console").await?.is(200)?;
        Ok(page.text.contains(">converged<").then_some(()))
    })
    .await?;
    let call = async |path: &str, body: serde_json::Value| {
        let address = format!("{}/api/v1{path}", stage.serve.address());
        reqwest::Client::new().post(address).bearer_auth(&ana).json(&body).send().await
    };
    bo.get("/console/requests").await?.is(200)?.says(&["Nobody is shut out"])?;
    let wish = json!({ "user": KIM, "role": "region", "seconds": 3_600, "reason": "an incident" });
    ensure!(call("/grants", wish).await?.status().is_success());
    ensure!(call("/offboardings", json!({ "user": CARA, "reason": "gone" })).await?.status() == 201);
    let (role, out) = (format!("role region for {KIM}"), format!("{CARA} is shut out"));
    let page = bo.get("/console/requests").await?.is(200)?;
    page.says(&[&role, &out, "an incident", "waits for a second person"])?;

    let list = bo.get("/console/holds").await?.is(200)?;
    let id = list.behind("href=\"/console/holds/")?;
    let one = format!("/console/holds/{id}");
    let page = bo.get(&one).await?.is(200)?.says(&["A release means", "Reject", "Release"])?;
    ensure!(page.text.find(">Reject<") < page.text.find(">Release<"), "the Enter key says no");
    bo.post(&one, &format!("{one}/release"), &[("reason", " ")]).await?.is(400)?;
    bo.post(&one, &format!("{one}/reject"), &[("reason", "not now")]).await?.goes("/console/holds")?;
    bo.get(&one).await?.is(200)?.says(&["rejected", "not now", "by operator bo"])?;
    bo.get("/console/holds/01890000-0000-7000-8000-000000000000").await?.is(404)?;
    let page = bo.get("/console/holds/..%2f..%2f").await?;
    ensure!(page.status == 404, "{page:?}");
    Ok(())
}
