//! `/Groups`, verb by verb.

use serde_json::json;

use crate::kit::{NOBODY, Server};

#[tokio::test]
async fn a_group_is_answered_with_its_members_and_their_addresses() {
    let server = Server::start().await;
    let client = server.generic();
    let kim = client.user("kim").await;
    let inner = client.group("Inner", &[]).await;
    let body =
        json!({"displayName": "G", "externalId": "x", "members": [{"value": kim.id}, {"value": inner.id}]});
    let made = client.post("/Groups", body).await;
    assert_eq!(made.status, 201);
    assert_eq!(
        made.body["members"],
        json!([
            {"value": kim.id, "type": "User",
             "$ref": format!("https://axon.test/scim/v2/Users/{}", kim.id)},
            {"value": inner.id, "type": "Group",
             "$ref": format!("https://axon.test/scim/v2/Groups/{}", inner.id)},
        ])
    );
    let path = format!("/Groups/{}", made.body["id"].as_str().unwrap());
    assert_eq!(made.header("location"), format!("https://axon.test/scim/v2{path}"));
    let read = client.get(&path).await;
    assert_eq!(read.body, made.body);
    assert_eq!(client.find("/Groups", "displayName eq \"g\"").await.body["Resources"][0], made.body);
    let chosen = client.get(&format!("{path}?attributes=members.$ref")).await.ok(200);
    assert_eq!(chosen["members"][0], json!({"$ref": format!("https://axon.test/scim/v2/Users/{}", kim.id)}));
    let named = client.get(&format!("{path}?attributes=members.value,members.display")).await.ok(200);
    assert_eq!(named["members"][1], json!({"value": inner.id, "display": "Inner"}));
}

/// V27; Infisical#6525: a client that sees members although it asked not to may rewrite the group.
#[tokio::test]
async fn excluded_members_are_never_shown_by_any_verb() {
    let server = Server::start().await;
    let client = server.generic();
    let kim = client.user("kim").await;
    let group = client.group("G", &[&kim]).await;
    let query = "?excludedAttributes=members";
    let path = format!("{}{query}", group.path);
    let answers = [
        client
            .post(&format!("/Groups{query}"), json!({"displayName": "H", "members": [{"value": kim.id}]}))
            .await,
        client.get(&path).await,
        client.put(&path, json!({"displayName": "G2", "members": [{"value": kim.id}]})).await,
        client.patch(&path, json!([{"op": "replace", "path": "displayName", "value": "G3"}])).await,
    ];
    for answer in answers {
        assert!(matches!(answer.status, 200 | 201), "{}", answer.status);
        assert!(
            answer.body.get("members").is_none() && answer.body["displayName"].is_string(),
            "{}",
            answer.body
        );
    }
    for list in [
        "/Groups?excludedAttributes=members&filter=displayName+eq+%22G3%22",
        "/Groups?excludedAttributes=MEMBERS",
    ] {
        let listed = client.get(list).await;
        assert!(listed.total() > 0 && !String::from_utf8_lossy(&listed.text).contains("members"));
    }
    assert_eq!(client.get(&group.path).await.members(), [kim.id]);
}

/// V28, and the answer to a PATCH of so large a group.
#[tokio::test]
async fn no_member_of_a_large_group_is_left_out() {
    let server = Server::start().await;
    let client = server.okta();
    let group = client.group("Large", &[]).await;
    // Groups are quicker to make than people, and a member is a member.
    let mut ids = Vec::new();
    for n in 0..1200 {
        ids.push(client.group(&format!("g{n}"), &[]).await.id);
    }
    let all: Vec<_> = ids.iter().map(|id| json!({"value": id})).collect();
    let added = client.patch(&group.path, json!([{"op": "add", "path": "members", "value": all}])).await;
    assert_eq!((added.status, added.text.len()), (204, 0), "over a thousand members there is no body");
    let mut read = client.get(&group.path).await.members();
    read.sort();
    ids.sort();
    assert_eq!(read, ids);
    let explicit = client
        .patch(
            &format!("{}?attributes=displayName", group.path),
            json!([{"op": "replace", "path": "displayName", "value": "L"}]),
        )
        .await
        .ok(200);
    assert_eq!(explicit["displayName"], "L");
}

/// V13.
#[tokio::test]
async fn a_member_added_again_changes_nothing() {
    let server = Server::start().await;
    let client = server.okta();
    let (a, b) = (client.user("a").await, client.user("b").await);
    let group = client.group("G", &[&a, &b]).await;
    let before = client.get(&group.path).await;
    server.later();
    let head = server.head().await;
    let again = json!([{"op": "add", "path": "members", "value": [{"value": a.id}, {"value": a.id}]},
        {"op": "add", "path": "members", "value": a.id}]);
    let patched = client.patch(&group.path, again).await;
    assert_eq!((patched.status, &patched.body), (200, &before.body));
    assert_eq!(server.head().await, head);
}

/// V15.
#[tokio::test]
async fn a_rename_that_carries_the_id_renames() {
    let server = Server::start().await;
    let group = server.okta().group("G", &[]).await;
    let rename = json!([{"op": "replace", "value": {"id": group.id, "displayName": "N"}}]);
    assert_eq!(server.okta().patch(&group.path, rename).await.ok(200)["displayName"], "N");
    let other = json!([{"op": "replace", "value": {"id": NOBODY, "displayName": "M"}}]);
    server.okta().patch(&group.path, other).await.refused(400, "mutability");
    assert_eq!(server.okta().get(&group.path).await.body["displayName"], "N");
}

/// Okta wants 200 with the members, Entra 204 and nothing.
#[tokio::test]
async fn a_member_patch_is_answered_as_each_provider_wants_it() {
    let server = Server::start().await;
    for (client, status) in [(server.okta(), 200), (server.entra(), 204), (server.generic(), 200)] {
        let kim = client.user("kim").await;
        let group = client.group("G", &[]).await;
        let add = json!([{"op": "add", "path": "members", "value": [{"value": kim.id}]}]);
        let answer = client.patch(&group.path, add.clone()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("etag"), "W/\"2\"");
        assert_eq!(answer.header("location"), format!("https://axon.test/scim/v2{}", group.path));
        if status == 200 {
            assert_eq!(answer.members(), std::slice::from_ref(&kim.id));
        } else {
            assert!(answer.text.is_empty());
        }
        // RFC 7644 section 3.5.2: who names attributes gets them, whatever the profile.
        let explicit = client.patch(&format!("{}?attributes=members", group.path), add).await;
        assert_eq!((explicit.status, explicit.members()), (200, vec![kim.id]));
    }
}

/// Section 0 item 2 of the interoperability notes: never wipe.
#[tokio::test]
async fn a_put_that_does_not_speak_of_members_keeps_them() {
    let server = Server::start().await;
    for client in [server.okta(), server.entra(), server.generic()] {
        let (a, b) = (client.user("a").await, client.user("b").await);
        let group = client.group("G", &[&a, &b]).await;
        for silent in [json!({"displayName": "H"}), json!({"displayName": "H", "members": null})] {
            let put = client.put(&group.path, silent).await;
            assert_eq!((put.status, put.members()), (200, vec![a.id.clone(), b.id.clone()]));
        }
        let one = client.put(&group.path, json!({"displayName": "H", "members": [{"value": b.id}]})).await;
        assert_eq!(one.members(), std::slice::from_ref(&b.id));
        let none = client.put(&group.path, json!({"displayName": "H", "members": []})).await;
        assert_eq!((none.status, none.members().len()), (200, 0));
        assert_eq!(client.get(&group.path).await.members().len(), 0);
    }
}

#[tokio::test]
async fn a_deleted_group_is_gone_from_its_people() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let group = client.group("G", &[&kim]).await;
    assert_eq!(client.delete(&group.path).await.status, 204);
    client.delete(&group.path).await.refused(404, "");
    client.get(&group.path).await.refused(404, "");
    client.delete(&format!("/Groups/{NOBODY}")).await.refused(404, "");
    assert!(client.get(&kim.path).await.body.get("groups").is_none());
}

/// Two groups of one name are two groups in Entra; elsewhere the second is a mistake.
#[tokio::test]
async fn a_group_name_in_use_is_409_except_for_entra() {
    let server = Server::start().await;
    for (client, status) in [(server.entra(), 201), (server.okta(), 409), (server.generic(), 409)] {
        client.group("Sales", &[]).await;
        assert_eq!(client.post("/Groups", json!({"displayName": "SALES"})).await.status, status);
    }
}

#[tokio::test]
async fn a_member_that_does_not_exist_is_accepted_and_shown_when_it_comes() {
    let server = Server::start().await;
    let client = server.generic();
    let group = client.group("G", &[]).await;
    let add = json!([{"op": "add", "path": "members", "value": [{"value": "ext-kim"}]}]);
    let patched = client.patch(&group.path, add).await;
    assert_eq!((patched.status, patched.members().len()), (200, 0));
    let kim = client.post("/Users", json!({"userName": "kim", "externalId": "ext-kim"})).await.ok(201);
    assert_eq!(kim["groups"][0]["value"], group.id, "its first answer shows the group that waited");
    assert_eq!(client.get(&group.path).await.members(), [kim["id"].as_str().unwrap()]);
}
