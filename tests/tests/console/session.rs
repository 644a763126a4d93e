//! Signing in, staying, and being out again.

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, SOON, Serve, Stage, until};

use crate::kit::{Browser, operator, stage, written};

#[tokio::test]
async fn an_operator_s_token_opens_a_session_and_nothing_else_does() -> anyhow::Result<()> {
    let stage = stage("").await?;
    let ana = operator(&stage, "ana", "holds.read").await?;
    let browser = Browser::of(&stage)?;
    browser.get("/console").await?.goes("/console/sign-in?new")?;
    for path in ["/console/acting", "/console/holds", "/console/holds/x", "/console/requests"] {
        browser.get(path).await?.goes("/console/sign-in?new")?;
    }
    browser.get("/console/nothing").await?.is(404)?.says(&["there is no such page"])?;
    let page = browser.get("/console/sign-in").await?.is(200)?.says(&["Operator&#39;s token"])?;
    let policy = page.header("content-security-policy");
    ensure!(policy.contains("default-src 'none'") && !policy.contains("script"), "{policy}");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        ensure!(page.header(name) == value, "{name}: {}", page.header(name));
    }

    // Wrong ones are counted and slowed as those of the API are. A source's token and a job's are wrong, too.
    let signed = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.";
    for token in ["axon_op_guess", stage.token.as_str(), signed, "x y", ""] {
        browser.signs_in(token).await?.is(401)?.says(&["This token is not accepted."])?;
    }
    ensure!(browser.cookie.lock().is_ok_and(|cookie| cookie.is_none()));
    let refused = stage.serve.metric("axon_operators_refused_total").await?;
    ensure!(refused >= 5.0, "{refused}");
    let began = std::time::Instant::now();
    for _ in 0..3 {
        browser.signs_in("axon_op_guess").await?.is(401)?;
    }
    ensure!(began.elapsed().as_millis() >= 200, "guesses are slowed: {:?}", began.elapsed());

    let page = browser.signs_in(&format!(" {ana}\n")).await?.goes("/console")?;
    let set = page.header("set-cookie");
    ensure!(set.starts_with("axon=") && !set.contains("Secure"), "{set}");
    ensure!(set.ends_with("; Path=/console; HttpOnly; SameSite=Strict"), "{set}");
    ensure!(!set.contains(&ana[8..]), "the cookie is not the token");
    browser.get("/console").await?.is(200)?.says(&["warehouse", ">ana<"])?.lacks(&["<script", "style="])?;
    let style = browser.get("/console/style.css").await?.is(200)?;
    ensure!(style.header("content-type") == "text/css; charset=utf-8");

    // A session opens the pages and nothing else; a token of the API opens no page.
    let cookie = browser.cookie.lock().ok().and_then(|cookie| cookie.clone()).context("a cookie")?;
    let bare = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let at = |path: &str| format!("{}{path}", stage.serve.address());
    let answer = bare.get(at("/api/v1/holds")).header("cookie", &cookie).send().await?;
    ensure!(answer.status() == 401);
    let answer = bare.get(at("/console")).bearer_auth(&ana).send().await?;
    ensure!(answer.status() == 303);

    // Out is out, also for whoever kept the cookie.
    browser.post("/console", "/console/sign-out", &[]).await?.goes("/console/sign-in?out")?;
    ensure!(bare.get(at("/console")).header("cookie", &cookie).send().await?.status() == 303);

    // Neither token nor cookie is in the log.
    let (_, session) = cookie.split_once('=').context("a cookie")?;
    let log = stage.place.read("serve.log")?;
    ensure!(!log.contains(session) && !log.contains(&ana), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_ends_the_session_at_its_next_request() -> anyhow::Result<()> {
    let stage = stage("").await?;
    let token = operator(&stage, "ana", "holds.read,grant").await?;
    let (one, other) = (Browser::with(&stage, &token).await?, Browser::with(&stage, &token).await?);
    one.get("/console").await?.is(200)?;
    let key = other.get("/console/acting").await?.is(200)?.key()?;
    let listed = stage.place.axon(&["token", "list", "--operators", "--json"]).await?.exits(0)?.json()?;
    let id = listed[0]["id"].as_str().context("an id")?.to_owned();
    stage.place.axon(&["token", "revoke", &id]).await?.exits(0)?;
    one.get("/console").await?.goes("/console/sign-in?token")?;
    one.get("/console").await?.goes("/console/sign-in?over")?;
    let head = written(&stage).await?.len();
    let fields = [("key", key.as_str()), ("user", "a"), ("as", "b"), ("minutes", "5"), ("reason", "x")];
    let answer = other.send("/console/acting", &fields, &[("origin", other.base())]).await?;
    answer.is(401)?.says(&["Nothing was done"])?;
    ensure!(written(&stage).await?.len() == head);
    Ok(())
}

#[tokio::test]
async fn a_session_is_over_after_its_time_and_a_restart_ends_all() -> anyhow::Result<()> {
    let mut stage = stage(", idle_seconds: 2, longest_seconds: 2").await?;
    let token = operator(&stage, "ana", "holds.read").await?;
    let browser = Browser::with(&stage, &token).await?;
    browser.get("/console").await?.is(200)?;
    // Requests do not keep it beyond its longest life.
    until("the session is over", SOON, async || {
        let page = browser.get("/console").await?;
        Ok((page.status == 303 && page.header("location") == "/console/sign-in?over").then_some(()))
    })
    .await?;
    browser.get("/console/sign-in?over").await?.is(200)?.says(&["Your session is over."])?;

    stage.place.write("axon.yaml", &format!("{CONFIG}console: {{ enabled: true }}\n"))?;
    restart(&mut stage).await?;
    let browser = Browser::with(&stage, &token).await?;
    let before = browser.cookie.lock().ok().and_then(|cookie| cookie.clone());
    browser.get("/console").await?.is(200)?;
    restart(&mut stage).await?;
    let browser = Browser::of(&stage)?;
    *browser.cookie.lock().map_err(|_| anyhow::anyhow!("the cookie"))? = before;
    browser.get("/console").await?.goes("/console/sign-in?over")?;

    // Without the switch there is nothing.
    stage.place.write("axon.yaml", CONFIG)?;
    restart(&mut stage).await?;
    let browser = Browser::of(&stage)?;
    for path in ["/console", "/console/sign-in", "/console/style.css"] {
        browser.get(path).await?.is(404)?;
    }
    Ok(())
}

#[tokio::test]
async fn behind_a_proxy_that_speaks_tls_the_cookie_is_secure() -> anyhow::Result<()> {
    let mut stage = stage("").await?;
    let token = operator(&stage, "ana", "holds.read").await?;
    let config = format!("{CONFIG}console: {{ enabled: true }}\ntrusted_proxies: [127.0.0.1]\n");
    stage.place.write("axon.yaml", &config)?;
    restart(&mut stage).await?;
    let browser = Browser::of(&stage)?;
    let from = |origin| {
        [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "axon.acme.example"),
            ("origin", origin),
        ]
    };
    let fields = [("token", token.as_str())];
    for foreign in ["http://axon.acme.example", browser.base()] {
        browser.send("/console/sign-in", &fields, &from(foreign)).await?.is(403)?;
    }
    let page = browser.send("/console/sign-in", &fields, &from("https://axon.acme.example")).await?;
    let page = page.goes("/console")?;
    let set = page.header("set-cookie");
    ensure!(set.starts_with("__Secure-axon=") && set.ends_with("; SameSite=Strict; Secure"), "{set}");
    // Shown in clear it is none.
    browser.get("/console").await?.goes("/console/sign-in?new")?;
    Ok(())
}

async fn restart(stage: &mut Stage) -> anyhow::Result<()> {
    stage.serve.child().signal("KILL").await?;
    let serve = Serve::start(&stage.place).await?;
    stage.takes(serve);
    Ok(())
}
