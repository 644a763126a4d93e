//! scim2-tester and scim-sanity, whole, against the real binary.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use axon_tests::{Provider, Scim};
use serde_json::Value;
use tokio::process::Command;

/// The profiles that it is run under. scim-sanity wants 200 and a body for every PATCH, which is a switch for Entra.
const SOURCES: [(&str, &str); 3] = [
    ("generic", "{ kind: generic }"),
    ("okta", "{ kind: okta }"),
    ("entra", "{ kind: entra, switches: { group_patch_no_content: false } }"),
];

/// A program of the virtual environment that `tests/install.sh` makes.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let fallback = || concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-venv/bin/python").to_owned();
    let python = std::env::var("AXON_TEST_PYTHON").unwrap_or_else(|_| fallback());
    let program = PathBuf::from(python).with_file_name(name);
    ensure!(program.is_file(), "{} is not there: run `make test`, which installs it", program.display());
    Ok(program)
}

/// What it printed; its exit status must say that all is well.
async fn run(name: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program(name)?);
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    let output = command.args(arguments).env("NO_COLOR", "1").output().await?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.code() == Some(0), "{name} ended with {:?}:\n{said}", output.status);
    Ok(said)
}

async fn scim2_tester(scim: &Scim) -> anyhow::Result<()> {
    let bearer = format!("Authorization: Bearer {}", scim.token());
    let said = run("scim2", &["-u", &scim.address(""), "-h", &bearer, "test"]).await?;
    let counted = |word: &str| said.lines().filter(|line| line.starts_with(word)).count();
    // Nothing is left out because the server would not say that it can do it.
    for word in ["SKIPPED", "ERROR", "CRITICAL", "DEVIATION", "ACCEPTABLE"] {
        ensure!(counted(word) == 0, "{word}:\n{said}");
    }
    // One for each request that our schemas give rise to: a server that advertises less is asked less.
    ensure!(counted("SUCCESS") >= 133, "{} successes:\n{said}", counted("SUCCESS"));
    Ok(())
}

async fn scim_sanity(scim: &Scim) -> anyhow::Result<()> {
    let arguments = [
        "probe",
        &scim.address(""),
        "--token",
        scim.token(),
        "--i-accept-side-effects",
        "--strict",
        "--json-output",
    ];
    let said = run("scim-sanity", &arguments).await?;
    let start = said.find('{').context("no JSON")?;
    let report: Value = serde_json::from_str(&said[start..])?;
    let results = report["results"].as_array().context("its results")?;
    let mut passed = 0;
    for result in results {
        let (name, status) =
            (result["name"].as_str().unwrap_or_default(), result["status"].as_str().unwrap_or_default());
        // Agents are resources of a draft, which nobody here advertises.
        let of_a_draft = name.contains("Agent") && status.eq_ignore_ascii_case("skip");
        ensure!(of_a_draft || status.eq_ignore_ascii_case("pass"), "{result}");
        passed += usize::from(!of_a_draft);
    }
    ensure!(passed == 28, "{passed} passed: {report}");
    Ok(())
}

async fn both(source: &str) -> anyhow::Result<()> {
    let provider = Provider::start(&SOURCES).await?;
    let scim = provider.connector(source).await?;
    scim2_tester(&scim).await.context("scim2-tester")?;
    scim_sanity(&scim).await.context("scim-sanity")
}

#[tokio::test]
async fn conformance_of_the_generic_profile() -> anyhow::Result<()> {
    both("generic").await
}

#[tokio::test]
async fn conformance_of_the_okta_profile() -> anyhow::Result<()> {
    both("okta").await
}

#[tokio::test]
async fn conformance_of_the_entra_profile() -> anyhow::Result<()> {
    both("entra").await
}
