//! Bodies compressed both ways, and answers that come in pieces.

use std::io::{Read as _, Write as _};

use axum::body::Body;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::kit::{Answer, Client, LIMITS, Server, USER};

fn packed(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn send(server: &Server, client: &Client<'_>, coding: &str, body: Vec<u8>) -> Answer {
    let request = client
        .request("POST", "/Users")
        .header("content-type", "application/scim+json")
        .header("content-encoding", coding)
        .body(Body::from(body))
        .unwrap();
    server.send(request).await
}

async fn get(server: &Server, client: &Client<'_>, path: &str, method: &str) -> Answer {
    let request = client.request(method, path).header("accept-encoding", "gzip,deflate");
    server.send(request.body(Body::empty()).unwrap()).await
}

fn unpacked(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-encoding"), "gzip", "{:?}", answer.headers);
    assert_eq!(answer.header("vary"), "accept-encoding");
    let mut text = String::new();
    GzDecoder::new(answer.text.as_slice()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_compressed_body_is_taken_and_its_limit_is_that_of_the_unpacked_one() {
    let server = Server::with(axon_api::Limits { body_bytes: 64 * 1024, ..LIMITS }, |_| {}).await;
    let client = server.okta();
    let body = json!({"schemas": [USER], "userName": "kim"}).to_string();
    send(&server, &client, "gzip", packed(body.as_bytes())).await.ok(201);
    let head = server.head().await;
    let bomb = packed(&vec![b' '; 32 * 1024 * 1024]);
    assert!(bomb.len() < 64 * 1024, "the bomb itself is within the limit");
    assert!(send(&server, &client, "gzip", bomb).await.refused(413, "").contains("unpacked"));
    send(&server, &client, "gzip", body.clone().into_bytes()).await.refused(400, "invalidSyntax");
    send(&server, &client, "br", packed(body.as_bytes())).await.refused(415, "");
    send(&server, &client, "gzip, gzip", packed(&packed(body.as_bytes()))).await.refused(415, "");
    assert_eq!(server.head().await, head);
}

#[tokio::test]
async fn an_answer_is_compressed_for_those_who_take_it() {
    let server = Server::start().await;
    let client = server.okta();
    for n in 0..20 {
        client.user(&format!("user-{n}")).await;
    }
    let plain = client.get("/Users").await;
    assert!(plain.headers.get("content-encoding").is_none());
    let small = get(&server, &client, "/Users", "GET").await;
    assert_eq!(unpacked(&small), plain.body);
    assert!(small.text.len() * 3 < plain.text.len());
    assert!(get(&server, &client, "/Users", "HEAD").await.text.is_empty());
    let one = get(&server, &client, "/Users?count=0", "GET").await;
    assert!(one.headers.get("content-encoding").is_none(), "not worth it");
    get(&server, &client, "/nope", "GET").await.refused(404, "");
}

/// V28, and more members than one piece of the answer holds.
#[tokio::test]
async fn a_large_group_is_answered_whole_in_pieces() {
    let server = Server::start().await;
    let client = server.generic();
    let mut ids = Vec::new();
    for round in 0..5 {
        let operations: Vec<_> = (0..1000)
            .map(|n| {
                let name = format!("u{}", round * 1000 + n);
                json!({"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name}})
            })
            .collect();
        let made = client.post("/Bulk", json!({"Operations": operations})).await.ok(200);
        let id = |entry: &Value| entry["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        ids.extend(made["Operations"].as_array().unwrap().iter().map(id));
    }
    let members: Vec<_> = ids.iter().map(|id| json!({"value": id})).collect();
    let group = client.post("/Groups", json!({"displayName": "all", "members": members})).await;
    assert_eq!(group.status, 201);
    let path = format!("/Groups/{}", group.body["id"].as_str().unwrap());
    let read = client.get(&path).await;
    assert_eq!(read.members(), ids, "all 5,000, in their order");
    assert_eq!(read.body, group.body);
    assert_eq!(
        (read.header("etag"), read.header("location")),
        (group.header("etag"), group.header("location"))
    );
    assert!(read.header("content-type").starts_with("application/scim+json"));
    assert_eq!(read.body["members"][4999]["$ref"], format!("https://axon.test/scim/v2/Users/{}", ids[4999]));
    assert_eq!(unpacked(&get(&server, &client, &path, "GET").await), read.body);
    let request = client.request("GET", &path).body(Body::empty()).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    assert!(response.headers().get("content-length").is_none());
    let pieces: Vec<usize> =
        response.into_body().into_data_stream().map(|piece| piece.unwrap().len()).collect().await;
    let largest = pieces.iter().max().unwrap();
    assert!(pieces.len() > 4 && largest * 3 < read.text.len(), "no piece is the whole: {pieces:?}");
    let values = client.get(&format!("{path}?attributes=members.value")).await;
    assert_eq!(values.members(), ids);
    assert_eq!(values.body["members"][0].as_object().unwrap().len(), 1);
    let one = client.get(&format!("{path}?attributes=members%5Bvalue+eq+%22{}%22%5D", ids[1234])).await;
    assert_eq!(one.members(), [ids[1234].clone()]);
    let none = client.get(&format!("{path}?attributes=members%5Bvalue+eq+%22x%22%5D")).await;
    assert!(none.ok(200).get("members").is_none());
    let without = client.get(&format!("{path}?excludedAttributes=members")).await;
    assert!(without.ok(200).get("members").is_none());
}
