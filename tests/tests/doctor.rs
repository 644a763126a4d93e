//! `axon doctor`: what it says of set-ups that are broken, each in its own way, and what it says helps. The page docs/DOCTOR.md is
//! made of these transcripts; `AXON_TEST_WRITE=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, MAP, PASSWORD, Place, Pool, entra_token};

/// The roots that Axon takes for its machine's: one, which vouches for nobody here, and a folder without any.
const ROOTS: &str = "roots.pem";
const NO_ROOTS: &str = "roots";
const ANA: &str = "ana@acme.example";
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/DOCTOR.md");
const HEAD: &str = "# What `axon doctor` says\n\n\
    Transcripts of set-ups that are broken in one way each, as a test plays them against the emulator (`tests/tests/doctor.rs`). \
    A line that begins with FOUND is wrong, and under it stands what helps. It exits with 3 if anything was found. It changes nothing.\n";

/// What it prints, without what is another each time.
async fn transcript(place: &Place, arguments: &[&str], port: &str) -> anyhow::Result<String> {
    let mut all = vec!["doctor"];
    all.extend(arguments);
    // The roots of whichever machine this is would have a say in the words.
    let (file, folder) =
        (place.file(ROOTS).display().to_string(), place.file(NO_ROOTS).display().to_string());
    let roots = [("SSL_CERT_FILE", file.as_str()), ("SSL_CERT_DIR", folder.as_str())];
    let said = axon_tests::run(place.path(), &all, &roots).await?.exits(3)?;
    let folder = place.path().display().to_string();
    let text = said.out.replace(&format!("{folder}/"), "").replace(&folder, ".").replace(port, "PORT");
    let words: Vec<String> = text.lines().map(steady).collect();
    let command = std::iter::once("axon").chain(all).collect::<Vec<_>>().join(" ");
    Ok(format!("\n```\n$ {command}\n{}\n```\n", words.join("\n")))
}

/// Times as N.
fn steady(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let of = |n: usize| {
        let unit = words.get(n + 1);
        let ago = words.get(n + 2) == Some(&"ago");
        ago || unit.is_some_and(|next| next.starts_with("ms") || next.starts_with("µs"))
    };
    let steady = |(n, word): (usize, &&str)| {
        if of(n) && word.parse::<u64>().is_ok() { "N".into() } else { (*word).to_owned() }
    };
    words.iter().enumerate().map(steady).collect::<Vec<_>>().join(" ")
}

/// A pool, its map, and a store with a token for both sources.
async fn sound() -> anyhow::Result<(Place, Pool, String)> {
    // Always a file: the transcripts name it.
    let place = Place::with_store([ANA], None)?;
    place.write(ROOTS, &rcgen::generate_simple_self_signed(["root.example".to_owned()])?.cert.pem())?;
    std::fs::create_dir(place.file(NO_ROOTS))?;
    let pool = Pool::start(&place, 0).await?;
    place.furnish(MAP, pool.port()?)?;
    place.write(
        "axon.yaml",
        "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\nsources:\n  entra: { kind: entra }\n",
    )?;
    place.token("entra").await?;
    let port = pool.port()?.to_string();
    Ok((place, pool, port))
}

fn change(place: &Place, file: &str, from: &str, to: &str) -> anyhow::Result<()> {
    let text = place.read(file)?;
    ensure!(text.contains(from), "{file} lacks {from:?}: {text}");
    place.write(file, &text.replace(from, to))
}

#[tokio::test]
async fn each_broken_set_up_is_found_with_what_helps() -> anyhow::Result<()> {
    let mut page = HEAD.to_owned();
    let mut tell = |title: &str, text: String, helps: &str| -> anyhow::Result<()> {
        ensure!(text.contains("FOUND") && text.contains(helps), "{title}: {text}");
        write!(page, "\n## {title}\n{text}")?;
        Ok(())
    };
    let (place, pool, port) = sound().await?;
    place.axon(&["doctor"]).await?.exits(0)?;

    let config = place.read("axon.yaml")?;
    place.write("axon.yaml", &config.replace("role_map:", "rolemap:"))?;
    let text = transcript(&place, &[], &port).await?;
    tell("A key of the configuration is misspelt", text, "docs/OPERATIONS.md lists the keys")?;
    place.write("axon.yaml", &config.replace("entra: { kind", "okta: { kind"))?;
    let text = transcript(&place, &[], &port).await?;
    tell("A source has no token", text, "axon token create --source okta")?;
    place.write("axon.yaml", &config.replace("axon.db", "nowhere/axon.db"))?;
    let text = transcript(&place, &[], &port).await?;
    tell("There is no store", text, "makes it")?;
    place.write("axon.yaml", &config)?;

    let map = place.read("role-map.yaml")?;
    change(&place, "role-map.yaml", "roles: [region]", "roles: [regoin]")?;
    let text = transcript(&place, &["--target", "warehouse"], &port).await?;
    tell("The role map names a role that it does not define", text, "axon map check")?;
    place.write("role-map.yaml", &map)?;

    change(&place, "role-map.yaml", "database: dw", "database: wd")?;
    let text = transcript(&place, &[], &port).await?;
    tell("The database has another name", text, "check `database`")?;
    place.write("role-map.yaml", &map)?;
    change(&place, "role-map.yaml", "synapse-dedicated", "synapse-serverless")?;
    let text = transcript(&place, &[], &port).await?;
    tell("The pool is of the other kind", text, "write kind: synapse-dedicated")?;
    place.write("role-map.yaml", &map)?;

    let token = place.read("pool.token")?;
    std::fs::remove_file(place.file("pool.token"))?;
    let text = transcript(&place, &[], &port).await?;
    tell("Nobody writes the token's file", text, "pool.token")?;
    place.write("pool.token", &entra_token(ANA))?;
    let text = transcript(&place, &[], &port).await?;
    tell("Axon's identity is no user of the database", text, "CREATE USER")?;
    let mut admin = pool.person(ENTRA_ADMIN).await?;
    admin.run(&format!("CREATE USER [{ANA}] FROM EXTERNAL PROVIDER")).await?;
    let text = transcript(&place, &[], &port).await?;
    tell("Axon's identity has too few permissions", text, "GRANT ALTER ANY USER ON DATABASE::[dw]")?;
    place.write("pool.token", &token)?;

    pool.lever("directory-down 1").await?;
    let text = transcript(&place, &["--probe"], &port).await?;
    tell("The server may not read the directory", text, "Directory Readers")?;
    pool.lever("clear").await?;
    pool.lever("power paused").await?;
    let text = transcript(&place, &[], &port).await?;
    tell("The pool is paused", text, "resume the pool")?;
    pool.lever("power online").await?;

    change(
        &place,
        "role-map.yaml",
        "auth: { token-file: pool.token }",
        "auth: { sql: { user: sa, password: \"${file:sa}\" } }",
    )?;
    place.write("sa", PASSWORD)?;
    let text = transcript(&place, &[], &port).await?;
    tell("Axon enters with a SQL login", text, "use an identity of Entra")?;
    place.write("role-map.yaml", &map)?;

    change(&place, "role-map.yaml", "tls: off", "")?;
    let secure = Pool::start_empty(&place, 0, &["--tls"]).await?;
    let secured = secure.port()?.to_string();
    change(&place, "role-map.yaml", &port, &secured)?;
    let text = transcript(&place, &[], &secured).await?;
    tell("Nobody vouches for the server's certificate", text, "tls: { ca: FILE }")?;
    secure.stop().await?;
    place.write("role-map.yaml", &map)?;
    let lake = Pool::start_empty(&place, 0, &["--kind", "serverless", "--lake"]).await?;
    let of_lake = lake.port()?.to_string();
    change(&place, "role-map.yaml", "synapse-dedicated", "synapse-serverless")?;
    change(&place, "role-map.yaml", &port, &of_lake)?;
    let said = place.axon(&["doctor", "--probe"]).await?.exits(3)?.out;
    ensure!(
        said.contains("FOUND target warehouse: it is a lake database")
            && said.contains("the sessions of others are seen")
            && said.contains("access at the server"),
        "{said}"
    );
    lake.stop().await?;
    place.write("role-map.yaml", &map)?;
    pool.stop().await?;
    let text = transcript(&place, &[], &port).await?;
    tell("Nothing listens there", text, "firewall")?;

    if std::env::var_os("AXON_TEST_WRITE").is_some() {
        std::fs::write(PAGE, &page)?;
    }
    let written = std::fs::read_to_string(PAGE).context("docs/DOCTOR.md")?;
    ensure!(
        written == page,
        "docs/DOCTOR.md is another than what is said now (AXON_TEST_WRITE=1 writes it):\n{page}"
    );
    Ok(())
}

/// All Rust files under a folder.
fn sources(folder: &Path, found: &mut String) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[test]
fn each_row_of_the_fault_matrix_names_tests_that_are_there() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/OPERATIONS.md"))?;
    let (_, section) = page.split_once("### Faults of a pool\n").context("the section")?;
    let table = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<&str> = table.take_while(|line| line.starts_with('|')).collect();
    ensure!(rows.len() >= 20, "{} rows", rows.len());
    let mut code = String::new();
    for folder in ["crates/synapse", "crates/controller", "tests/tests"] {
        sources(&root.join(folder), &mut code)?;
    }
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit_once(" | ").context("three columns")?.1;
        for name in tests.split(", ") {
            let name = name.trim_matches('`');
            ensure!(code.contains(&format!("fn {name}()")), "no test {name:?}: {row}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_pool_can_do_is_asked_once_and_remembered_until_it_is_asked_for_again() -> anyhow::Result<()> {
    let (place, pool, _) = sound().await?;
    let probes = async |arguments: &[&str]| {
        let said = place.axon(arguments).await?.exits(0)?.json()?;
        let all = said["checks"].as_array().context("checks")?.clone();
        let line = all
            .iter()
            .filter_map(|c| c["says"].as_str())
            .find(|s| s.starts_with("probes"))
            .map(str::to_owned);
        line.context("a line on probes")
    };
    ensure!(probes(&["doctor", "--json"]).await?.starts_with("probes (asked now)"));
    ensure!(probes(&["doctor", "--json"]).await?.starts_with("probes (remembered)"));
    ensure!(probes(&["doctor", "--json", "--probe"]).await?.starts_with("probes (asked now)"));
    let said = place.axon(&["doctor", "--calibrate", "--json"]).await?.exits(0)?.json()?;
    let details = &said["details"]["target warehouse"];
    ensure!(details["latencies"]["a round trip"]["median_us"].as_u64().is_some_and(|n| n > 0), "{details}");
    let told = &details["pace"];
    ensure!(told["round_trips"] == 10_625 && told["wave"] == 16, "{told}");
    ensure!(told["inspect_every_seconds"].as_u64().is_some_and(|n| n >= 100), "{told}");
    ensure!(details["statistics"]["roles"].as_u64().is_some_and(|n| n > 0), "{details}");
    ensure!(details["edition"] == 6 && details["clock_skew_seconds"] == 0, "{details}");
    place.axon(&["doctor", "--target", "werehouse"]).await?.exits(1)?.says(&["warehouse"])?;
    pool.stop().await
}

#[tokio::test]
async fn a_serverless_pool_is_filled_emptied_and_diagnosed() -> anyhow::Result<()> {
    let place = Place::new([ANA])?;
    let pool = Pool::start_empty(&place, 0, &["--kind", "serverless"]).await?;
    let mut admin = pool.admin().await?;
    for batch in [
        "CREATE SCHEMA sales",
        "CREATE VIEW sales.orders AS SELECT 1 AS order_id",
        "CREATE VIEW sales.regions AS SELECT 1 AS one",
    ] {
        admin.run(batch).await?;
    }
    place.furnish(&MAP.replace("synapse-dedicated", "synapse-serverless"), pool.port()?)?;
    let token = place.token("entra").await?;
    place.token("okta").await?;
    let serve = axon_tests::Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let ana = scim.person(ANA).await?;
    scim.group("Readers", &[&ana]).await?;
    axon_tests::until("ana reads", axon_tests::SOON, async || {
        let catalog = axon_tests::Catalog::read(&mut pool.admin().await?).await?;
        Ok((catalog.roles_of(ANA) == ["axon_reader"]).then_some(()))
    })
    .await?;
    // A session that is open when its owner leaves is ended by number.
    let mut session = pool.person(ANA).await?;
    session.run("SELECT order_id FROM sales.orders").await?;
    scim.activate(&ana, "False").await?;
    axon_tests::until("ana is out", axon_tests::SOON, async || {
        let catalog = axon_tests::Catalog::read(&mut pool.admin().await?).await?;
        Ok((catalog.shut_out.contains(ANA) && catalog.roles_of(ANA).is_empty()).then_some(()))
    })
    .await?;
    axon_tests::until("the session is gone", axon_tests::SOON, async || {
        Ok(session.run("SELECT 1 AS one").await.err().map(drop))
    })
    .await?;
    let said = place.axon(&["doctor", "--target", "warehouse", "--json"]).await?.json()?;
    ensure!(said["details"]["target warehouse"]["edition"] == 11, "{said}");
    drop(serve);
    pool.stop().await
}
