//! The emulator's levers: one command a line over a loopback socket, one answer a line.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axon_emulator::ServerError;
use axon_emulator::faults::{Armed, Fault};
use axon_emulator::pool::{Pool, Power};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const HELP: &str = "power online|paused|resuming|scaling; cut; clear; directory-down TIMES; latency MILLIS TIMES [TEXT]; \
                    login NUMBER MESSAGE; statement NUMBER before|after [TEXT]; hangup before|after [TEXT]";

/// Listens for commands, and says where.
pub async fn listen(address: SocketAddr, pool: Arc<Pool>) -> anyhow::Result<()> {
    if !address.ip().is_loopback() {
        bail!("--control {address} is not on loopback");
    }
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on --control {address}"))?;
    println!("control on {}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, pool.clone()));
        }
    });
    Ok(())
}

async fn converse(stream: TcpStream, pool: Arc<Pool>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match obey(&line, &pool) {
            Some(()) => "ok\n".to_owned(),
            None => format!("not a command; {HELP}\n"),
        };
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn obey(line: &str, pool: &Pool) -> Option<()> {
    let mut words = line.split_whitespace();
    let mut word = || words.next();
    let first = word()?;
    match first {
        "power" => pool.set_power(match word()? {
            "online" => Power::Online,
            "paused" => Power::Paused,
            "resuming" => Power::Resuming,
            "scaling" => Power::Scaling,
            _ => return None,
        }),
        "cut" => pool.cut_sessions(),
        "clear" => pool.clear_faults(),
        "directory-down" => {
            let times = word()?.parse().ok()?;
            pool.arm_for(Armed { fault: Fault::DirectoryDown, times, matching: None });
        }
        "latency" => {
            let millis = word()?.parse().ok()?;
            let times = word()?.parse().ok()?;
            pool.arm_for(Armed {
                fault: Fault::Latency(Duration::from_millis(millis)),
                times,
                matching: rest(words),
            });
        }
        "login" => {
            let number = word()?.parse().ok()?;
            pool.arm(Fault::Login(ServerError::new(number, rest(words).unwrap_or_default())));
        }
        "statement" => {
            let number = word()?.parse().ok()?;
            let applied = after(word()?)?;
            let error = ServerError::new(number, "a fault that was asked for");
            pool.arm_for(Armed {
                fault: Fault::Statement { error, applied },
                times: 1,
                matching: rest(words),
            });
        }
        "hangup" => {
            let applied = after(word()?)?;
            pool.arm_for(Armed { fault: Fault::Hangup { applied }, times: 1, matching: rest(words) });
        }
        _ => return None,
    }
    Some(())
}

fn after(word: &str) -> Option<bool> {
    match word {
        "after" => Some(true),
        "before" => Some(false),
        _ => None,
    }
}

fn rest<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let text = words.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}
