//! Forms that are not from a page of the session: refused, and nothing comes of them.

use anyhow::ensure;

use crate::kit::{Browser, CARA, KIM, Page, operator, peopled, written};

#[tokio::test]
async fn a_form_without_the_session_s_key_or_from_elsewhere_changes_nothing() -> anyhow::Result<()> {
    let stage = peopled().await?;
    let token = operator(&stage, "ana", "grant,holds.read").await?;
    let (ana, other) = (Browser::with(&stage, &token).await?, Browser::with(&stage, &token).await?);
    let (own, foreign) =
        (ana.get("/console/acting").await?.key()?, other.get("/console/acting").await?.key()?);
    ensure!(own != foreign && own.len() == 43);
    let before = written(&stage).await?.len();
    let base = ana.base().to_owned();
    let post = async |key: Option<&str>, headers: &[(&str, &str)]| -> anyhow::Result<Page> {
        let mut fields = vec![("user", CARA), ("as", KIM), ("minutes", "5"), ("reason", "x")];
        fields.extend(key.map(|key| ("key", key)));
        ana.send("/console/acting", &fields, headers).await
    };
    let here = [("origin", base.as_str())];
    for key in [None, Some(""), Some("x"), Some(&own[1..]), Some(&foreign)] {
        post(key, &here).await?.is(403)?.says(&["nothing was done"])?;
    }
    for headers in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://127.0.0.1:1")],
        &[("origin", base.as_str()), ("sec-fetch-site", "cross-site")],
        &[("origin", base.as_str()), ("sec-fetch-site", "same-site")],
        &[("origin", "null"), ("sec-fetch-site", "none")],
    ] {
        post(Some(&own), headers).await?.is(403)?.says(&["nothing was done"])?;
    }
    // Neither does a sign-in that another site's page sends, nor a form in another coding, nor one that is too large.
    let sign_in = [("token", token.as_str())];
    let page =
        other.send("/console/sign-in", &sign_in, &[("origin", "https://evil.example")]).await?.is(403)?;
    ensure!(page.header("set-cookie").is_empty());
    let client = reqwest::Client::new();
    let cookie = ana.cookie.lock().ok().and_then(|cookie| cookie.clone()).unwrap_or_default();
    let sent = async |kind: &str, body: String| -> anyhow::Result<u16> {
        let request = client.post(format!("{base}/console/acting")).header("cookie", &cookie);
        let request = request.header("origin", &base).header("content-type", kind).body(body);
        Ok(request.send().await?.status().as_u16())
    };
    let fields = format!("user={CARA}&as={KIM}&minutes=5&reason=x&key={own}");
    ensure!(sent("text/plain", fields.clone()).await? == 415);
    ensure!(
        sent("application/x-www-form-urlencoded", format!("{fields}&x={}", "y".repeat(40_000))).await? == 413
    );
    ensure!(sent("application/x-www-form-urlencoded", format!("{fields}&as={CARA}")).await? == 400);
    ensure!(
        client.put(format!("{base}/console/acting")).header("cookie", &cookie).send().await?.status() == 405
    );
    // A form without a session, and one with somebody's dead cookie.
    let nobody = Browser::of(&stage)?;
    let fields = [("key", own.as_str()), ("user", CARA), ("as", KIM), ("minutes", "5"), ("reason", "x")];
    nobody.send("/console/acting", &fields, &here).await?.is(401)?.says(&["Nothing was done"])?;
    ensure!(written(&stage).await?.len() == before, "something was written");
    ensure!(stage.serve.metric("axon_operators_refused_total").await? >= 12.0);

    // As browsers send it, it is taken: with the origin hidden, since the page gives no referrer.
    post(Some(&own), &[("origin", "null"), ("sec-fetch-site", "same-origin")])
        .await?
        .goes("/console/acting")?;
    ensure!(written(&stage).await?.len() > before);
    Ok(())
}
