//! One source never sees, changes or learns of what another pushed, by any endpoint.

use anyhow::{Context, ensure};
use axon_tests::{Answer, Provider, Rows, Scim};
use reqwest::Method;
use serde_json::{Value, json};

const SOURCES: [(&str, &str); 2] = [("entra", "{ kind: entra }"), ("okta", "{ kind: okta }")];
const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// What `entra` pushed, and the connector of `okta` that tries to get at it.
struct Visit {
    provider: Provider,
    owner: Scim,
    stranger: Scim,
    /// Kim's and the group's ids.
    kim: String,
    readers: String,
    before: Vec<Value>,
}

impl Visit {
    async fn begin() -> anyhow::Result<Self> {
        let provider = Provider::start(&SOURCES).await?;
        let (owner, stranger) = (provider.connector("entra").await?, provider.connector("okta").await?);
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "kim@acme.example",
            "externalId": "oid-kim", "displayName": "Kim Secret", "title": "Secret",
            "emails": [{ "type": "work", "value": "kim.secret@acme.example" }],
        });
        let kim = owner.post("/Users", &body).await?.is(201)?.id()?;
        let readers = owner.group("Secret Readers", &[&kim]).await?;
        let mut begun = Self { provider, owner, stranger, kim, readers, before: Vec::new() };
        begun.before = begun.now().await?;
        Ok(begun)
    }

    async fn now(&self) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        for path in ["/Users", "/Groups"] {
            all.push(self.owner.get(path).await?.is(200)?.body);
        }
        Ok(all)
    }

    async fn is_untouched(&self) -> anyhow::Result<()> {
        let now = self.now().await?;
        ensure!(now == self.before, "{now:?} instead of {:?}", self.before);
        Ok(())
    }

    /// What is another's is answered like what is nobody's, to the letter.
    async fn is_nobody(
        &self,
        verb: Method,
        path: &str,
        id: &str,
        body: Option<&Value>,
        headers: &[(&'static str, &'static str)],
    ) -> anyhow::Result<()> {
        let scim = self.stranger.with_headers(headers);
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let theirs = scim.raw(verb.clone(), &path.replace("{id}", id), bytes.clone()).await?;
        let nobodys = scim.raw(verb, &path.replace("{id}", NOBODY), bytes).await?;
        ensure!(theirs.status == 404, "{} {}", theirs.status, theirs.body);
        let renamed: Value = serde_json::from_str(&theirs.body.to_string().replace(id, NOBODY))?;
        ensure!(renamed == nobodys.body, "{}", theirs.body);
        let names = |answer: &Answer| {
            let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort_unstable();
            names
        };
        ensure!(names(&theirs) == names(&nobodys), "{:?}", theirs.headers);
        Ok(())
    }

    async fn lists_nothing(&self, path: &str) -> anyhow::Result<()> {
        let list = self.stranger.get(path).await?.is(200)?;
        ensure!(list.total()? == 0 && list.body["Resources"] == json!([]), "{}", list.body);
        Ok(())
    }
}

/// Nothing of the other source is in the answer.
fn knows_nothing(answer: &Answer) -> anyhow::Result<()> {
    let text = answer.body.to_string();
    ensure!(!text.contains("Secret") && !text.contains("secret@"), "{text}");
    Ok(())
}

#[tokio::test]
async fn what_another_source_pushed_is_nobodys_under_every_verb() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    let patch = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "displayName", "value": "mine" }] });
    let user = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "mine" });
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "mine", "members": [] });
    let mut rows = Rows::of("foreign ids");
    for (path, id, whole) in [("/Users/{id}", &of.kim, &user), ("/Groups/{id}", &of.readers, &group)] {
        // An entity tag that fits must not tell that there is something that it fits.
        for headers in [
            &[][..],
            &[("if-match", "W/\"1\"")],
            &[("if-match", "*")],
            &[("if-match", "W/\"999\"")],
            &[("if-none-match", "W/\"1\"")],
            &[("if-none-match", "*")],
        ] {
            for (verb, body) in [
                (Method::GET, None),
                (Method::PUT, Some(whole)),
                (Method::PATCH, Some(&patch)),
                (Method::DELETE, None),
            ] {
                let name = format!("{verb} {path} {headers:?}");
                rows.row(&name, of.is_nobody(verb, path, id, body, headers)).await;
            }
        }
        rows.row(
            "attributes",
            of.is_nobody(Method::GET, &format!("{path}?attributes=displayName"), id, None, &[]),
        )
        .await;
    }
    rows.all_hold(50)?;
    of.is_untouched().await
}

#[tokio::test]
async fn no_list_filter_or_search_finds_another_sources_resources() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    let mut rows = Rows::of("foreign lists");
    let (kim, readers) = (&of.kim, &of.readers);
    let filters = [
        ("/Users", "userName eq \"kim@acme.example\"".to_owned()),
        ("/Users", format!("id eq \"{kim}\"")),
        ("/Users", "externalId eq \"oid-kim\"".into()),
        ("/Users", "emails[type eq \"work\"].value eq \"kim.secret@acme.example\"".into()),
        ("/Users", "displayName sw \"Kim\"".into()),
        ("/Users", "active eq true or not (active eq true)".into()),
        ("/Users", format!("groups.value eq \"{readers}\"")),
        ("/Users", "groups.display eq \"Secret Readers\"".into()),
        ("/Users", "meta.created gt \"2000-01-01T00:00:00Z\"".into()),
        ("/Groups", "displayName eq \"Secret Readers\"".into()),
        ("/Groups", format!("id eq \"{readers}\"")),
        ("/Groups", format!("members eq \"{kim}\"")),
        ("/Groups", format!("members.value eq \"{kim}\"")),
        ("/Groups", "members.display eq \"Kim Secret\"".into()),
        ("/Groups", format!("id eq \"{readers}\" and members eq \"{kim}\"")),
    ];
    for (endpoint, filter) in &filters {
        let encoded = filter.replace(' ', "+").replace('"', "%22").replace('@', "%40");
        rows.row(filter, of.lists_nothing(&format!("{endpoint}?filter={encoded}"))).await;
        let search =
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter });
        let searched = async {
            let list = of.stranger.post(&format!("{endpoint}/.search"), &search).await?.is(200)?;
            ensure!(list.total()? == 0, "{}", list.body);
            Ok(())
        };
        rows.row(&format!("search {filter}"), searched).await;
    }
    for path in [
        "/Users",
        "/Groups",
        "/Users?count=0",
        "/Users?startIndex=1&count=1",
        "/Groups?excludedAttributes=members",
    ] {
        rows.row(path, of.lists_nothing(path)).await;
    }
    rows.all_hold(2 * filters.len() + 5)?;
    of.is_untouched().await
}

#[tokio::test]
async fn a_member_or_manager_of_another_source_tells_nothing_and_gives_nothing() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    let mine = of.stranger.person("mine@acme.example").await?;
    let group = of.stranger.group("Mine", &[&mine, &of.kim]).await?;
    let path = format!("/Groups/{group}");
    of.stranger.join(&group, &of.readers).await?;
    for query in ["", "?attributes=members,members.display", "?attributes=members.$ref,members.type"] {
        let read = of.stranger.get(&format!("{path}{query}")).await?.is(200)?;
        knows_nothing(&read)?;
        // What is parked is shown like an id that nobody has.
        let other = of.stranger.group(&format!("Other{query}"), &[&mine, NOBODY]).await?;
        let nobodys = of.stranger.get(&format!("/Groups/{other}{query}")).await?.is(200)?;
        let elements = |answer: &Answer, id: &str| -> Vec<String> {
            let list = answer.body["members"].as_array().into_iter().flatten();
            list.map(ToString::to_string)
                .filter(|text| text.contains(id))
                .map(|text| text.replace(id, "ID"))
                .collect()
        };
        ensure!(elements(&read, &of.kim) == elements(&nobodys, NOBODY), "{} {}", read.body, nobodys.body);
    }
    // Kim is in no group of a stranger, neither in what her source reads nor for a filter.
    let kim = of.owner.get(&format!("/Users/{}", of.kim)).await?.is(200)?.body;
    ensure!(kim["groups"].as_array().is_some_and(|groups| groups.len() == 1), "{kim}");
    let manager = json!([{ "op": "add", "value": of.kim,
        "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager" }]);
    knows_nothing(&of.stranger.patch(&format!("/Users/{mine}"), &manager).await?.is(200)?)?;
    of.is_untouched().await
}

#[tokio::test]
async fn names_of_another_source_are_free_and_its_ids_are_not_taken() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": of.kim,
        "userName": "kim@acme.example", "externalId": "oid-kim" });
    let made = of.stranger.post("/Users", &body).await?.is(201)?;
    ensure!(made.id()? != of.kim, "another's id was given");
    let group = of.stranger.group("Secret Readers", &[&made.id()?]).await?;
    ensure!(group != of.readers);
    of.stranger.delete(&format!("/Groups/{group}")).await?.is(204)?;
    of.stranger.delete(&format!("/Users/{}", made.id()?)).await?.is(204)?;
    of.is_untouched().await
}

#[tokio::test]
async fn bulk_and_root_search_keep_to_the_source() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    let (kim, readers) = (&of.kim, &of.readers);
    let operations = json!([
        { "method": "PATCH", "path": format!("/Users/{kim}"), "data": { "Operations": [{ "op": "replace", "value": { "active": false } }] } },
        { "method": "PUT", "path": format!("/Users/{kim}"), "data": { "userName": "mine" } },
        { "method": "DELETE", "path": format!("/Users/{kim}"), "version": "W/\"1\"" },
        { "method": "DELETE", "path": format!("/Groups/{readers}") },
    ]);
    let bulk =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let answer = of.stranger.post("/Bulk", &bulk).await?.is(200)?;
    let results = answer.body["Operations"].as_array().context("results")?;
    ensure!(results.len() == 4 && results.iter().all(|result| result["status"] == "404"), "{}", answer.body);
    knows_nothing(&answer)?;
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "meta.created pr" });
    let list = of.stranger.post("/.search", &search).await?.is(200)?;
    ensure!(list.total()? == 0, "{}", list.body);
    // A bulk of its own may name another's ids: they stay nobody's.
    let operations = json!([
        { "method": "POST", "path": "/Users", "bulkId": "u", "data": { "userName": "mine" } },
        { "method": "POST", "path": "/Groups", "bulkId": "g", "data": { "displayName": "mine",
            "members": [{ "value": "bulkId:u" }, { "value": kim }, { "value": readers }] } },
    ]);
    let bulk =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    knows_nothing(&of.stranger.post("/Bulk", &bulk).await?.is(200)?)?;
    knows_nothing(&of.stranger.get("/Groups?attributes=members,members.display").await?.is(200)?)?;
    of.is_untouched().await
}

/// A page's cursor is no key to the list that it was given for.
#[tokio::test]
async fn a_cursor_of_another_source_opens_nothing() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    for name in ["b", "c", "d"] {
        of.owner.person(name).await?;
    }
    let page = of.owner.get("/Users?cursor=&count=2").await?.is(200)?;
    let cursor = page.body["nextCursor"].as_str().context("there is more")?;
    let path = format!("/Users?cursor={cursor}&count=2");
    let answer = of.stranger.get(&path).await?;
    knows_nothing(&answer)?;
    answer.refuses(400, "invalidCursor", &[])?;
    ensure!(of.owner.get(&path).await?.is(200)?.resources()?.len() == 2);
    // Over all types, sorted, page by page: whose they are, each once and in one order.
    let mut search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "sortBy": "displayName", "sortOrder": "descending", "cursor": "", "count": 2 });
    let mut ids = Vec::new();
    loop {
        let page = of.owner.post("/.search", &search).await?.is(200)?;
        ids.extend(page.resources()?.iter().map(|resource| resource["id"].clone()));
        let Some(cursor) = page.body["nextCursor"].as_str() else { break };
        search["cursor"] = cursor.into();
        let answer = of.stranger.post("/.search", &search).await?;
        knows_nothing(&answer)?;
        answer.refuses(400, "invalidCursor", &[])?;
    }
    let by_index = json!({ "sortBy": "displayName", "sortOrder": "descending" });
    let all = of.owner.post("/.search", &by_index).await?.is(200)?;
    let all: Vec<_> = all.resources()?.iter().map(|resource| resource["id"].clone()).collect();
    ensure!(all.len() > 4 && ids == all, "{ids:?} {all:?}");
    Ok(())
}

/// `/Me` is the token's own person, and a source is none.
#[tokio::test]
async fn me_is_nobody_of_any_source() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    for scim in [&of.owner, &of.stranger] {
        let answer = scim.get("/Me").await?;
        knows_nothing(&answer)?;
        ensure!(matches!(answer.status, 404 | 501), "{} {}", answer.status, answer.body);
    }
    of.is_untouched().await
}

#[tokio::test]
async fn a_token_opens_its_own_source_only_and_none_opens_nothing() -> anyhow::Result<()> {
    let of = Visit::begin().await?;
    for path in ["/Users", "/Groups", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Users/x"] {
        let answer = of.stranger.with_token("").get(path).await?;
        ensure!(answer.header("www-authenticate").starts_with("Bearer"), "{path}: {:?}", answer.headers);
        answer.refuses(401, "", &[]).with_context(|| path.to_owned())?;
        of.stranger.with_token("axon_wrong").get(path).await?.refuses(401, "", &[])?;
    }
    ensure!(of.owner.get("/Users").await?.is(200)?.total()? == 1);
    ensure!(of.provider.place.status().await?["journal"].as_u64().is_some());
    of.is_untouched().await
}
