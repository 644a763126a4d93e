//! Connections as clients make them, good and bad.

use std::time::Instant;

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const LIMITS: ConnectionLimits =
    ConnectionLimits { connections: 8, header_time: Duration::from_millis(300), header_bytes: 32 * 1024 };

struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

async fn serve(limits: ConnectionLimits, tls: Option<Arc<Certificates>>) -> Served {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), tls, limits).await.unwrap();
    let address = listener.tcp.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let routes = Router::new().route("/", get(|| async { "hello" }));
    Served { address, stop, serving: tokio::spawn(listener.serve(routes, stopped)) }
}

/// What comes until the server closes.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await;
    assert!(closed.is_ok(), "the connection stays open");
    String::from_utf8_lossy(&all).into_owned()
}

async fn asks(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    rest(&mut stream).await
}

#[tokio::test]
async fn silence_and_headers_that_never_end_are_cut_while_others_are_served() {
    let served = serve(LIMITS, None).await;
    let mut held = Vec::new();
    for said in
        ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost: a\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        held.push((said, stream));
    }
    assert!(asks(served.address).await.contains("hello"));
    for (said, mut stream) in held {
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("hello"), "{said:?}: {answer}");
    }
    assert!(asks(served.address).await.contains("hello"));
}

#[tokio::test]
async fn a_header_in_drops_is_cut_by_its_whole_time() {
    let served = serve(LIMITS, None).await;
    let (mut read, mut write) = TcpStream::connect(served.address).await.unwrap().into_split();
    write.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let drops = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        loop {
            every.tick().await;
            if write.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    let began = Instant::now();
    assert!(!rest_or_reset(&mut read).await.contains("hello"));
    assert!(began.elapsed() < Duration::from_secs(10));
    drops.abort();
}

/// As [`rest`], where the other side may reset, since it was still being written to.
async fn rest_or_reset(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await;
    assert!(closed.is_ok(), "the connection stays open");
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn more_connections_than_places_wait_and_are_served_when_one_is_free() {
    let served = serve(ConnectionLimits { connections: 1, ..LIMITS }, None).await;
    let holder = TcpStream::connect(served.address).await.unwrap();
    assert!(asks(served.address).await.contains("hello"), "after the silent one was cut");
    drop(holder);
}

#[tokio::test]
async fn stopping_ends_the_idle_ones_at_once() {
    let served = serve(ConnectionLimits { header_time: Duration::from_mins(5), ..LIMITS }, None).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    served.stop.send_replace(true);
    assert!(rest(&mut stream).await.contains("hello"));
    tokio::time::timeout(Duration::from_secs(20), served.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "the port is closed");
}
