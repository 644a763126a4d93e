//! `docs/ROLE-MAP.md`: its command lines, run in order in one folder; where it shows what they print, that is what they print.

use anyhow::{Context, ensure};
use axon_tests::{CONFIG, ENTRA_ADMIN, Place, Pool, Said, Serve, entra_token};

const PAGE: &str = include_str!("../../../docs/ROLE-MAP.md");
const KIM: &str = "kim@acme.com";
const LEE: &str = "lee@acme.com";

/// The text of the page's first block with this head.
fn block(head: &str) -> anyhow::Result<&'static str> {
    let from = PAGE.find(&format!("```{head}\n")).with_context(|| format!("no block {head}"))?;
    let text = &PAGE[from + head.len() + 4..];
    Ok(&text[..text.find("\n```").context("an end")?])
}

/// The page's first map. Its pool is the stand-in on this port, and every line keeps its number.
fn map(port: u16) -> anyhow::Result<String> {
    let mut text = block("yaml")?.to_owned();
    let auth =
        text.lines().find(|line| line.trim_start().starts_with("auth: {")).context("a way in")?.to_owned();
    for (from, to) in [
        ("  warehouse:\n", "  warehouse: {\n"),
        ("kind: synapse-dedicated\n", &format!("kind: synapse-dedicated, port: {port}, tls: off,\n")),
        ("host: acme.sql.azuresynapse.net\n", "host: 127.0.0.1,\n"),
        ("database: dw\n", "database: dw,\n"),
        (&auth, "    auth: { token-file: pool.token },"),
        ("schemas: [secure] }\n", "schemas: [secure] } }\n"),
    ] {
        ensure!(text.contains(from), "the page's first map lacks {from:?}");
        text = text.replacen(from, to, 1);
    }
    Ok(text + "\n")
}

/// A directory as the page tells of it, a pool, and the page's map as the configured one. Nothing is running but the pool.
async fn stage() -> anyhow::Result<(Place, Pool)> {
    let place = Place::new([KIM, LEE])?;
    let pool = Pool::start(&place, 0).await?;
    place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
    place.write("axon.yaml", CONFIG)?;
    place.write("role-map.yaml", "axon: 1\nroles: { nobody: {} }\n")?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let (kim, _) = (scim.person(KIM).await?, scim.person(LEE).await?);
    let analysts = scim.group("SG-Sales-Analysts", &[]).await?;
    let north = scim.group("SG-Sales-North", &[&kim]).await?;
    scim.join(&analysts, &north).await?;
    serve.stop().await?;
    let text = map(pool.port()?)?;
    place.write("role-map.yaml", &text)?;
    place.write("old.yaml", &text)?;
    let changed = text.replace("[select on sales.regions]", "[select on schema::sales]");
    ensure!(changed != text);
    place.write("new.yaml", &changed)?;
    // What the page's second example adds has a variable.
    let variables = PAGE.split("## Variables").nth(1).and_then(|rest| rest.split("```yaml\n").nth(1));
    let variables = variables.and_then(|rest| rest.split("```").next()).context("an example of variables")?;
    std::fs::create_dir(place.file("maps"))?;
    place.write("maps/base.yaml", &text)?;
    place.write("maps/variables.yaml", variables)?;
    Ok((place, pool))
}

/// The page's command lines, each as words.
fn commands() -> anyhow::Result<Vec<(&'static str, Vec<&'static str>)>> {
    let lines = block("sh")?.lines().map(|line| line.split(" # ").next().unwrap_or(line).trim());
    let words = |line: &'static str| {
        let parts = line.split('\'').enumerate();
        // Every second part stood in quotes.
        let words = parts
            .flat_map(|(n, part)| if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
        words.skip(1).collect()
    };
    Ok(lines.map(|line| (line, words(line))).collect())
}

/// What differs from run to run, and what the page leaves out of it.
fn plain(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut last = "";
        let mut words = Vec::new();
        for word in line.split(' ') {
            let inner = word.trim_matches([',', '(', ')', ':']);
            let instant = inner.ends_with('Z') && inner.contains('T') && inner.starts_with("20");
            let varies = match last {
                "record" | "request" | "id" => true,
                _ => instant,
            };
            words.push(if varies && !inner.is_empty() { word.replace(inner, "*") } else { word.to_owned() });
            last = word.trim_start_matches('(');
        }
        out.push(words.join(" "));
    }
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out
}

fn shows(head: &str, said: &Said) -> anyhow::Result<()> {
    let (shown, printed) = (plain(block(head)?), plain(&said.out));
    ensure!(shown == printed, "the page's block `{head}`\n{shown:#?}\nis not what is printed\n{printed:#?}");
    Ok(())
}

#[tokio::test]
async fn every_command_of_the_page_does_what_the_page_says() -> anyhow::Result<()> {
    let (place, _pool) = stage().await?;
    let commands = commands()?;
    ensure!(commands.len() >= 14, "{commands:?}");
    for (line, words) in commands {
        let file = if line.contains("--set") { "maps" } else { "new.yaml" };
        let words: Vec<&str> = words
            .into_iter()
            .map(|word| match word {
                "FILE" => file,
                "OLD" => "old.yaml",
                "NEW" => "new.yaml",
                word => word,
            })
            .collect();
        let said = place.axon(&words).await?;
        let (code, needed): (i32, &[&str]) = match line {
            "axon map check" => (0, &["can be used", "among 2 groups"]),
            "axon map check FILE --set env=test" => (0, &["4 targets"]),
            "axon map test" => (0, &["what they say is so"]),
            "axon map diff OLD NEW" => (
                3,
                &[
                    "- role sales-reader: select on sales.regions",
                    "+ role sales-reader: select on schema::sales",
                ],
            ),
            "axon map preview NEW" => {
                shows("text preview", &said)?;
                (3, &["1 person gains"])
            }
            "axon map preview NEW --days 7" => (3, &["select on schema::sales", "kim@acme.com"]),
            "axon map preview NEW --markdown preview.md" => {
                let comment = place.read("preview.md")?;
                ensure!(
                    comment.starts_with("## Role map preview") && comment.contains("GRANT SELECT"),
                    "{comment}"
                );
                (3, &["1 person gains"])
            }
            "axon explain kim@acme.com" => {
                // The page shows one target of the three.
                let one = [&words[..], &["--target", "warehouse"]].concat();
                shows("text explain", &place.axon(&one).await?.exits(0)?)?;
                (0, &["because:", "target factory", "target workspace"])
            }
            "axon explain kim@acme.com --not 'select on secure.orders'" => (0, &["does not have", "no role"]),
            "axon explain --grant 'select on secure.orders'" => (0, &["nobody"]),
            "axon map schema" => {
                let kept = include_str!("../../../config/role-map.schema.json");
                ensure!(said.out.trim_end() == kept.trim_end(), "the schema in config/ is another one");
                (0, &["\"$schema\""])
            }
            "axon map log" | "axon map push FILE --comment 'why'" => (0, &["in force"]),
            "axon map adopt --target warehouse" => (0, &["mode: observe", "warehouse"]),
            other => anyhow::bail!("the page's line `{other}` is run by no test"),
        };
        let said = said.exits(code).with_context(|| line.to_owned())?;
        for word in needed {
            ensure!(
                said.out.contains(word) || said.err.contains(word),
                "{line}: {word:?} in {}{}",
                said.out,
                said.err
            );
        }
    }
    // What was pushed is the newest version, with its comment; and what the page shows of somebody who lacks something.
    let log = place.axon(&["map", "log"]).await?.exits(0)?.out;
    ensure!(log.contains("why"), "{log}");
    Ok(())
}

#[tokio::test]
async fn what_somebody_lacks_is_told_as_the_page_shows_it() -> anyhow::Result<()> {
    let (place, _pool) = stage().await?;
    let said = place.axon(&["explain", LEE, "--not", "select on sales.regions"]).await?.exits(0)?;
    shows("text missing", &said)
}
