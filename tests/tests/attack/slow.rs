//! Clients that take their time: they are let go, and nobody waits for them.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use tokio::io::AsyncWriteExt;

use super::siege::{Siege, heard, within};

const LIMITS: &str = "limits: { request_seconds: 2, header_seconds: 2, concurrent_requests: 64 }\n";
/// What a request may take beside its two seconds, on a machine that does other work.
const GRACE: Duration = Duration::from_secs(15);
const CROWD: usize = 100;

#[tokio::test]
async fn bodies_that_trickle_are_cut_off_and_nobody_waits_for_them() -> anyhow::Result<()> {
    let siege = Siege::lay(LIMITS).await?;
    let before = siege.memory()?;
    let head = siege.head("POST", "/Users", "Content-Length: 1000000\r\n");
    let trickle = async {
        let (mut read, mut write) = siege.connect().await?.into_split();
        write.write_all(&head).await?;
        let drops = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            while write.write_all(b"{").await.is_ok() {
                ticks.tick().await;
            }
        };
        tokio::select! {
            told = heard(&mut read) => told,
            () = drops => heard(&mut read).await,
        }
    };
    let told = trickle.await?;
    ensure!(told.starts_with("HTTP/1.1 408 "), "{told:?}");

    // More of them than requests are worked on at once: each is let go in its time.
    let began = Instant::now();
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut stream = siege.connect().await?;
        stream.write_all(&head).await?;
        crowd.push(stream);
    }
    for answer in try_join_all(crowd.iter_mut().map(heard)).await? {
        // Those that had no turn in their time are told to come later.
        let status = answer.get(9..12).unwrap_or_default();
        ensure!(matches!(status, "408" | "429" | "503"), "{answer:?}");
    }
    ensure!(began.elapsed() < GRACE, "it took {:?}", began.elapsed());
    siege.grew_less(before, 120)?;
    siege.is_unmoved().await
}

#[tokio::test]
async fn heads_that_never_end_hold_up_nobody_and_are_cut_off() -> anyhow::Result<()> {
    let siege = Siege::lay(LIMITS).await?;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut stream = siege.connect().await?;
        stream.write_all(b"GET /scim/v2/Users HTTP/1.1\r\nHost: local").await?;
        crowd.push(stream);
    }
    within(Duration::from_secs(2), siege.scim.get(&siege.user)).await?.is(200).context("while they wait")?;
    let began = Instant::now();
    for answer in try_join_all(crowd.iter_mut().map(heard)).await? {
        ensure!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    }
    ensure!(began.elapsed() < GRACE, "it took {:?}", began.elapsed());
    siege.is_unmoved().await
}

#[tokio::test]
async fn clients_that_do_not_read_hold_up_nobody() -> anyhow::Result<()> {
    let siege = Siege::lay(LIMITS).await?;
    for n in 0..200 {
        let mut user = axon_tests::user(&format!("person{n}@acme.example"));
        user["displayName"] = serde_json::json!("x".repeat(20_000));
        siege.scim.post("/Users", &user).await?.is(201)?;
    }
    let before = siege.memory()?;
    let head = siege.head("GET", "/Users?count=1000", "");
    let mut crowd = Vec::new();
    for _ in 0..16 {
        let mut stream = siege.connect().await?;
        stream.write_all(&head).await?;
        crowd.push(stream);
    }
    for _ in 0..20 {
        within(GRACE, siege.scim.get(&siege.user)).await?.is(200)?;
    }
    // 16 answers of 4 MB may be held, not more.
    siege.grew_less(before, 250)?;
    drop(crowd);
    Ok(())
}
