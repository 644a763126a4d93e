//! Two other SCIM servers on the same requests: SCIMMY's routers on express (Node) and scim2-server (Python). Both keep users in
//! memory; neither writes anything down. They are installed under `target/`, and left out where that cannot be.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::process::{Child, Command};

use crate::CLIENTS;
use crate::requests::{self, Door};
use crate::stage::{Measured, Stage};
use crate::wire::{Client, load};

const SCIMMY: &str = include_str!("peers/scimmy.mjs");
const NODE_PACKAGES: [&str; 3] = ["scimmy@1.3.5", "scimmy-routers@1.3.2", "express@5.3.0"];
const PYTHON_PACKAGE: &str = "scim2-server==0.8.3";
/// How many users each holds before it is measured; Axon holds 100,000.
const HELD: usize = 500;
const START: Duration = Duration::from_secs(20);

/// Rates: create, read by id, look-up by name.
struct Rates([f64; 3]);

/// Measures and prints. `ours` are the runs of Axon: create, read by id, look-up by name.
pub async fn print(stage: &mut Stage, span: Duration, ours: [Option<&Measured>; 3]) -> anyhow::Result<()> {
    println!(
        "\n{CLIENTS} clients on others, which hold {HELD} users and more in memory and write nothing down:"
    );
    let target = target()?;
    for name in ["scimmy-routers", "scim2-server"] {
        match peer(name, &target, span).await {
            Ok(Rates(theirs)) => {
                for ((what, theirs), ours) in
                    ["create", "GET by id", "userName eq"].into_iter().zip(theirs).zip(ours)
                {
                    let times = ours.map_or_else(String::new, |ours| {
                        format!("Axon answers {:.1} times as many", ours.load.rate() / theirs)
                    });
                    println!("{name:<16} {what:<12} {theirs:>8.0} /s  {times}");
                }
            }
            Err(error) => println!("{name:<16} left out: {error:#}"),
        }
    }
    // Axon goes on serving beside them, idle.
    ensure!(stage.resident()?.0 > 0, "Axon is still there");
    Ok(())
}

fn target() -> anyhow::Result<PathBuf> {
    let bench = std::env::current_exe()?;
    Ok(bench.ancestors().nth(3).context("the folder target/")?.join("bench-peers"))
}

async fn peer(name: &str, target: &Path, span: Duration) -> anyhow::Result<Rates> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (mut command, base) = match name {
        "scimmy-routers" => (scimmy(target, port).await?, "/scim/v2"),
        _ => (scim2(target, port).await?, "/v2"),
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("it does not start")?;
    let host = format!("127.0.0.1:{port}");
    let door = Door { base, authorization: "Authorization: Bearer bench\r\n".into() };
    let rates = measure(&mut child, &host, &door, span).await;
    child.kill().await?;
    rates
}

async fn measure(child: &mut Child, host: &str, door: &Door, span: Duration) -> anyhow::Result<Rates> {
    let began = Instant::now();
    let mut client = loop {
        ensure!(began.elapsed() < START, "it does not listen");
        ensure!(child.try_wait()?.is_none(), "it ended");
        if let Ok(client) = Client::connect(host).await {
            break client;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let mut ids = Vec::new();
    let name = |n: usize| format!("held{n}@acme.example");
    for n in 0..HELD {
        let mut request = Vec::new();
        door.send(&mut request, "POST", "/Users", &requests::user(&name(n)));
        let answer = client.ask(&request).await?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 201, "a create was answered {}: {text}", answer.status);
        let json = text.find('{').and_then(|at| Some(&text[at..=text.rfind('}')?])).context("a body")?;
        let made: serde_json::Value = serde_json::from_str(json)?;
        ids.push(made["id"].as_str().context("an id")?.to_owned());
    }
    drop(client);
    let reads = load(host, CLIENTS, span, {
        let door = door.clone();
        move |out, client, n| {
            door.get(out, &format!("/Users/{}", ids[number(client, n) % HELD]));
            "GET"
        }
    })?
    .expect("GET", &[200])?;
    let finds = load(host, CLIENTS, span, {
        let door = door.clone();
        move |out, client, n| {
            door.find(out, &name(number(client, n) % HELD));
            "find"
        }
    })?
    .expect("userName eq", &[200])?;
    let creates = load(host, CLIENTS, span, {
        let door = door.clone();
        move |out, client, n| {
            door.send(out, "POST", "/Users", &requests::user(&format!("c{client}n{n}@acme.example")));
            "create"
        }
    })?
    .expect("create", &[201])?;
    Ok(Rates([creates.rate(), reads.rate(), finds.rate()]))
}

fn number(client: usize, n: u64) -> usize {
    usize::try_from(n).unwrap_or(0).wrapping_mul(31).wrapping_add(client * 7)
}

async fn scimmy(target: &Path, port: u16) -> anyhow::Result<Command> {
    let folder = target.join("node");
    std::fs::create_dir_all(&folder)?;
    if !folder.join("node_modules/scimmy-routers").is_dir() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).args(NODE_PACKAGES);
        succeeds(npm, "npm install").await?;
    }
    std::fs::write(folder.join("scimmy.mjs"), SCIMMY)?;
    let mut node = Command::new("node");
    node.arg("scimmy.mjs").arg(port.to_string()).current_dir(folder).env("NODE_ENV", "production");
    Ok(node)
}

async fn scim2(target: &Path, port: u16) -> anyhow::Result<Command> {
    let folder = target.join("python");
    let server = folder.join("bin/scim2-server");
    if !server.is_file() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        succeeds(venv, "python3 -m venv").await?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", PYTHON_PACKAGE]);
        succeeds(pip, "pip install").await?;
    }
    let mut command = Command::new(server);
    command.args(["--bearer-token", "bench", "--port"]).arg(port.to_string());
    Ok(command)
}

async fn succeeds(mut command: Command, what: &str) -> anyhow::Result<()> {
    let output =
        command.stdin(Stdio::null()).output().await.with_context(|| format!("{what} is not there"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what} failed: {}", said.lines().last().unwrap_or_default());
    }
    Ok(())
}
