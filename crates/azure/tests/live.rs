//! Against a real Azure, for whoever has one: only reads. `AXON_LIVE_AZURE_TENANT`, `…_CLIENT` and `…_SECRET` are an application;
//! `…_WORKSPACE` (an https address), `…_SCOPE` (of Resource Manager), `…_GROUP` (an object id) and `…_APPLICATION` (a client id) are
//! what the single tests look at. A test whose variables are not set says so and does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_azure::parity::{GraphRoll, GroupSeen, Key, Slow, Upstream as _};
use axon_azure::{
    ArmParts, Base, Cloud, CloudName, Entra, Identity, Platform, Resource, ServiceIds, Tokens, Wire,
    WorkspaceParts, azure_rbac, workspace,
};
use axon_model::{IdSource, SystemClock};
use axon_reconcile::{InspectScope, Target};
use secrecy::SecretString;

/// The values of these variables; none, and a line that says why, where one is missing.
#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
fn given<const N: usize>(test: &str, names: [&str; N]) -> Option<[String; N]> {
    let whole = names.map(|name| format!("AXON_LIVE_AZURE_{name}"));
    if let Some(missing) = whole.iter().find(|name| std::env::var(name).is_err()) {
        eprintln!("{test} is skipped: {missing} is not set");
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
