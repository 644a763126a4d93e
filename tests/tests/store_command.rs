//! `axon store`: a directory moves from a file to PostgreSQL and back, and everything that it is goes along.

use anyhow::ensure;
use axon_tests::{Place, Postgres, Provider, Scim};
use serde_json::{Value, json};

const SOURCES: [(&str, &str); 1] = [("entra", "{ kind: entra }")];

async fn journal(place: &Place) -> anyhow::Result<String> {
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    place.axon(&["audit", "export", "--out", "journal.jsonl"]).await?.exits(0)?;
    place.read("journal.jsonl")
}

async fn prints(place: &Place, arguments: &[&str], words: &str) -> anyhow::Result<()> {
    let said = place.axon(arguments).await?.exits(0)?;
    ensure!(said.out.contains(words), "{said:?}");
    Ok(())
}

async fn seen(scim: &Scim) -> anyhow::Result<[Value; 2]> {
    let mut seen = [Value::Null, Value::Null];
    for (kind, slot) in ["Users", "Groups"].iter().zip(&mut seen) {
        let mut list = scim.get(&format!("/{kind}?count=1000")).await?.is(200)?.body;
        // The address of the server is in it, and each has its own.
        list["Resources"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .for_each(|one| one["meta"]["location"] = Value::Null);
        let text = list["Resources"].to_string();
        *slot = serde_json::from_str(&text.replace(scim.address("").as_str(), ""))?;
    }
    Ok(seen)
}

/// The token stays what it was, ids and versions too; the hashes prove that the journal is the same, byte for byte.
#[tokio::test]
async fn a_directory_moves_to_postgresql_and_back() -> anyhow::Result<()> {
    let url = Postgres::shared()?.database()?;
    let file = Place::with_store([""; 0], None)?;
    let provider = Provider::start_in(file, &SOURCES, "").await?;
    let scim = provider.connector("entra").await?;
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(scim.person(&format!("person{n}@acme.example")).await?);
    }
    let group = scim.group("Readers", &[&ids[0], &ids[1]]).await?;
    scim.join(&group, "waits@acme.example").await?;
    scim.activate(&ids[2], "False").await?;
    let (before, token) = (seen(&scim).await?, scim.token().to_owned());
    let Provider { place: file, serve, .. } = provider;
    serve.stop().await?;

    prints(&file, &["store", "migrate", "--check"], "up to date").await?;
    prints(&file, &["store", "check"], "is whole").await?;
    let copied = file.axon(&["store", "copy", "--to", &url, "--json"]).await?.exits(0)?.json()?;
    ensure!(copied["tables"]["users"] == 30 && copied["late"] == 0, "{copied}");
    file.axon(&["store", "copy", "--to", &url]).await?.exits(1)?.says(&["not empty"])?;

    let moved = Provider::start_in(Place::with_store([""; 0], Some(url.clone()))?, &SOURCES, "").await?;
    let scim = moved.serve.scim(&token);
    ensure!(seen(&scim).await? == before, "what the provider sees is what it saw");
    ensure!(journal(&moved.place).await? == journal(&file).await?);
    scim.join(&group, &ids[3]).await?;
    scim.person("new@acme.example").await?;
    let after = seen(&scim).await?;
    let Provider { place: moved, serve, .. } = moved;
    serve.stop().await?;
    moved.axon(&["store", "check", "--json"]).await?.exits(0)?;

    let back = moved.file("back.db");
    let back = format!("sqlite:{}", back.display());
    prints(&moved, &["store", "copy", "--to", &back], "as the source's does").await?;
    let last = Provider::start_in(Place::with_store([""; 0], Some(back))?, &SOURCES, "").await?;
    let scim = last.serve.scim(&token);
    ensure!(seen(&scim).await? == after);
    ensure!(journal(&last.place).await? == journal(&moved).await?);
    Ok(())
}

/// What cannot be opened is said with its remedy, and never with its password.
#[tokio::test]
async fn a_wrong_address_is_told_with_its_remedy() -> anyhow::Result<()> {
    let place = Place::with_store([""; 0], None)?;
    let config = |store: &str| {
        format!("store: {store}\nrole_map: role-map.yaml\nsources:\n  entra: {{ kind: entra }}\n")
    };
    place.write("role-map.yaml", "axon: 1\n")?;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    for (store, word) in [
        (format!("postgres://axon:hunter2@127.0.0.1:{nobody}/axon"), "nothing answers"),
        ("postgres://axon:hunter2@127.0.0.1/axon?sslmod=disable".to_owned(), "sslmod"),
        ("postgres://axon:${env:AXON_NO_SUCH_SECRET}@127.0.0.1/axon".to_owned(), "AXON_NO_SUCH_SECRET"),
        ("mysql://axon:hunter2@127.0.0.1/axon".to_owned(), "postgres://USER@HOST/DATABASE"),
    ] {
        place.write("axon.yaml", &config(&store))?;
        let said = place.axon(&["store", "check"]).await?.exits(1)?.says(&[word])?;
        ensure!(!format!("{said:?}").contains("hunter2"), "{said:?}");
    }
    let mut shown = json!(null);
    for format in [&["config", "check", "--json"][..], &["config", "check"][..]] {
        place.write("axon.yaml", &config("postgres://axon:hunter2@db.acme.com/axon"))?;
        let said = place.axon(format).await?.exits(0)?;
        ensure!(!format!("{said:?}").contains("hunter2"), "{said:?}");
        if shown.is_null() {
            shown = said.json()?["store"].clone();
        }
    }
    ensure!(shown == "postgres://axon:…@db.acme.com/axon", "{shown}");
    Ok(())
}
