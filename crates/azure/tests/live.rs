//! Against a real Azure, for whoever has one: only reads. Run with
//! `AXON_LIVE_TENANT=… AXON_LIVE_CLIENT=… AXON_LIVE_SECRET=… cargo test -p axon-azure --test live -- --ignored`, and with
//! `AXON_LIVE_WORKSPACE` (its https address) or `AXON_LIVE_SCOPE` (a scope of Resource Manager) for the parts that want one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_azure::{
    ArmParts, Base, Cloud, CloudName, Entra, Identity, Platform, Resource, Tokens, Wire, WorkspaceParts,
    azure_rbac, workspace,
};
use axon_model::{IdSource, SystemClock};
use axon_reconcile::{InspectScope, Target};
use secrecy::SecretString;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn tokens(wire: &Wire) -> Tokens {
    let identity = Identity::Secret {
        tenant: variable("AXON_LIVE_TENANT"),
        client_id: variable("AXON_LIVE_CLIENT"),
        secret: SecretString::from(variable("AXON_LIVE_SECRET")),
    };
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
#[ignore = "needs an application of a real tenant"]
async fn every_resource_has_a_token() {
    let tokens = tokens(&Wire::new().unwrap());
    for resource in Resource::ALL {
        tokens.token(resource).await.unwrap_or_else(|fault| panic!("{resource}: {fault}"));
    }
}

#[tokio::test]
#[ignore = "needs a real workspace"]
async fn a_workspace_is_read() {
    let wire = Wire::new().unwrap();
    let tokens = tokens(&wire);
    let parts = WorkspaceParts {
        endpoint: Base::parse(&variable("AXON_LIVE_WORKSPACE")).unwrap(),
        name: None,
        bearer: tokens.of(Resource::Synapse).into(),
        entra: Some(entra(&wire, &tokens)),
        wire,
        clock: Arc::new(SystemClock),
    };
    look(&workspace("live", parts).unwrap()).await;
}

#[tokio::test]
#[ignore = "needs a real scope of Azure Resource Manager"]
async fn a_scope_is_read() {
    let wire = Wire::new().unwrap();
    let tokens = tokens(&wire);
    let parts = ArmParts {
        arm: Cloud::named(CloudName::Public).arm,
        scope: variable("AXON_LIVE_SCOPE"),
        custom: BTreeMap::new(),
        elsewhere: BTreeSet::new(),
        bearer: tokens.of(Resource::Arm).into(),
        entra: Some(entra(&wire, &tokens)),
        wire,
        clock: Arc::new(SystemClock),
    };
    look(&azure_rbac("live", parts).unwrap()).await;
}
