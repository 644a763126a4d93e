//! The whole suite on one server: each test of this program, one after another, in a process of its own that finds the server instead of an
//! emulator (docs/EMULATOR.md, "Live servers").
//!
//! What a server lacks is found out first, by trying it. A test that needs it is left out, by name and with the server's own words. The
//! list of tests is the program's own, so none is forgotten; that the machinery leaves nothing out that can be played is shown by
//! an emulator that is named like anybody's server.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use axon_emulator::{EmulatorConfig, PoolKind};

use crate::ability::{Ability, Lacking, probe};
use crate::named::{FOUND, Found, LEFT_OUT, LEFT_OUT_CODE};
use crate::place::{PASSWORD, Place};
use crate::stage::{ADMIN, emulator};
use crate::tidy::{drop_logins, kept, tidy};

/// How long one test may take: a server that hangs is told like any other failure.
const PATIENCE: Duration = Duration::from_mins(10);

/// What came of one test.
enum Came {
    Passed,
    LeftOut(String),
    Failed(String),
}

/// What came of all of them.
#[derive(Default)]
struct Whole {
    passed: Vec<String>,
    left_out: Vec<(String, String)>,
    failed: Vec<String>,
}

/// The tests of this program but those of this file.
fn tests() -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let listed = Command::new(program).args(["--list", "--format", "terse"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !name.starts_with("whole::")).map(str::to_owned).collect()
}

/// Plays one test with these variables, and reads what it said.
fn play(test: &str, variables: &[(String, String)]) -> Came {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env("RUST_BACKTRACE", "0").envs(variables.iter().map(|(key, value)| (key, value)));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (said, heard) = mpsc::channel();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let errors = std::thread::spawn(move || {
        let mut words = String::new();
        let _ = err.read_to_string(&mut words);
        words
    });
    std::thread::spawn(move || {
        let mut words = String::new();
        let _ = out.read_to_string(&mut words);
        let _ = said.send(words);
    });
    let Ok(words) = heard.recv_timeout(PATIENCE) else {
        child.kill().unwrap();
        child.wait().unwrap();
        return Came::Failed(format!("no end within {PATIENCE:?}"));
    };
    let status = child.wait().unwrap();
    let why = words.lines().find_map(|line| line.strip_prefix(LEFT_OUT));
    match (status.code(), why) {
        // A test that is not there is none that passed.
        (Some(0), None) if words.contains("1 passed; 0 failed") => Came::Passed,
        (Some(LEFT_OUT_CODE), Some(why)) => Came::LeftOut(why.to_owned()),
        _ => Came::Failed(format!("{}{words}", errors.join().unwrap())),
    }
}

/// Plays all tests on this server, says what came of each, and leaves it as it was.
async fn suite(place: &Place, mut variables: Vec<(String, String)>) -> (Whole, Lacking) {
    println!("{}", place.greeting().await);
    let kept = kept(place).await;
    tidy(place, &kept).await;
    drop_logins(place).await;
    let lacking = probe(place, &kept).await;
    for ability in Ability::ALL.into_iter().filter(|ability| !ability.is_lever()) {
        let words = lacking.get(&ability).map_or_else(|| "yes".to_owned(), |words| format!("no: {words}"));
        println!("  {:<28} {words}", ability.name());
    }
    let file = Written::new("found", &serde_json::to_string(&Found::new(&lacking, kept.clone())).unwrap());
    variables.push((FOUND.to_owned(), file.0.to_str().unwrap().to_owned()));
    let mut whole = Whole::default();
    for test in tests() {
        match play(&test, &variables) {
            Came::Passed => {
                tidy(place, &kept).await;
                println!("passed    {test}");
                whole.passed.push(test);
            }
            Came::LeftOut(why) => {
                println!("skipped   {test}: {why}");
                whole.left_out.push((test, why));
            }
            Came::Failed(words) => {
                tidy(place, &kept).await;
                println!("FAILED    {test}:\n{words}");
                whole.failed.push(test);
            }
        }
    }
    tidy(place, &kept).await;
    drop_logins(place).await;
    let Whole { passed, left_out, failed } = &whole;
    println!("{} passed, {} skipped, {} failed", passed.len(), left_out.len(), failed.len());
    (whole, lacking)
}

/// A file that is gone with its test.
struct Written(PathBuf);

impl Written {
    fn new(what: &str, text: &str) -> Self {
        let name = format!("axon-live-{}-{:?}-{what}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An emulator that is named like anybody's server: every test passes there, or needs a lever or what such pools do not have.
async fn named_emulator(kind: PoolKind, without: &[Ability], most: usize) {
    let (place, _running) = emulator(EmulatorConfig::new("sa", PASSWORD), kind).await;
    let token = Written::new("token", ADMIN);
    let dialect = if kind == PoolKind::Dedicated { "dedicated" } else { "serverless" };
    let port = place.port();
    let variables = [
        ("AXON_LIVE_TDS", format!("127.0.0.1:{port}/dw")),
        ("AXON_LIVE_TDS_TOKEN_FILE", token.0.to_str().unwrap().to_owned()),
        ("AXON_LIVE_TDS_TLS", "off".to_owned()),
        ("AXON_LIVE_TDS_DIALECT", dialect.to_owned()),
        ("AXON_LIVE_TDS_PERSON", "kim@acme.com".to_owned()),
    ];
    let variables = variables.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let (whole, lacking) = suite(&place, variables).await;
    let lacks: Vec<Ability> = lacking.keys().copied().filter(|ability| !ability.is_lever()).collect();
    assert_eq!(lacks, without, "{lacking:?}");
    assert_eq!(whole.failed, Vec::<String>::new());
    let left_out: Vec<&str> = whole.left_out.iter().map(|(test, _)| test.as_str()).collect();
    assert!(left_out.len() <= most, "{} tests are left out where {most} were: {left_out:?}", left_out.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_on_the_emulator_as_somebodys_dedicated_pool() {
    named_emulator(
        PoolKind::Dedicated,
        &[Ability::Serverless, Ability::Credentials, Ability::SessionsByDatabase],
        33,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_on_the_emulator_as_somebodys_serverless_pool() {
    named_emulator(PoolKind::Serverless, &[Ability::Dedicated, Ability::SecurityPolicies], 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_on_the_server_that_the_environment_names() {
    let Some(place) = Place::named() else {
        println!("skipped: AXON_LIVE_TDS names no server");
        return;
    };
    let (whole, _) = suite(&place, Vec::new()).await;
    assert_eq!(whole.failed, Vec::<String>::new());
}
