//! Every kind of request as a file under `tests/golden`: method, path and query, headers, body. Somebody with an Azure can lay them
//! beside what it takes. `AXON_GOLDEN=write cargo test -p axon-azure golden` writes them anew.

mod beside;
mod kind;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use axon_model::IdSource;
use axon_reconcile::{Role, Target as _};
use secrecy::SecretString;
use serde_json::{Value, json};

use kind::Kind;

use super::fake::{Fake, State, desired, id, name};
use super::story::{applied, planned, steps};
use super::{Reply, Request, Server, Static, clock};
use crate::cloud::{Cloud, CloudName, Resource};
use crate::entra::{Clue, Entra, ServiceIds};
use crate::parity::{GraphRoll, Key, OktaRoll, Slow, Upstream as _};
use crate::token::certificate::tests::pem;
use crate::token::{Certificate, Identity, Platform, Tokens};
use crate::wire::Wire;
use crate::workspace::{WorkspaceParts, workspace};
use crate::{ArmParts, CustomRole, ManagedIdentities, azure_rbac};

const NOW: time::OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);
const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const NOBODY: &str = "ffffffff-0000-0000-0000-000000000009";
const FACTORY: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/data/providers/Microsoft.DataFactory/factories/acme";

/// Compares the requests of a service with its files, one file a kind of request, and says of each file that is of no request.
fn compare(service: &str, server: &Server) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(service);
    let writes = std::env::var("AXON_GOLDEN").is_ok_and(|word| word == "write");
    let mut shapes = BTreeMap::new();
    for request in server.seen() {
        let Kind { name, shape } = Kind::of(&request);
        let file = format!("{name}.http");
        // The file stands for each request of the kind.
        if let Some(first) = shapes.get(&file) {
            assert_eq!(shape, *first, "{service}/{file} stands for two kinds of request");
            continue;
        }
        shapes.insert(file.clone(), shape);
        let text = masked(&request.golden().replace(server.base().as_str(), "http://HOST")) + "\n";
        let path = folder.join(&file);
        if writes {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, text).unwrap();
            continue;
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, there, "{service}/{file} is another request now");
    }
    let names: BTreeSet<String> = shapes.into_keys().collect();
    let there: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    if writes {
        there.difference(&names).for_each(|old| std::fs::remove_file(folder.join(old)).unwrap());
    } else {
        assert_eq!(there, names, "{service}: files of no request");
    }
}

/// A signed assertion is another one each time.
fn masked(text: &str) -> String {
    let Some((head, rest)) = text.split_once("client_assertion=eyJ") else { return text.to_owned() };
    let end = rest.find('&').unwrap_or(rest.len());
    format!("{head}client_assertion=JWT{}", &rest[end..])
}

async fn shown(server: &Server, identity: Identity, platform: Platform) {
    let base = server.base().clone();
    let cloud = Cloud { authority: base.clone(), imds: base, ..Cloud::named(CloudName::Public) };
    let ids = Arc::new(IdSource::Random);
    let tokens = Tokens::new(identity, platform, cloud, Wire::new().unwrap(), clock(NOW), ids);
    for resource in Resource::ALL {
        tokens.token(resource).await.unwrap();
    }
}

#[tokio::test]
async fn golden_tokens() {
    let server =
        Server::start(|_| Reply::ok(r#"{"token_type":"Bearer","expires_in":3599,"access_token":"abc"}"#))
            .await;
    let (tenant, client_id) = (TENANT.to_owned(), CLIENT.to_owned());
    shown(&server, Identity::Managed { client_id: None }, Platform::default()).await;
    shown(&server, Identity::Managed { client_id: Some(CLIENT.into()) }, Platform::default()).await;
    let endpoint = server.base().at("/msi/token");
    let app_service = Platform::read(|variable| {
        Some(if variable == "IDENTITY_HEADER" { "h3ader".into() } else { endpoint.clone() })
    });
    let app_service = app_service.unwrap();
    shown(&server, Identity::Managed { client_id: None }, app_service.clone()).await;
    shown(&server, Identity::Managed { client_id: Some(CLIENT.into()) }, app_service).await;
    let secret = SecretString::from("s3cr&t=");
    let identity = Identity::Secret { tenant: tenant.clone(), client_id: client_id.clone(), secret };
    shown(&server, identity, Platform::default()).await;
    let certificate = Box::new(Certificate::parse(pem().0.as_bytes()).unwrap());
    shown(&server, Identity::Certificate { tenant, client_id, certificate }, Platform::default()).await;
    compare("tokens", &server);
}

fn azure() -> State {
    let row = |n: u32, principal: &str| json!({"id": id('e', n), "roleDefinitionId": id('f', 1), "principalId": principal, "scope": "workspaces/acme"});
    let assigned = |n: u32, principal: &str| {
        json!({"name": id('e', n), "id": format!("{FACTORY}/providers/Microsoft.Authorization/roleAssignments/{}", id('e', n)),
            "properties": {"roleDefinitionId": format!("/x/{}", id('f', 2)), "principalId": principal, "principalType": "User",
            "scope": FACTORY}})
    };
    let reader: Value = json!({"name": id('f', 2), "properties": {"roleName": "Reader", "type": "BuiltInRole",
        "permissions": [{"actions": ["*/read"]}]}});
    State {
        users: vec![(id('a', 1), "kim@acme.com".into()), (id('a', 2), "ana@acme.com".into())],
        groups: vec![(id('b', 1), "SG-Data".into())],
        services: vec![(id('c', 1), id('d', 1), "loader".into())],
        roles: vec![(id('f', 1), "Synapse User".into())],
        rows: vec![row(1, &id('a', 1)), row(2, &id('a', 2))],
        definitions: vec![reader],
        assignments: vec![assigned(1, &id('a', 1)), assigned(2, &id('a', 2))],
        page: 1,
        ..State::default()
    }
}

#[tokio::test]
async fn golden_workspace() {
    let (fake, clock) = (Fake::start(azure()).await, clock(NOW));
    let parts = WorkspaceParts {
        endpoint: fake.server.base().clone(),
        name: Some("acme".into()),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        entra: None,
        clock: clock.clone(),
    };
    let target = workspace("workspace", parts).unwrap();
    let group = id('b', 1);
    let people: Vec<(String, String)> = vec![("SG-Data".into(), group), ("ana@acme.com".into(), id('a', 2))];
    let people: Vec<(&str, Option<&str>)> =
        people.iter().map(|(who, pin)| (who.as_str(), Some(pin.as_str()))).collect();
    let wanted = desired(&people, &[("Synapse User", "SG-Data")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    applied(&target, steps(&plan)).await;
    clock.advance(time::Duration::seconds(2));
    target.settle().await;
    compare("workspace", &fake.server);
}

#[tokio::test]
async fn golden_azure() {
    let fake = Fake::start(azure()).await;
    let role = CustomRole::new(
        vec!["Microsoft.DataFactory/factories/read".into()],
        Vec::new(),
        Vec::new(),
        Vec::new(),
        "Runs and cancels".into(),
    );
    let parts = |custom| ArmParts {
        arm: fake.server.base().clone(),
        scope: FACTORY.into(),
        custom,
        elsewhere: BTreeSet::new(),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        entra: None,
        clock: clock(NOW),
    };
    let operator = name("Factory Operator");
    let target = azure_rbac("factory", parts([(operator, role.unwrap())].into())).unwrap();
    let (group, ana) = (id('b', 1), id('a', 2));
    let people = [("SG-Data", Some(group.as_str())), ("ana@acme.com", Some(ana.as_str()))];
    let mut wanted = desired(&people, &[("Reader", "SG-Data"), ("Factory Operator", "SG-Data")]);
    wanted.roles.insert(operator, Role::default());
    let (plan, _) = planned(&target, &wanted, &[]).await;
    applied(&target, steps(&plan)).await;
    // The role leaves the map.
    let without = azure_rbac("factory", parts([].into())).unwrap();
    let (plan, _) = planned(&without, &desired(&people, &[("Reader", "SG-Data")]), &[]).await;
    applied(&without, steps(&plan)).await;
    // A managed identity, of which this Azure has none.
    let managed =
        ManagedIdentities::new(fake.server.base(), Wire::new().unwrap(), Static::bearer(), clock(NOW));
    let identity = FACTORY
        .replace("Microsoft.DataFactory/factories", "Microsoft.ManagedIdentity/userAssignedIdentities");
    managed.federation(&identity).await.unwrap_err();
    compare("azure", &fake.server);
}

#[tokio::test]
async fn golden_graph() {
    let answers = |request: &Request| {
        let person = format!(
            r#"{{"id":"{}","userPrincipalName":"kim@acme.com","displayName":"SG-Data"}}"#,
            id('a', 1)
        );
        let found = ["/members", "/groups", "/users", "/servicePrincipals"]
            .iter()
            .any(|end| request.path().ends_with(end));
        let of_parity = request.target.contains("%20in%20") || request.path().ends_with("/members");
        match request.path() {
            // Nobody has this id, and who has it can only be asked one by one.
            _ if request.target.contains(NOBODY) || request.body.contains(NOBODY) => {
                Reply::status(404, r#"{"error":{"code":"Request_ResourceNotFound"}}"#)
            }
            path if path.contains("/groups/") && !path.ends_with("/members") => Reply::ok(&person),
            path if path.contains("federated") => Reply::ok(r#"{"value":[]}"#),
            _ if found && of_parity => Reply::ok(&format!(r#"{{"value":[{person}]}}"#)),
            _ if found || request.path().contains("getByIds") => Reply::ok(r#"{"value":[]}"#),
            path if path.contains("microsoft.graph.") => Reply::ok(r#"{"value":[]}"#),
            _ => Reply::status(404, r#"{"error":{"code":"Request_ResourceNotFound"}}"#),
        }
    };
    let server = Server::start(answers).await;
    let entra = Arc::new(Entra::new(server.base(), Wire::new().unwrap(), Static::bearer(), clock(NOW)));
    for clue in [
        Clue::Person("o'neil@acme.com".into()),
        Clue::Person("$odd@acme.com".into()),
        Clue::Group("SG-Data".into()),
        Clue::Service("loader".into()),
        Clue::Client(id('d', 1).parse().unwrap()),
    ] {
        entra.find(&clue).await.unwrap();
    }
    let ids =
        ServiceIds { name: "loader".into(), client_id: None, object_id: Some(id('c', 1).parse().unwrap()) };
    assert!(entra.service_identity(&ids).await.unwrap().is_err());
    entra.federation(id('d', 1).parse().unwrap()).await.unwrap();
    assert_eq!(entra.managed(id('d', 1).parse().unwrap()).await, Ok(None));
    let nobody = entra.by_ids(&[NOBODY.parse().unwrap()].into()).await.unwrap();
    assert!(nobody.values().all(Option::is_none), "{nobody:?}");
    let (roll, mut slow) = (GraphRoll::new(entra), Slow::new(100, 60_000));
    let key = |external: Option<String>, name: &str| Key { external_id: external, name: name.into() };
    roll.group(&key(Some(id('b', 1)), "SG-Data"), &mut slow).await.unwrap();
    roll.called(&key(None, "SG-Data"), &mut slow).await.unwrap();
    roll.group(&key(Some(NOBODY.into()), "SG-Old"), &mut slow).await.unwrap();
    roll.people(&[key(Some(id('a', 1)), "kim@acme.com"), key(None, "ana@acme.com")], &mut slow)
        .await
        .unwrap();
    compare("graph", &server);
}

#[tokio::test]
async fn golden_okta() {
    let answers = |request: &Request| {
        let user =
            r#"{"id":"00u1","status":"ACTIVE","profile":{"login":"kim@acme.com","email":"kim@acme.com"}}"#;
        let host = request.header("host").unwrap_or_default();
        match request.path() {
            "/api/v1/groups" => Reply::ok(r#"[{"id":"00g1","profile":{"name":"SG-Data"}}]"#),
            path if path.ends_with("/users") && !request.target.contains("after") => Reply::ok(&format!("[{user}]"))
                .header("Link", &format!("<http://{host}{path}?limit=200>; rel=\"self\", <http://{host}{path}?after=00u1&limit=200>; rel=\"next\"")),
            path if path.ends_with("/users") => Reply::ok("[]"),
            "/api/v1/users/00u9" => Reply::status(404, r#"{"errorCode":"E0000007"}"#),
            _ => Reply::ok(user),
        }
    };
    let server = Server::start(answers).await;
    let token = SecretString::from("00token");
    let roll = OktaRoll::new(server.base().clone(), Wire::new().unwrap(), &token, clock(NOW));
    let mut slow = Slow::new(100, 60_000);
    let key =
        |external: Option<&str>, name: &str| Key { external_id: external.map(Into::into), name: name.into() };
    let seen = roll.group(&key(None, "SG-Data"), &mut slow).await.unwrap();
    let crate::parity::GroupSeen::There(there) = seen else { panic!("{seen:?}") };
    assert_eq!((there.members.len(), slow.asked()), (1, 3), "both pages were read");
    let people = [key(Some("00u1"), "kim@acme.com"), key(Some("00u9"), "gone@acme.com")];
    let seen = roll.people(&people, &mut slow).await.unwrap();
    assert!(
        matches!(seen[..], [crate::parity::PersonSeen::There(_), crate::parity::PersonSeen::Missing]),
        "{seen:?}"
    );
    assert!(server.seen().iter().all(|request| request.method == "GET"), "it is only read");
    compare("okta", &server);
}

#[tokio::test]
async fn golden_okta_s_refusals_are_no_emptiness() {
    for (reply, word) in [
        (Reply::status(429, "{}").header("X-Rate-Limit-Reset", "1795342200"), "left alone for 600 s"),
        (Reply::status(401, r#"{"errorCode":"E0000011"}"#), "API token"),
        (Reply::ok(r#"{"errorCode":"E0000009","errorSummary":"Internal Server Error"}"#), "Okta answers 200"),
        (Reply::ok(r#"[{"id":"00g1","pro"#), "something else than was asked for"),
        (Reply::ok("[]").header("Link", "<http://127.0.0.1:9/api/v1/groups>; rel=\"next\""), "not followed"),
    ] {
        let server = Server::start(move |_| reply.clone()).await;
        let token = SecretString::from("00token");
        let roll = OktaRoll::new(server.base().clone(), Wire::new().unwrap(), &token, clock(NOW));
        let key = Key { external_id: None, name: "SG-Data".into() };
        let told = roll.group(&key, &mut Slow::new(9, 60_000)).await.unwrap_err().to_string();
        assert!(told.contains(word) && !told.contains("00token"), "{word}: {told}");
    }
}
