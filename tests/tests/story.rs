//! `axon demo`: what a newcomer runs first, and the same catalog as another client reads it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axon_tests::{Place, axon};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const DEADLINE: Duration = Duration::from_secs(20);

fn expected() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/axon/src/demo/expected.txt").to_owned()
}

fn python() -> anyhow::Result<String> {
    let fallback = || concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-venv/bin/python").to_owned();
    let path = std::env::var("AXON_TEST_PYTHON").unwrap_or_else(|_| fallback());
    ensure!(std::path::Path::new(&path).is_file(), "{path} is not there: run `make test`, which installs it");
    Ok(path)
}

#[tokio::test]
async fn the_demo_tells_the_whole_story_in_time_and_cleans_up() -> anyhow::Result<()> {
    let place = Place::new([""; 0])?;
    let began = Instant::now();
    let mut command = Command::new(axon()?);
    // Where the demo puts its folder, so that what it leaves behind is seen.
    command.arg("demo").env("TMPDIR", place.path()).env("AXON_LISTEN", "not an address");
    let output = tokio::time::timeout(DEADLINE, command.kill_on_drop(true).output()).await??;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(began.elapsed() < DEADLINE, "took {:?}", began.elapsed());
    for words in [
        "Entra tests the connection",
        "Entra pushes 40 people",
        "CREATE USER [ana.souza@acme.example] FROM EXTERNAL PROVIDER",
        "EXEC sp_addrolemember N'axon_sales-reader', N'sean.o''brien@acme.example'",
        "A mover: Kim Lee",
        "EXEC sp_droprolemember N'axon_sales-reader', N'kim.lee@acme.example'",
        "nothing changes",
        "workspace: add SG-Sales-Analysts to role Synapse User",
        "factory: add SG-Data-Engineers to role Data Factory Contributor",
        "workspace: remove SG-Sales-Leads from role Synapse User",
        "56 lines agree",
        "in workspace: SG-Sales-Analysts is group 5b1f0c3e-0005-4a6e-9c8d-2f7f6b0c0001, as Microsoft Graph said",
        "1 differ",
        "member-gone: hugo.bianchi@acme.example is in group syn-sales-writer here and not in Microsoft Graph",
        "DENY CONNECT ON DATABASE::[dw] TO [ben.carter@acme.example]",
        "A hard delete: Dmitri Volkov",
        "Okta pushes the group BI Contractors",
        "Okta deactivates Sam Ortiz",
        "lines agree",
        "the chain holds",
        "$ axon explain ana.souza@acme.example",
        "SG-Sales-Analysts",
        "Done in",
    ] {
        ensure!(said.contains(words), "the demo did not say {words:?}:\n{said}");
    }
    let left: Vec<_> = std::fs::read_dir(place.path())?.filter_map(|e| Some(e.ok()?.file_name())).collect();
    ensure!(left == ["directory.json"], "the demo left {left:?}");
    Ok(())
}

#[tokio::test]
async fn the_catalog_that_python_tds_reads_is_the_one_written_by_hand() -> anyhow::Result<()> {
    let place = Place::new([""; 0])?;
    let mut demo = Command::new(axon()?)
        .args(["demo", "--keep"])
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(demo.stdout.take().context("its output")?).lines();
    let mut said = Vec::new();
    let pool = tokio::time::timeout(DEADLINE, async {
        while let Some(line) = lines.next_line().await? {
            let found = line.trim().strip_prefix("python3 -c").is_some();
            said.push(line);
            if found {
                break;
            }
        }
        Ok::<_, std::io::Error>(
            said.iter().find_map(|l| l.trim().strip_prefix("pool    ")).map(str::to_owned),
        )
    })
    .await??;
    let pool =
        pool.with_context(|| format!("`demo --keep` does not tell how to reach the pool: {said:?}"))?;
    let (address, login) = pool.split_once(' ').context("an address, then the login")?;
    let password = login.split("password ").nth(1).context("a password")?.trim_end_matches(')');
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/catalog.py");
    let read = Command::new(python()?).args([script, address, "sa", password, &expected()]).output().await?;
    let told = format!("{}{}", String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    ensure!(read.status.code() == Some(0), "{told}");
    ensure!(told.contains("51 lines agree"), "{told}");

    // The script must be able to see a difference.
    let wrong =
        std::fs::read_to_string(expected())?.replace("kim.lee@acme.example  ", "kim.leigh@acme.example");
    place.write("wrong.txt", &wrong)?;
    let wrong = place.file("wrong.txt").display().to_string();
    let read = Command::new(python()?).args([script, address, "sa", password, &wrong]).output().await?;
    let told = String::from_utf8_lossy(&read.stdout);
    ensure!(read.status.code() == Some(1) && told.contains("kim.leigh@acme.example"), "{told}");

    // Ctrl-C ends it, and both of its servers with it.
    let id = demo.id().context("it runs")?.to_string();
    ensure!(Command::new("kill").args(["-INT", &id]).status().await?.success());
    let ended = tokio::time::timeout(DEADLINE, demo.wait()).await??;
    ensure!(ended.code() == Some(0), "after Ctrl-C: {ended}");
    ensure!(tokio::net::TcpStream::connect(address).await.is_err(), "the pool is still there");
    Ok(())
}
