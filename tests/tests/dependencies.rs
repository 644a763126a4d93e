//! The dependency tree: one TLS and crypto provider, permissive licences, nothing from outside the registry.
//! `deny.toml` says the same to those who have cargo-deny.

use serde_json::Value;

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--all-features"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

const LICENCES: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

/// Whether an SPDX expression can be satisfied with the allowed licences alone.
fn satisfied(expression: &str) -> bool {
    // The registry's expressions nest at most one level of brackets; `/` is an old spelling of OR.
    let flat = expression.replace('/', " OR ");
    let mut text = flat.as_str();
    let mut rest = String::new();
    while let Some(open) = text.find('(') {
        let close = text[open..].find(')').map_or(text.len(), |at| open + at);
        rest.push_str(&text[..open]);
        rest.push_str(if satisfied(&text[open + 1..close]) { "MIT" } else { "refused" });
        text = text.get(close + 1..).unwrap_or("");
    }
    rest.push_str(text);
    rest.split(" AND ").all(|all| all.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn one_crypto_provider_and_permissive_licences() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    // What is locked but reached by no feature of ours (sqlx's optional drivers) is not built: ask the resolved graph.
    let reached: std::collections::BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|n| n["id"].as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in packages.iter().filter(|p| p["id"].as_str().is_some_and(|id| reached.contains(id))) {
        let name = package["name"].as_str().expect("name");
        if ["openssl", "openssl-sys", "native-tls", "rsa"].contains(&name) {
            wrong.push(format!("{name} is in the tree"));
        }
        let licence = package["license"].as_str().unwrap_or("none");
        if !satisfied(licence) {
            wrong.push(format!("{name} has the licence {licence:?}"));
        }
        let source = package["source"].as_str().unwrap_or("");
        if !(source.is_empty() || source.starts_with("registry+")) {
            wrong.push(format!("{name} comes from {source}"));
        }
    }
    assert!(packages.len() > 100, "metadata is whole");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ring_is_reached_on_no_target_we_build_for() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    for banned in ["ring", "openssl-sys", "native-tls", "rsa"] {
        let output = std::process::Command::new(&cargo)
            .args([
                "tree",
                "--locked",
                "--workspace",
                "--target",
                "all",
                "--edges",
                "normal,build,dev",
                "--invert",
                banned,
            ])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .output()
            .expect("cargo runs");
        let tree = String::from_utf8_lossy(&output.stdout);
        assert!(tree.trim().is_empty(), "{banned} is reached:\n{tree}");
    }
}

#[test]
fn an_expression_needs_every_and_and_one_or() {
    assert!(satisfied("MIT OR GPL-3.0"));
    assert!(satisfied("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!satisfied("MIT AND GPL-3.0"));
    assert!(!satisfied("MPL-2.0"));
}
