//! Connections as clients make them, good and bad.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

const LIMITS: ConnectionLimits =
    ConnectionLimits { connections: 8, header_time: Duration::from_millis(300), header_bytes: 32 * 1024 };

struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Hello;

impl Answers for Hello {
    async fn answer(&self, _: Request, _: Peer) -> Response {
        Response::new(Body::from("hello"))
    }
}

async fn serve(limits: ConnectionLimits, tls: Option<Arc<Certificates>>) -> Served {
    let places = Places::new(6, Vec::new());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), tls, places, limits).await.unwrap();
    let address = listener.tcp.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    Served { address, stop, serving: tokio::spawn(listener.serve(Hello, stopped)) }
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

#[tokio::test]
async fn h2_and_http_1_are_spoken_over_tls_and_a_handshake_that_never_ends_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let certificates = Certificates::load(&certificate, &key).unwrap();
    let served = serve(LIMITS, Some(Arc::new(certificates))).await;
    let connect = async |protocol: &[u8]| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(served.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        stream
    };
    let mut one = connect(b"http/1.1").await;
    one.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut one).await.contains("hello"));
    let mut two = connect(b"h2").await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    two.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..]].concat()).await.unwrap();
    let mut first = [0; 9];
    two.read_exact(&mut first).await.unwrap();
    assert_eq!(first[3], 4, "its SETTINGS");
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn a_client_that_holds_more_than_its_share_is_turned_away_at_once() {
    let served = serve(ConnectionLimits { header_time: Duration::from_secs(30), ..LIMITS }, None).await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(TcpStream::connect(served.address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(rest_or_reset(&mut one_more).await, "");
    drop(held.pop());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !asks_or_reset(served.address).await.contains("hello") {
        assert!(Instant::now() < deadline, "the place is not given back");
        tokio::task::yield_now().await;
    }
}

/// As [`asks`], of a server that may turn us away.
async fn asks_or_reset(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    rest_or_reset(&mut stream).await
}
