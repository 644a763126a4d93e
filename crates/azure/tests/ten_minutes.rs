//! A service that answers 429 for ten minutes, each in its turn: it is left alone, the others go on, and it is used again after.
//! The emulator's neighbours throttle, and both sides have one clock that the test moves.
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use axon_azure::parity::{GraphRoll, Key, Slow, Upstream as _};
use axon_azure::{
    ArmParts, AssignedTarget, Base, Batch, Cloud as Places, CloudName, Entra, Identity, Ingestion, LogParts,
    MOST_CALL, Platform, Resource, Tokens, Wire, WorkspaceParts, azure_rbac, workspace,
};
use axon_emulator::cloud::Cloud;
use axon_emulator::cloud::service::Service;
use axon_emulator::cloud::throttle::Limit;
use axon_emulator::http::Neighbours;
use axon_emulator::{Directory, Pool, PoolConfig};
use axon_model::{Clock as _, IdSource, ManualClock};
use axon_reconcile::{InspectScope, Target as _};
use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);
const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const OWN: &str = "33333333-3333-3333-3333-333333333333";
const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";
const PLACE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/axon";
const FACTORY: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/acme";

/// The neighbours' time is the product's.
struct Shared(Arc<ManualClock>);

impl axon_emulator::clock::Clock for Shared {
    fn now(&self) -> OffsetDateTime {
        self.0.now()
    }
}

struct Stage {
    cloud: Arc<Cloud>,
    clock: Arc<ManualClock>,
    tokens: Tokens,
    machine: Tokens,
    base: Base,
    roll: GraphRoll,
    workspace: AssignedTarget,
    factory: AssignedTarget,
    log: Ingestion,
    _neighbours: Neighbours,
}

fn cloud(clock: &Arc<ManualClock>) -> Arc<Cloud> {
    let directory = json!({
        "groups": [{"displayName": "SG-Data", "objectId": "aaaaaaaa-0000-0000-0000-000000000001"}],
        "apps": [{"displayName": "axon", "appId": CLIENT, "objectId": OWN, "secrets": [{"value": "right-secret"}]}],
    });
    let row = |n: u32, scope: &str, role: &str| {
        json!({"name": format!("55555555-5555-5555-5555-{n:012}"), "scope": scope, "role": role, "principalId": OWN,
            "principalType": "ServicePrincipal"})
    };
    let state = json!({
        "tenantId": TENANT, "managedIdentities": [CLIENT], "subscriptions": ["s"],
        "workspaces": [{"name": "acme", "assignments": [{"id": "44444444-4444-4444-4444-444444444444",
            "roleDefinitionId": "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78", "principalId": OWN, "scope": "workspaces/acme"}]}],
        "assignments": [row(1, "/subscriptions/s", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"),
            row(2, PLACE, "3913510d-42f4-4e42-8a64-420c390055eb")],
        "rules": [{"immutableId": RULE, "resourceId": PLACE, "streams": ["Custom-Axon_CL"]}],
    });
    let mut config = PoolConfig::new("sa", "secret");
    config.directory = Directory::parse(&directory.to_string()).unwrap();
    config.clock = Arc::new(Shared(clock.clone()));
    Cloud::new(Pool::new(config), serde_json::from_value(state).unwrap())
}

impl Stage {
    async fn set() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let cloud = cloud(&clock);
        let neighbours = Neighbours::start("127.0.0.1:0".parse().unwrap(), cloud.clone()).await.unwrap();
        let base = Base::parse(&format!("http://{}", neighbours.address())).unwrap();
        let wire = Wire::new().unwrap();
        let places =
            Places { authority: base.clone(), imds: base.clone(), ..Places::named(CloudName::Public) };
        let tokens = |identity| {
            let ids = Arc::new(IdSource::Random);
            Tokens::new(identity, Platform::default(), places.clone(), wire.clone(), clock.clone(), ids)
        };
        let own = tokens(Identity::Secret {
            tenant: TENANT.into(),
            client_id: CLIENT.into(),
            secret: SecretString::from("right-secret"),
        });
        let machine = tokens(Identity::Managed { client_id: None });
        let entra = || Entra::new(&base, wire.clone(), own.of(Resource::Graph).into(), clock.clone());
        let workspace_parts = WorkspaceParts {
            endpoint: base.clone(),
            name: Some("acme".into()),
            bearer: own.of(Resource::Synapse).into(),
            wire: wire.clone(),
            clock: clock.clone(),
            entra: Some(Arc::new(entra())),
        };
        let arm_parts = ArmParts {
            arm: base.clone(),
            scope: FACTORY.into(),
            custom: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            bearer: own.of(Resource::Arm).into(),
            wire: wire.clone(),
            clock: clock.clone(),
            entra: Some(Arc::new(entra())),
        };
        let log_parts = LogParts {
            endpoint: base.clone(),
            rule: RULE.into(),
            stream: "Custom-Axon_CL".into(),
            bearer: own.of(Resource::Monitor).into(),
            wire: wire.clone(),
            clock: clock.clone(),
        };
        Self {
            roll: GraphRoll::new(Arc::new(entra())),
            workspace: workspace("workspace", workspace_parts).unwrap(),
            factory: azure_rbac("factory", arm_parts).unwrap(),
            log: Ingestion::new(log_parts).unwrap(),
            base: base.clone(),
            cloud,
            tokens: own,
            machine,
            clock,
            _neighbours: neighbours,
        }
    }

    /// Something that needs this service and nothing else that is not there yet.
    async fn ask(&self, service: Service) -> Result<(), String> {
        match service {
            Service::Authority => {
                // A token that was refused is asked for anew; of no service below.
                self.tokens.refused(Resource::Sql);
                self.tokens.token(Resource::Sql).await.map(drop).map_err(|fault| fault.to_string())
            }
            Service::Imds => {
                self.machine.refused(Resource::Arm);
                self.machine.token(Resource::Arm).await.map(drop).map_err(|fault| fault.to_string())
            }
            Service::Graph => {
                let key = Key { external_id: None, name: "SG-Data".into() };
                let seen = self.roll.group(&key, &mut Slow::new(100, 60_000)).await;
                seen.map(drop).map_err(|fault| fault.to_string())
            }
            Service::Synapse => look(&self.workspace).await,
            Service::Arm => look(&self.factory).await,
            Service::Ingest => {
                let mut batch = Batch::of(MOST_CALL);
                assert!(batch.takes(r#"{"RecordId":"r1"}"#));
                self.log.send(&batch, "r1").await.map(drop).map_err(|fault| fault.to_string())
            }
            Service::AppService => Ok(()),
        }
    }

    /// Another scope of the same subscription, asked by the same identity.
    fn beside(&self, scope: &str, tokens: &Tokens) -> AssignedTarget {
        let parts = ArmParts {
            arm: self.base.clone(),
            scope: scope.into(),
            custom: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            bearer: tokens.of(Resource::Arm).into(),
            wire: Wire::new().unwrap(),
            clock: self.clock.clone(),
            entra: None,
        };
        azure_rbac("beside", parts).unwrap()
    }

    fn received(&self, service: Service) -> usize {
        self.cloud.records().iter().filter(|record| record.service == service).count()
    }
}

async fn look(target: &AssignedTarget) -> Result<(), String> {
    target.inspect(InspectScope::Full).await.map(drop).map_err(|error| error.to_string())
}

const EACH: [Service; 6] =
    [Service::Synapse, Service::Arm, Service::Graph, Service::Authority, Service::Imds, Service::Ingest];

#[tokio::test]
async fn ten_minutes_of_429_are_waited_out_by_one_and_by_nobody_else() {
    for throttled in EACH {
        let stage = Stage::set().await;
        for service in EACH {
            stage.ask(service).await.unwrap_or_else(|why| panic!("{service:?} works at first: {why}"));
        }
        stage.cloud.change(|state| state.limits = [(throttled, Limit { requests: 0, seconds: 600 })].into());
        let told = stage.ask(throttled).await.unwrap_err();
        assert!(told.contains("is asked too fast: it is left alone for 600 s"), "{throttled:?}: {told}");
        stage.cloud.clear_records();
        for minute in 1..10 {
            stage.clock.advance(Duration::minutes(1));
            let told = stage.ask(throttled).await.unwrap_err();
            let left = format!("left alone for {} s", 600 - minute * 60);
            assert!(told.contains(&left), "{throttled:?}: {told}");
            for service in EACH.into_iter().filter(|service| *service != throttled) {
                stage.ask(service).await.unwrap_or_else(|why| panic!("{service:?}: {why}"));
            }
        }
        assert_eq!(stage.received(throttled), 0, "{throttled:?} is not asked within its time");
        // The time is over, and the service takes requests again.
        stage.clock.advance(Duration::minutes(1));
        stage.cloud.change(|state| state.limits.clear());
        stage.ask(throttled).await.unwrap_or_else(|why| panic!("{throttled:?} is used again: {why}"));
        assert!(stage.received(throttled) > 0);
    }
}

#[tokio::test]
async fn an_old_token_is_used_while_the_endpoint_is_left_alone() {
    let stage = Stage::set().await;
    stage.ask(Service::Synapse).await.unwrap();
    stage.cloud.change(|state| {
        state.limits = [(Service::Authority, Limit { requests: 0, seconds: 600 })].into();
    });
    stage.cloud.clear_records();
    // It is to be renewed ahead, and holds for some minutes more.
    stage.clock.advance(Duration::minutes(55));
    for _ in 0..5 {
        stage.clock.advance(Duration::seconds(30));
        stage.ask(Service::Synapse).await.unwrap();
    }
    // The renewal runs beside; one for the workspace and one for Graph may have begun before the first was refused.
    let began = Instant::now();
    while stage.received(Service::Authority) == 0 {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "nobody asked for a new token");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for _ in 0..5 {
        stage.clock.advance(Duration::seconds(10));
        stage.ask(Service::Synapse).await.unwrap();
    }
    let asked = stage.received(Service::Authority);
    assert!((1..=2).contains(&asked), "{asked}");
}

#[tokio::test]
async fn what_one_target_is_told_holds_for_all_of_its_identity_and_for_no_other() {
    let stage = Stage::set().await;
    let beside: Vec<AssignedTarget> =
        ["lake", "plant"].map(|name| stage.beside(&FACTORY.replace("acme", name), &stage.tokens)).into();
    let other = stage.beside(FACTORY, &stage.machine);
    for target in beside.iter().chain([&stage.factory, &other]) {
        look(target).await.unwrap();
    }
    stage.cloud.change(|state| state.limits = [(Service::Arm, Limit { requests: 0, seconds: 600 })].into());
    stage.cloud.clear_records();
    look(&stage.factory).await.unwrap_err();
    assert_eq!(stage.received(Service::Arm), 1);
    stage.clock.advance(Duration::minutes(9));
    for target in &beside {
        let told = look(target).await.unwrap_err();
        assert!(told.contains("is asked too fast: it is left alone for 60 s"), "{told}");
    }
    assert_eq!(stage.received(Service::Arm), 1, "no target of the subscription sends within the time");
    look(&other).await.unwrap_err();
    assert_eq!(stage.received(Service::Arm), 2, "another identity was told nothing yet");
    stage.clock.advance(Duration::minutes(1));
    stage.cloud.change(|state| state.limits.clear());
    for target in &beside {
        look(target).await.unwrap();
    }
}
