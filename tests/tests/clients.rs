//! FreeTDS's `tsql` and python-tds speak to the emulator: it is a TDS server, not a friend of one driver.

use std::process::Stdio;

use anyhow::{Context, ensure};
use axon_tests::{ADMIN, ENTRA_ADMIN, PASSWORD, Place, Pool, entra_token};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

async fn tsql(
    pool: &Pool,
    version: &str,
    password: &str,
    script: &str,
) -> anyhow::Result<(Option<i32>, String)> {
    let port = pool.port()?.to_string();
    let mut child = Command::new("tsql")
        .args(["-H", "127.0.0.1", "-p", &port, "-U", ADMIN, "-P", password, "-D", "dw", "-o", "q"])
        .env("TDSVER", version)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("`tsql` does not start: run `make test`, which installs it")?;
    child.stdin.take().context("its input")?.write_all(script.as_bytes()).await?;
    let output = child.wait_with_output().await?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

#[tokio::test]
async fn freetds_queries_the_pool_and_sees_its_error_numbers() -> anyhow::Result<()> {
    let place = Place::new([""; 0])?;
    let pool = Pool::start(&place, 0).await?;
    let script = "\
SELECT region, amount FROM sales.orders WHERE order_id = 1
go
SELECT name FROM sys.schemas WHERE name LIKE N's[a-b]les'
go
SELECT N'žluťoučký ' + N'кот' AS text
go
SELECT TOP 1 p.name, COUNT(*) AS n FROM sys.database_principals AS p WHERE p.type = 'R' GROUP BY p.name ORDER BY p.name DESC
go
PRINT N'two sets follow'
SELECT 41 + 1 AS one
SELECT CAST(1.5 AS decimal(5,2)) AS two
go
SELECT * FROM sales.nowhere
go
SELECT nothing FROM sales.orders
go
ALTER ROLE canary ADD MEMBER canary_user
go
CREATE USER [x@acme.example] FROM EXTERNAL PROVIDER
go
SELECT 'still here' AS word
go
";
    for version in ["7.2", "7.3", "7.4"] {
        let (code, said) = tsql(&pool, version, PASSWORD, script).await?;
        ensure!(code == Some(0), "TDS {version}: {code:?} {said}");
        for words in
            ["north", "10.50", "sales", "žluťoučký кот", "two sets follow", "42", "1.50", "still here"]
        {
            ensure!(said.contains(words), "TDS {version}: {words:?} is not in {said}");
        }
        // No such object, no such column, a dialect that dedicated pools do not have, SQL login for Entra's work.
        for number in [208, 207, 103_010, 33159] {
            ensure!(said.contains(&format!("Msg {number} ")), "TDS {version}: no {number} in {said}");
        }
    }
    let (_, said) = tsql(&pool, "7.4", "wrong", "SELECT 1\ngo\n").await?;
    ensure!(said.contains("18456"), "{said}");
    pool.lever("power paused").await?;
    let (_, said) = tsql(&pool, "7.4", PASSWORD, "SELECT 1\ngo\n").await?;
    ensure!(said.contains("42108"), "{said}");
    Ok(())
}

#[tokio::test]
async fn python_tds_queries_the_pool_with_parameters_tokens_and_errors() -> anyhow::Result<()> {
    let fallback = || concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-venv/bin/python").to_owned();
    let python = std::env::var("AXON_TEST_PYTHON").unwrap_or_else(|_| fallback());
    ensure!(
        std::path::Path::new(&python).is_file(),
        "{python} is not there: run `make test`, which installs it"
    );
    let place = Place::new(["kim@acme.example"])?;
    let pool = Pool::start(&place, 0).await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/client.py");
    let output = Command::new(python)
        .args([script, &pool.port()?.to_string(), ADMIN, PASSWORD, &entra_token(ENTRA_ADMIN)])
        .arg(entra_token("kim@acme.example"))
        .output()
        .await?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.code() == Some(0) && said.contains("all as expected"), "{said}");
    Ok(())
}
