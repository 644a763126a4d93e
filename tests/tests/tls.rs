//! TLS in the process: served, renewed without a restart, and never broken by a bad file.

use std::time::Duration;

use anyhow::{Context, ensure};
use axon_tests::{Place, Provider, until};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use reqwest::Certificate;

const SOON: Duration = Duration::from_secs(20);

fn made() -> anyhow::Result<CertifiedKey<KeyPair>> {
    Ok(generate_simple_self_signed(["localhost".to_owned()])?)
}

fn put(place: &Place, pair: &CertifiedKey<KeyPair>) -> anyhow::Result<()> {
    place.write("axon.key", &pair.signing_key.serialize_pem())?;
    place.write("axon.pem", &pair.cert.pem())
}

/// Asks as a client that trusts this certificate alone.
async fn asks(address: &str, pair: &CertifiedKey<KeyPair>) -> anyhow::Result<reqwest::Response> {
    let root = Certificate::from_pem(pair.cert.pem().as_bytes())?;
    let client = reqwest::Client::builder().tls_certs_only([root]).build()?;
    Ok(client.get(format!("{address}/healthz")).send().await?)
}

async fn serve(place: Place) -> anyhow::Result<(Provider, String)> {
    let more = "tls: { certificate: axon.pem, key: axon.key }\n";
    let provider = Provider::start_in(place, &[("entra", "{ kind: entra }")], more).await?;
    let address = provider.serve.address().to_owned();
    ensure!(address.starts_with("https://127.0.0.1:"), "{address}");
    Ok((provider, address.replace("127.0.0.1", "localhost")))
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_without_a_restart_and_a_bad_one_is_not() -> anyhow::Result<()> {
    let (first, second) = (made()?, made()?);
    let place = Place::new([""; 0])?;
    put(&place, &first)?;
    let (provider, address) = serve(place).await?;
    ensure!(asks(&address, &first).await?.status() == 200);
    ensure!(asks(&address, &second).await.is_err(), "it is shown before it is there");
    let plain = reqwest::get(provider.serve.address().replace("https", "http") + "/healthz").await;
    ensure!(plain.is_err(), "plain HTTP on the port of TLS");

    let child = provider.serve.child();
    let logged = async |words: &str| {
        until(words, SOON, async || Ok(provider.place.read("serve.log")?.contains(words).then_some(()))).await
    };
    // A pair of two halves, and no pair at all.
    provider.place.write("axon.pem", &second.cert.pem())?;
    child.signal("HUP").await?;
    logged("is not the key of").await?;
    ensure!(asks(&address, &first).await?.status() == 200, "the old one stays in force");
    provider.place.write("axon.key", "garbage")?;
    child.signal("HUP").await?;
    logged("holds no private key in PEM").await?;
    ensure!(asks(&address, &first).await?.status() == 200);

    put(&provider.place, &second)?;
    child.signal("HUP").await?;
    until("the new certificate is shown", SOON, async || {
        Ok(asks(&address, &second).await.is_ok().then_some(()))
    })
    .await?;
    ensure!(asks(&address, &first).await.is_err());
    let log = provider.place.read("serve.log")?;
    ensure!(!log.contains("PRIVATE KEY") && !log.contains("garbage"), "a key is in the log");
    ensure!(provider.serve.stop().await?.success());
    Ok(())
}

#[tokio::test]
async fn locations_say_https_and_a_pair_that_cannot_be_used_is_told_at_the_start() -> anyhow::Result<()> {
    let pair = made()?;
    let place = Place::new([""; 0])?;
    put(&place, &pair)?;
    let (provider, address) = serve(place).await?;
    let token = provider.place.token("entra").await?;
    let client = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(pair.cert.pem().as_bytes())?])
        .build()?;
    let made = client
        .post(format!("{address}/scim/v2/Users"))
        .bearer_auth(token)
        .header("content-type", "application/scim+json")
        .body(r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"kim"}"#)
        .send()
        .await?;
    let location = made.headers().get("location").context("where it is")?.to_str()?.to_owned();
    ensure!(location.starts_with(&format!("{address}/scim/v2/Users/")), "{location}");
    let place = &provider.place;
    for (file, text, said) in
        [("axon.key", "garbage", "tls.key"), ("axon.pem", "garbage", "holds no certificate")]
    {
        put(place, &pair)?;
        place.write(file, text)?;
        place.axon(&["serve"]).await?.exits(1)?.says(&[said])?;
    }
    std::fs::remove_file(place.file("axon.pem"))?;
    place.axon(&["serve"]).await?.exits(1)?.says(&["cannot read tls.certificate"])?;
    Ok(())
}

#[tokio::test]
async fn a_trusted_proxy_s_word_on_scheme_and_host_counts_and_a_stranger_s_does_not() -> anyhow::Result<()> {
    for (more, location) in [
        ("trusted_proxies: [127.0.0.0/8]\n", Some("https://axon.example/scim/v2/Users/")),
        ("trusted_proxies: [10.0.0.0/8]\n", None),
        ("", None),
        ("trusted_proxies: [127.0.0.1]\nforwarded_by: forwarded\n", None),
    ] {
        let provider = Provider::start_with(&[("entra", "{ kind: entra }")], more).await?;
        let said = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "axon.example"),
        ];
        let scim = provider.connector("entra").await?.with_headers(&said);
        let made = scim.post("/Users", &axon_tests::user("kim")).await?.is(201)?;
        let own = format!("{}/scim/v2/Users/", provider.serve.address());
        let shown = made.header("location");
        ensure!(shown.starts_with(location.unwrap_or(&own)), "{more}{shown}");
    }
    Ok(())
}
