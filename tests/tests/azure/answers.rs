//! Answers that are none: each service that a plan needs, each kind of trouble, one after the other, with what the operator reads.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::stage::{DATA, Script, Stage};

/// A service, the requests that meet trouble, the target whose plan needs them, and how the operator is told which it is.
struct Asked {
    service: &'static str,
    path: &'static str,
    target: &'static str,
    called: &'static str,
    /// How it is called where its answer cannot be read.
    half: &'static str,
}

const ASKED: [Asked; 7] = [
    Asked {
        service: "synapse",
        path: "/roleAssignments",
        target: "workspace",
        called: "the workspace",
        half: "the lists of roles and role assignments",
    },
    Asked {
        service: "synapse",
        path: "/roleDefinitions",
        target: "workspace",
        called: "the workspace",
        half: "the lists of roles and role assignments",
    },
    Asked {
        service: "arm",
        path: "/roleAssignments",
        target: "factory",
        called: "Azure Resource Manager",
        half: "the lists of roles and role assignments",
    },
    Asked {
        service: "arm",
        path: "/roleDefinitions",
        target: "factory",
        called: "Azure Resource Manager",
        half: "the lists of roles and role assignments",
    },
    Asked {
        service: "graph",
        path: "/groups",
        target: "workspace",
        called: "Microsoft Graph",
        half: "SG-Data",
    },
    Asked { service: "graph", path: "/v1.0/", target: "factory", called: "Microsoft Graph", half: "SG-Data" },
    Asked {
        service: "authority",
        path: "/oauth2/v2.0/token",
        target: "workspace",
        called: "Entra",
        half: "Entra's answer",
    },
];

/// What a service may answer, and what is said of it: the remedy, or that nothing is to be done.
fn troubles(asked: &Asked) -> [(Value, Vec<&'static str>); 4] {
    let hasty =
        json!({"status": {"status": 429, "code": "TooManyRequests", "headers": [["Retry-After", "600"]]}});
    let error =
        json!({"error": {"code": "GatewayTimeout", "message": "The gateway did not receive a response"}});
    [
        (hasty, vec![asked.called, "is asked too fast: it is left alone for"]),
        (json!("halfPage"), vec![asked.half, "look whether a proxy answers in its place"]),
        (
            json!({"body": {"status": 200, "body": error}}),
            vec![asked.called, "an error under a status that says all is well"],
        ),
        (
            json!({"big": 52_428_800}),
            vec!["answered more than 8388608 bytes", "look whether a proxy answers in its place"],
        ),
    ]
}

#[tokio::test]
async fn whatever_a_service_answers_is_told_and_takes_nothing_away() -> anyhow::Result<()> {
    let stage = Script::default().play().await?;
    stage.push().await?;
    stage.given().await?;
    stage.settled().await?;
    let Stage { pool, place, serve, .. } = stage;
    serve.stop().await?;
    for asked in &ASKED {
        for (what, words) in troubles(asked) {
            let case = format!("{} {} {what}", asked.service, asked.path);
            let fault = json!({"service": asked.service, "target": asked.path, "times": 100, "what": what});
            pool.ask("POST", "/cloud/faults", Some(fault)).await?;
            let said = place.axon(&["plan", "--target", asked.target]).await?;
            let text = format!("{}{}", said.out, said.err);
            for word in words {
                ensure!(text.contains(word), "{case} lacks {word:?}: {text}");
            }
            ensure!(!text.contains("remove "), "{case}: {text}");
            pool.ask("DELETE", "/cloud/faults", None).await?;
        }
    }
    // Nothing was done, and where nobody is in trouble nothing is to be done.
    place.axon(&["plan", "--check"]).await?.exits(0)?;
    let asked = pool.ask("GET", "/cloud/requests", None).await?;
    let asked = asked["requests"].as_array().context("requests")?;
    ensure!(asked.iter().all(|r| r["method"] != "DELETE"), "something was taken away");
    Ok(())
}

#[tokio::test]
async fn a_haste_that_passes_is_over_without_anybody_s_hand() -> anyhow::Result<()> {
    let scene = Script::default().set().await?;
    // Each service refuses once and says when it may be asked again.
    let hasty =
        json!({"status": {"status": 429, "code": "TooManyRequests", "headers": [["Retry-After", "1"]]}});
    for service in ["authority", "graph", "synapse", "arm"] {
        let fault = json!({"service": service, "times": 1, "what": hasty});
        scene.pool.ask("POST", "/cloud/faults", Some(fault)).await?;
    }
    let stage = scene.serve().await?;
    stage.push().await?;
    stage.given().await?;
    stage.settled().await?;
    let waiting = stage.pool.ask("GET", "/cloud/faults", None).await?;
    ensure!(waiting["faults"] == json!([]), "each was met: {waiting}");
    let (workspace, factory) = stage.rows().await?;
    ensure!(
        workspace[0]["principalId"] == DATA && factory[0]["principalId"] == DATA,
        "{workspace:?} {factory:?}"
    );
    Ok(())
}
