//! How connections end, and what a client may do to a running request.

#[path = "wire/stand_in.rs"]
mod stand_in;

use std::time::Duration;

use axon_emulator::WireConfig;
use stand_in::{TestServer, until};
use tiberius::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn fails(client: &mut tiberius::Client<tokio_util::compat::Compat<TcpStream>>, sql: &str) -> Error {
    match client.simple_query(sql).await {
        Ok(stream) => stream.into_results().await.map(|_| ()).expect_err("it should fail"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_killed_session_cuts_an_idle_connection() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut client = server.client().await;
    server.seen.kill.lock().unwrap()[0].send(true).unwrap();
    until("the session to end", || *server.seen.ended.lock().unwrap() == 1).await;
    fails(&mut client, "one").await;
}

#[tokio::test]
async fn a_killed_session_cuts_a_busy_connection() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut client = server.client().await;
    let waiting = tokio::spawn(async move { fails(&mut client, "wait").await });
    until("the call to start", || !server.seen.calls.lock().unwrap().is_empty()).await;
    server.seen.kill.lock().unwrap()[0].send(true).unwrap();
    assert!(matches!(waiting.await.unwrap(), Error::Io { .. } | Error::Protocol(_)));
    until("the session to end", || *server.seen.ended.lock().unwrap() == 1).await;
}

#[tokio::test]
async fn a_hangup_cuts_in_the_middle_of_an_answer() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut client = server.client().await;
    assert!(!matches!(fails(&mut client, "hang up").await, Error::Server(_)));
}

#[tokio::test]
async fn a_fatal_error_is_told_and_ends_the_connection() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut client = server.client().await;
    assert!(matches!(fails(&mut client, "fatal").await, Error::Server(error) if error.code() == 596));
    until("the session to end", || *server.seen.ended.lock().unwrap() == 1).await;
}

#[tokio::test]
async fn a_client_that_goes_away_stops_what_it_started() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut client = server.client().await;
    let waiting = tokio::spawn(async move {
        let _ = client.simple_query("wait").await;
    });
    until("the call to start", || !server.seen.calls.lock().unwrap().is_empty()).await;
    waiting.abort();
    until("the call to be stopped", || *server.seen.cancelled.lock().unwrap() == 1).await;
}

#[tokio::test]
async fn a_panic_of_the_engine_ends_its_connection_only() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut other = server.client().await;
    let mut client = server.client().await;
    fails(&mut client, "panic").await;
    other.simple_query("one").await.unwrap().into_results().await.unwrap();
}

#[tokio::test]
async fn shutdown_cuts_every_connection() {
    let mut server = TestServer::start(WireConfig::default()).await;
    let mut client = server.client().await;
    server.stop();
    until("the session to end", || *server.seen.ended.lock().unwrap() == 1).await;
    fails(&mut client, "one").await;
}

#[tokio::test]
async fn connections_have_a_limit() {
    let server = TestServer::start(WireConfig { max_connections: 1, ..WireConfig::default() }).await;
    let client = server.client().await;
    assert!(server.connect(server.tiberius()).await.is_err());
    drop(client);
    until("the first session to end", || *server.seen.ended.lock().unwrap() == 1).await;
    // Its place is given back soon after the session ended.
    let start = std::time::Instant::now();
    while server.connect(server.tiberius()).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_cut_after_the_login_timeout() {
    let config = WireConfig { login_timeout: Duration::from_millis(50), ..WireConfig::default() };
    let server = TestServer::start(config).await;
    let mut silent = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let mut buffer = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(10), silent.read(&mut buffer)).await.unwrap();
    assert_eq!(read.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_login_record_of_a_megabyte_is_not_collected() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut hostile = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let mut packet = vec![16, 0, 0x10, 0, 0, 0, 1, 0];
    packet.resize(4096, 0);
    let mut sent = 0;
    while hostile.write_all(&packet).await.is_ok() && sent < 10_000 {
        sent += 1;
        tokio::task::yield_now().await;
    }
    assert!(sent < 10_000, "the server went on reading");
}
