use super::*;
use crate::testing::{Reply, Request, Server, Static, clock};

const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);
const KIM: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const TEAM: &str = "bbbbbbbb-0000-0000-0000-000000000001";
const TWIN: &str = "bbbbbbbb-0000-0000-0000-000000000002";
const LOADER: &str = "cccccccc-0000-0000-0000-000000000001";
const CLIENT: &str = "dddddddd-0000-0000-0000-000000000001";

const RUNNER: &str = "cccccccc-0000-0000-0000-000000000002";
const ACTIVE: &str = "dddddddd-0000-0000-0000-000000000002";

fn missing() -> Reply {
    Reply::status(404, r#"{"error":{"code":"Request_ResourceNotFound","message":"Resource does not exist"}}"#)
}

fn group(id: &str, security: bool) -> String {
    format!(r#"{{"id":"{id}","displayName":"SG-Data","securityEnabled":{security}}}"#)
}

fn answers(request: &Request) -> Reply {
    let filter = request.query("$filter").unwrap_or_default();
    let person = format!(
        r#"{{"id":"{KIM}","userPrincipalName":"kim@acme.com","displayName":"Kim","accountEnabled":true}}"#
    );
    match (request.method.as_str(), request.path(), filter.as_str()) {
        ("GET", "/v1.0/users/kim%40acme.com", _) => Reply::ok(&person),
        ("GET", "/v1.0/users", "mail eq 'o''neil@partner.com'") => Reply::ok(&format!(
            r#"{{"value":[{{"id":"{KIM}","userPrincipalName":"o_partner.com#EXT#@acme.com","userType":"Guest"}}]}}"#
        )),
        ("GET", "/v1.0/groups", "displayName eq 'SG-Data'") => {
            Reply::ok(&format!(r#"{{"value":[{}]}}"#, group(TEAM, true)))
        }
        ("GET", "/v1.0/groups", "displayName eq 'Twins'") => {
            let next =
                format!("http://{}/v1.0/groups?$skiptoken=2", request.header("host").unwrap_or_default());
            Reply::ok(&format!(r#"{{"value":[{}],"@odata.nextLink":"{next}"}}"#, group(TEAM, true)))
        }
        ("GET", "/v1.0/groups", "displayName eq 'Elsewhere'") => {
            Reply::ok(r#"{"value":[],"@odata.nextLink":"http://127.0.0.1:9/v1.0/groups"}"#)
        }
        ("GET", "/v1.0/groups", "displayName eq 'List'") => {
            Reply::ok(&format!(r#"{{"value":[{}]}}"#, group(TEAM, false)))
        }
        ("GET", "/v1.0/groups", "displayName eq 'Half'") => Reply::ok(r#"{"value":[{"id":"#),
        ("GET", "/v1.0/groups", _) if request.target.contains("skiptoken") => {
            Reply::ok(&format!(r#"{{"value":[{}]}}"#, group(TWIN, true)))
        }
        ("GET", "/v1.0/groups" | "/v1.0/users", _) => Reply::ok(r#"{"value":[]}"#),
        (
            "GET",
            "/v1.0/directory/deletedItems/microsoft.graph.user",
            "endsWith(userPrincipalName,'gone@acme.com')",
        ) => {
            let own = KIM.replace('-', "");
            Reply::ok(&format!(
                r#"{{"value":[{{"id":"{KIM}","userPrincipalName":"{own}gone@acme.com","deletedDateTime":"2026-11-20T08:00:00Z"}},
                   {{"id":"{TWIN}","userPrincipalName":"not.gone@acme.com"}}]}}"#
            ))
        }
        ("GET", "/v1.0/directory/deletedItems/microsoft.graph.group", "displayName eq 'SG-Old'") => {
            Reply::ok(&format!(r#"{{"value":[{{"id":"{TEAM}","deletedDateTime":"2026-11-21T08:00:00Z"}}]}}"#))
        }
        ("GET", path, _) if path == format!("/v1.0/directory/deletedItems/{TWIN}") => {
            Reply::ok(&format!(r#"{{"id":"{TWIN}","deletedDateTime":"2026-11-19T08:00:00Z"}}"#))
        }
        ("GET", path, _) if path == format!("/v1.0/servicePrincipals(appId='{ACTIVE}')") => {
            Reply::ok(&format!(r#"{{"id":"{RUNNER}","appId":"{ACTIVE}","displayName":"runner"}}"#))
        }
        ("POST", "/v1.0/directoryObjects/getByIds", _) if request.body.contains(RUNNER) => {
            Reply::ok(&format!(
                r##"{{"value":[{{"@odata.type":"#microsoft.graph.servicePrincipal","id":"{RUNNER}","appId":"{ACTIVE}","displayName":"runner"}}]}}"##
            ))
        }
        ("GET", path, _) if path == format!("/v1.0/servicePrincipals(appId='{CLIENT}')") => {
            Reply::ok(&format!(
                r#"{{"id":"{LOADER}","appId":"{CLIENT}","displayName":"loader","accountEnabled":false}}"#
            ))
        }
        ("POST", "/v1.0/directoryObjects/getByIds", _) => Reply::ok(&format!(
            r##"{{"value":[{{"@odata.type":"#microsoft.graph.user","id":"{KIM}","userPrincipalName":"kim@acme.com"}},
               {{"@odata.type":"#microsoft.graph.device","id":"{TEAM}"}}]}}"##
        )),
        _ => missing(),
    }
}

fn entra(server: &Server, clock: Arc<axon_model::ManualClock>) -> Entra {
    Entra::new(server.base(), Wire::new().unwrap(), Static::bearer(), clock)
}

async fn told(entra: &Entra, clue: Clue) -> String {
    match entra.find(&clue).await {
        Ok((found, _)) => match found.usable(&clue) {
            Ok(object) => object.told(),
            Err(why) => why,
        },
        Err(fault) => fault.to_string(),
    }
}

#[tokio::test]
async fn people_groups_and_service_identities_are_found_and_doubts_are_sentences() {
    let server = Server::start(answers).await;
    let entra = entra(&server, clock(NOW));
    let mut lines = Vec::new();
    for clue in [
        Clue::Person("kim@acme.com".into()),
        Clue::Person("o'neil@partner.com".into()),
        Clue::Person("nobody@acme.com".into()),
        Clue::Person("$odd@acme.com".into()),
        Clue::Group("SG-Data".into()),
        Clue::Group("Twins".into()),
        Clue::Group("List".into()),
        Clue::Group("None\u{202e}".into()),
        Clue::Group("Half".into()),
        Clue::Person("gone@acme.com".into()),
        Clue::Group("SG-Old".into()),
        Clue::Client(CLIENT.parse().unwrap()),
    ] {
        lines.push(told(&entra, clue).await);
    }
    insta::assert_snapshot!("found", lines.join("\n"));
    insta::assert_snapshot!("asked", server.golden());
}

#[tokio::test]
async fn a_next_page_at_another_address_gets_no_token() {
    let server = Server::start(answers).await;
    let text = told(&entra(&server, clock(NOW)), Clue::Group("Elsewhere".into())).await;
    assert!(text.ends_with("at another address: it is not followed"), "{text}");
}

#[tokio::test]
async fn what_was_found_is_kept_for_an_hour_and_what_was_not_for_a_minute() {
    let server = Server::start(answers).await;
    let clock = clock(NOW);
    let entra = entra(&server, clock.clone());
    let (kim, nobody) = (Clue::Person("kim@acme.com".into()), Clue::Group("nobody".into()));
    for _ in 0..3 {
        entra.find(&kim).await.unwrap();
        entra.find(&nobody).await.unwrap();
    }
    assert_eq!(server.seen().len(), 3, "of whom there is nobody it is asked whether somebody was deleted");
    clock.advance(time::Duration::minutes(2));
    let (_, at) = entra.find(&kim).await.unwrap();
    assert_eq!(at, NOW, "the answer has its age");
    entra.find(&nobody).await.unwrap();
    assert_eq!(server.seen().len(), 5);
    clock.advance(time::Duration::hours(1));
    entra.find(&kim).await.unwrap();
    assert_eq!(server.seen().len(), 6);
    entra.forget(KIM.parse().unwrap());
    entra.find(&kim).await.unwrap();
    assert_eq!(server.seen().len(), 7);
}

#[tokio::test]
async fn who_has_an_id_is_asked_for_many_at_once_and_one_by_one_where_that_is_not_served() {
    let server = Server::start(answers).await;
    let ids: BTreeSet<Guid> = [KIM, TWIN].map(|id| id.parse().unwrap()).into();
    let found = entra(&server, clock(NOW)).by_ids(&ids).await.unwrap();
    assert_eq!(found[&KIM.parse().unwrap()].as_ref().unwrap().name, "kim@acme.com");
    assert_eq!(found[&TWIN.parse().unwrap()], None);
    insta::assert_snapshot!("by_ids", server.golden());
    let old = Server::start(|request| match request.path() {
        path if path == format!("/v1.0/groups/{TWIN}") => Reply::ok(&group(TWIN, true)),
        _ => missing(),
    })
    .await;
    let found = entra(&old, clock(NOW)).by_ids(&ids).await.unwrap();
    assert_eq!(found[&KIM.parse().unwrap()], None);
    assert_eq!(found[&TWIN.parse().unwrap()].as_ref().unwrap().kind, EntryKind::Group);
}

#[tokio::test]
async fn where_graph_is_not_permitted_it_says_what_to_grant() {
    let denied = r#"{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}"#;
    let server = Server::start(move |_| Reply::status(403, denied)).await;
    let clock = clock(NOW);
    let entra = entra(&server, clock.clone());
    for n in 0..100 {
        let text = told(&entra, Clue::Group(format!("SG-{n}"))).await;
        assert!(text.contains("Directory Readers") && text.contains("`object_id`"), "{text}");
    }
    assert_eq!(server.seen().len(), 1, "who may not ask does not ask on");
    clock.advance(DENIED);
    told(&entra, Clue::Group("SG-Data".into())).await;
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn client_ids_and_object_ids_are_told_apart() {
    let server = Server::start(answers).await;
    let entra = entra(&server, clock(NOW));
    let ids = |client: Option<&str>, object: Option<&str>| ServiceIds {
        name: "runner".into(),
        client_id: client.map(|id| id.parse().unwrap()),
        object_id: object.map(|id| id.parse().unwrap()),
    };
    let mut told = Vec::new();
    for ids in [
        ids(Some(ACTIVE), None),
        ids(None, Some(RUNNER)),
        ids(Some(ACTIVE), Some(RUNNER)),
        // The one where the other belongs.
        ids(Some(RUNNER), None),
        ids(None, Some(ACTIVE)),
        ids(Some(CLIENT), Some(RUNNER)),
        // Disabled, of another kind, deleted, never there.
        ids(Some(CLIENT), None),
        ids(None, Some(KIM)),
        ids(None, Some(TWIN)),
        ids(None, Some(TEAM)),
    ] {
        told.push(match entra.service_identity(&ids).await.unwrap() {
            Ok(one) => one.told(),
            Err(why) => why,
        });
    }
    insta::assert_snapshot!("service_ids", told.join("\n"));
}
