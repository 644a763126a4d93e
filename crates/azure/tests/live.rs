//! Against a real Azure, for whoever has one: only reads. `AXON_LIVE_AZURE_TENANT`, `…_CLIENT` and `…_SECRET` are an application;
//! `…_WORKSPACE` (an https address), `…_SCOPE` (of Resource Manager), `…_GROUP` (an object id), `…_APPLICATION` (a client id),
//! `…_RESOURCE` (the path of a Synapse workspace in Resource Manager), `…_LOG`, `…_RULE` and `…_STREAM` (log ingestion: address, immutable
//! id, stream) and `…_MANAGED` (any word: the test runs on a machine that has a managed identity) are what the single tests look at. A test whose variables are not set says so and does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;

use axon_azure::parity::{GraphRoll, GroupSeen, Key, Slow, Upstream as _};
use axon_azure::{
    ArmParts, Base, Cloud, CloudName, Entra, Identity, Ingestion, LogParts, Platform, Resource, ServiceIds,
    Tokens, Wire, WorkspaceParts, around, azure_rbac, workspace,
};
use axon_model::{IdSource, SystemClock};
use axon_reconcile::{InspectScope, Target};
use secrecy::SecretString;

/// The values of these variables; none, and a line that says why, where one is missing. It is written past the test harness, which
/// shows nothing of tests that pass.
fn given<const N: usize>(test: &str, names: [&str; N]) -> Option<[String; N]> {
    let whole = names.map(|name| format!("AXON_LIVE_AZURE_{name}"));
    if let Some(missing) = whole.iter().find(|name| std::env::var(name).is_err()) {
        let line = format!("{test} is SKIPPED: {missing} is not set (docs/AZURE.md)\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
        return None;
    }
    Some(whole.map(|name| std::env::var(name).unwrap_or_default()))
}

fn tokens(wire: &Wire, [tenant, client_id, secret]: [String; 3]) -> Tokens {
    let identity = Identity::Secret { tenant, client_id, secret: SecretString::from(secret) };
    let (cloud, ids) = (Cloud::named(CloudName::Public), Arc::new(IdSource::Random));
    Tokens::new(identity, Platform::default(), cloud, wire.clone(), Arc::new(SystemClock), ids)
}

fn entra(wire: &Wire, tokens: &Tokens) -> Arc<Entra> {
    let cloud = Cloud::named(CloudName::Public);
    Arc::new(Entra::new(&cloud.graph, wire.clone(), tokens.of(Resource::Graph).into(), Arc::new(SystemClock)))
}

async fn look(target: &dyn Target) {
    let seen = target.inspect(InspectScope::Full).await.expect("a look");
    assert!(!seen.graph.members.is_empty(), "somebody administers it: {:?}", seen.unseen);
    assert!(!seen.unseen.iter().any(|line| line.contains("does not say who Axon is")), "{:?}", seen.unseen);
}

#[tokio::test]
async fn every_resource_has_a_token() {
    let Some(application) = given("every_resource_has_a_token", ["TENANT", "CLIENT", "SECRET"]) else {
        return;
    };
    let tokens = tokens(&Wire::new().unwrap(), application);
    for resource in Resource::ALL {
        tokens.token(resource).await.unwrap_or_else(|fault| panic!("{resource}: {fault}"));
    }
}

#[tokio::test]
async fn a_workspace_is_read() {
    let names = ["TENANT", "CLIENT", "SECRET", "WORKSPACE"];
    let Some([tenant, client, secret, address]) = given("a_workspace_is_read", names) else { return };
    let wire = Wire::new().unwrap();
    let tokens = tokens(&wire, [tenant, client, secret]);
    let parts = WorkspaceParts {
        endpoint: Base::parse(&address).unwrap(),
        name: None,
        bearer: tokens.of(Resource::Synapse).into(),
        entra: Some(entra(&wire, &tokens)),
        wire,
        clock: Arc::new(SystemClock),
    };
    look(&workspace("live", parts).unwrap()).await;
}

#[tokio::test]
async fn a_scope_is_read() {
    let names = ["TENANT", "CLIENT", "SECRET", "SCOPE"];
    let Some([tenant, client, secret, scope]) = given("a_scope_is_read", names) else { return };
    let wire = Wire::new().unwrap();
    let tokens = tokens(&wire, [tenant, client, secret]);
    let parts = ArmParts {
        arm: Cloud::named(CloudName::Public).arm,
        scope,
        custom: BTreeMap::new(),
        elsewhere: BTreeSet::new(),
        bearer: tokens.of(Resource::Arm).into(),
        entra: Some(entra(&wire, &tokens)),
        wire,
        clock: Arc::new(SystemClock),
    };
    look(&azure_rbac("live", parts).unwrap()).await;
}

#[tokio::test]
async fn a_group_is_read_for_parity() {
    let names = ["TENANT", "CLIENT", "SECRET", "GROUP"];
    let Some([tenant, client, secret, group]) = given("a_group_is_read_for_parity", names) else { return };
    let wire = Wire::new().unwrap();
    let tokens = tokens(&wire, [tenant, client, secret]);
    let (roll, key) =
        (GraphRoll::new(entra(&wire, &tokens)), Key { external_id: Some(group), name: String::new() });
    let seen = roll.group(&key, &mut Slow::new(100, 600)).await.expect("a look");
    assert!(matches!(seen, GroupSeen::There(_)), "{seen:?}");
}

#[tokio::test]
async fn an_application_and_its_credentials_are_read() {
    let names = ["TENANT", "CLIENT", "SECRET", "APPLICATION"];
    let test = "an_application_and_its_credentials_are_read";
    let Some([tenant, client, secret, application]) = given(test, names) else { return };
    let wire = Wire::new().unwrap();
    let entra = entra(&wire, &tokens(&wire, [tenant, client, secret]));
    let id = application.parse().expect("a GUID");
    let ids = ServiceIds { name: "live".into(), client_id: Some(id), object_id: None };
    let found = entra.service_identity(&ids).await.expect("an answer").expect("an application");
    assert_eq!(found.client_id, Some(id));
    entra.federation(id).await.expect("its credentials");
}

#[tokio::test]
async fn a_machine_s_identity_has_tokens() {
    let Some(_) = given("a_machine_s_identity_has_tokens", ["MANAGED"]) else { return };
    let platform = Platform::read(|name| std::env::var(name).ok()).unwrap();
    let (cloud, ids) = (Cloud::named(CloudName::Public), Arc::new(IdSource::Random));
    let identity = Identity::Managed { client_id: None };
    let tokens = Tokens::new(identity, platform, cloud, Wire::new().unwrap(), Arc::new(SystemClock), ids);
    for resource in Resource::ALL {
        tokens.token(resource).await.unwrap_or_else(|fault| panic!("{resource}: {fault}"));
    }
}

#[tokio::test]
async fn the_ways_around_a_workspace_are_read() {
    let names = ["TENANT", "CLIENT", "SECRET", "RESOURCE"];
    let Some([tenant, client, secret, scope]) = given("the_ways_around_a_workspace_are_read", names) else {
        return;
    };
    let wire = Wire::new().unwrap();
    let tokens = tokens(&wire, [tenant, client, secret]);
    let parts = ArmParts {
        arm: Cloud::named(CloudName::Public).arm,
        scope,
        custom: BTreeMap::new(),
        elsewhere: BTreeSet::new(),
        bearer: tokens.of(Resource::Arm).into(),
        entra: None,
        wire,
        clock: Arc::new(SystemClock),
    };
    let around = around(parts).await.expect("a look");
    assert!(around.workspace.is_some() && around.unseen.is_empty(), "{:?}", around.unseen);
}

#[tokio::test]
async fn a_stream_would_take_rows() {
    let names = ["TENANT", "CLIENT", "SECRET", "LOG", "RULE", "STREAM"];
    let Some([tenant, client, secret, address, rule, stream]) = given("a_stream_would_take_rows", names)
    else {
        return;
    };
    let wire = Wire::new().unwrap();
    let tokens = tokens(&wire, [tenant, client, secret]);
    let parts = LogParts {
        endpoint: Base::parse(&address).unwrap(),
        rule,
        stream,
        bearer: tokens.of(Resource::Monitor).into(),
        wire,
        clock: Arc::new(SystemClock),
    };
    Ingestion::new(parts).unwrap().check("live").await.expect("it takes a call without rows");
}
