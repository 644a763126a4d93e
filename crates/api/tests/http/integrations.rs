//! Work on integrations whose server was stopped, by a clock that is moved.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_api::integrations::{
    Config, Entry, Integrations, Keep, Login, Moment, Old, Script, Taken, Validation, Workbench,
};
use axon_model::Clock;
use axon_store::integrations::{AddedIntegration, Integration, IntegrationBody, IntegrationStatus, Made};
use axon_store::{Act, IntegrationStore as _, StateStore as _};
use serde_json::{Value, json};
use time::Duration as Span;

use crate::kit::{LIMITS, Server};

/// Pools of which nothing is told but when they were looked at.
struct Watch(Arc<dyn Clock>);

const NOTHING: &str = "nothing is done here";

#[async_trait]
impl Workbench for Watch {
    async fn script(
        &self,
        _: Script,
        _: &Config,
        _: Option<&Config>,
        _: Option<Entry<'_>>,
    ) -> Result<String, String> {
        Err(NOTHING.to_owned())
    }

    async fn validate(&self, _: &Config, _: Entry<'_>, _: Moment) -> Validation {
        let now = self.0.now().to_string();
        Validation::of(vec![
            json!({ "name": "Validate Axon System Account", "status": "passed", "message": now }),
        ])
    }

    fn keeps(&self) -> Result<(), String> {
        Err(NOTHING.to_owned())
    }

    async fn bring_up(
        &self,
        _: u64,
        _: &Config,
        _: Option<Old<'_>>,
        _: &Login,
        _: Option<&Login>,
        _: &mut Made,
        _: &Keep<'_>,
    ) -> Result<Option<Value>, String> {
        Err(NOTHING.to_owned())
    }

    async fn keep(&self, _: u64, _: &Login) -> Result<Value, String> {
        Err(NOTHING.to_owned())
    }

    async fn take_down(&self, _: &Config, _: &Login, _: &Made, _: &Act) -> Result<Taken, String> {
        Err(NOTHING.to_owned())
    }

    async fn renew(&self, _: u64, _: &Config, _: &Login) -> Result<Value, String> {
        Err(NOTHING.to_owned())
    }

    async fn forget(&self, _: u64) {}

    fn target_of(&self, _: &Config) -> Option<String> {
        None
    }

    fn filters_tables(&self, _: &Config) -> bool {
        false
    }
}

fn body(database: &str) -> IntegrationBody {
    let config = json!({
        "host": "acme.example", "port": 1433, "database": database, "schema": "secure", "impersonation": null,
        "marks": null, "plain": false, "account": "axon_system_dw", "account_kind": "sql", "entered": "userPassword",
    });
    IntegrationBody {
        host: "acme.example".into(),
        port: 1433,
        database: database.into(),
        automatic: true,
        config,
        validation: json!({ "status": "passed" }),
        layout: 1,
        ..IntegrationBody::default()
    }
}

async fn added(server: &Server, body: IntegrationBody) -> Integration {
    match server.store.add_integration(body, server.act()).await.expect("kept") {
        AddedIntegration::New(new) => new,
        other => panic!("a free place: {other:?}"),
    }
}

/// Waits until all were gone over after the clock was moved: the one in use is the last of them, and tells when.
async fn gone_over(server: &Server, last: u64) {
    let now = server.clock.now().to_string();
    let seen = async {
        loop {
            let found = server.store.integration(last).await.expect("read").expect("there");
            if found.body.validation["validationTests"][0]["message"] == now {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("they are gone over");
}

#[tokio::test]
async fn work_is_given_up_when_nobody_holds_its_lease_any_more_and_not_before() {
    let server = Server::with(LIMITS, |parts| {
        let bench = Arc::new(Watch(parts.clock.clone()));
        let settings = Integrations::new(bench, Vec::new(), Duration::from_millis(10), 20);
        parts.integrations = Some(Arc::new(settings));
    })
    .await;
    let made = Made {
        login: true,
        user: true,
        owner: true,
        schemas: ["secure".to_owned()].into(),
        ..Made::default()
    };
    let row = added(&server, IntegrationBody { made: Some(made.clone()), ..body("dw") }).await;
    let used =
        added(&server, IntegrationBody { login: Some(json!({ "kind": "userPassword" })), ..body("last") })
            .await;
    let in_use = IntegrationStatus::Enabled;
    let used = server.store.change_integration(used.id, used.version, in_use, used.body, server.act()).await;
    let used = used.expect("kept").expect("of this version").id;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let keeper = tokio::spawn(server.api.clone().keep_integrations(stopped));

    // Whoever works on it prolongs its lease, however long that lasts.
    let (name, long) = (format!("#integration-{}", row.id), Span::seconds(30));
    let lease = server.store.try_lease(&name, "another server", long, server.clock.now()).await;
    let mut lease = lease.expect("asked").expect("free");
    for _ in 0..40 {
        server.clock.advance(Span::seconds(25));
        let longer = server.store.renew_lease(&lease, long, server.clock.now()).await;
        lease = longer.expect("asked").expect("held");
    }
    gone_over(&server, used).await;
    let status = async || server.store.integration(row.id).await.expect("read").expect("there");
    assert_eq!(status().await.status, IntegrationStatus::Creating, "after a quarter of an hour");

    // Then it is stopped, and nobody does.
    server.clock.advance(Span::seconds(29));
    gone_over(&server, used).await;
    assert_eq!(status().await.status, IntegrationStatus::Creating);
    server.clock.advance(Span::seconds(1));
    gone_over(&server, used).await;
    let given_up = status().await;
    assert_eq!(given_up.status, IntegrationStatus::CreateError);
    assert_eq!(given_up.body.made, Some(made), "a delete takes it");
    let told = given_up.body.trouble.unwrap();
    for words in
        ["was stopped", "the login axon_system_dw", "the user axon_owner", "the schema secure", "Delete it"]
    {
        assert!(told.contains(words), "{told}");
    }
    // One whose work nobody has begun yet is waited for as long.
    let row = added(&server, body("late")).await;
    let server_of = server.store.integration(row.id).await.expect("read").expect("there");
    assert_eq!(server_of.status, IntegrationStatus::Creating);
    server.clock.advance(long);
    let used = added(&server, IntegrationBody { login: Some(json!({})), ..body("later") }).await;
    let used = server.store.change_integration(used.id, used.version, in_use, used.body, server.act()).await;
    gone_over(&server, used.expect("kept").expect("of this version").id).await;
    let told = server.store.integration(row.id).await.expect("read").expect("there");
    assert_eq!(told.status, IntegrationStatus::CreateError);
    assert!(told.body.trouble.unwrap().contains("nothing was made"));
    stop.send(true).unwrap();
    keeper.await.unwrap();
}
