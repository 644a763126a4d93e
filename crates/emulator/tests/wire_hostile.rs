//! Bytes that no client would send: the server neither panics nor stops serving others.
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]

#[path = "wire/stand_in.rs"]
mod stand_in;

use std::time::Duration;

use axon_emulator::WireConfig;
use stand_in::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A small generator (xorshift), so that every run sends the same bytes.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

fn packet(kind: u8, status: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 8).unwrap().to_be_bytes();
    let mut out = vec![kind, status, length[0], length[1], 0, 0, 1, 0];
    out.extend_from_slice(body);
    out
}

/// A client that logs in by hand, for requests that no driver makes.
async fn logged_in(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut fixed = vec![0_u8; 94];
    let mut tail = Vec::new();
    fixed[4..8].copy_from_slice(&0x7400_0004_u32.to_le_bytes());
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let hidden: Vec<u8> = wide(stand_in::PASSWORD).iter().map(|byte| byte.rotate_left(4) ^ 0xA5).collect();
    for (at, bytes) in [(40, wide("sa")), (44, hidden)] {
        fixed[at..at + 2].copy_from_slice(&u16::try_from(94 + tail.len()).unwrap().to_le_bytes());
        fixed[at + 2..at + 4].copy_from_slice(&u16::try_from(bytes.len() / 2).unwrap().to_le_bytes());
        tail.extend(bytes);
    }
    fixed.extend(tail);
    let length = u32::try_from(fixed.len()).unwrap();
    fixed[..4].copy_from_slice(&length.to_le_bytes());
    stream.write_all(&packet(16, 1, &fixed)).await.unwrap();
    let answer = message(&mut stream).await.unwrap();
    assert!(answer.contains(&0xAD), "no LOGINACK");
    stream
}

/// The next message of the server without headers; `None` when it closed.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; 8];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut header)).await;
        read.expect("the server neither answers nor closes").ok()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])) - 8;
        let at = body.len();
        body.resize(at + length, 0);
        stream.read_exact(&mut body[at..]).await.ok()?;
        if header[1] & 1 != 0 {
            return Some(body);
        }
    }
}

async fn still_serves(server: &TestServer) {
    let mut client = server.client().await;
    let row = client.simple_query("one").await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(1));
}

#[tokio::test]
async fn noise_before_login_does_no_harm() {
    let config = WireConfig { login_timeout: Duration::from_millis(200), ..WireConfig::default() };
    let server = TestServer::start(config).await;
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    for round in 0..200 {
        let length = usize::try_from(noise.next() % 300).unwrap();
        let body = noise.bytes(length);
        let bytes = match round % 4 {
            0 => body,
            1 => packet(18, 1, &body),
            2 => packet(16, 1, &body),
            _ => {
                let mut record = body;
                record.resize(record.len().max(100), 0);
                let length = u32::try_from(record.len()).unwrap().to_le_bytes();
                record[..4].copy_from_slice(&length);
                packet(16, 1, &record)
            }
        };
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let _ = stream.write_all(&bytes).await;
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn noise_after_login_does_no_harm() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut noise = Noise(0xDEAD_BEEF_CAFE_F00D);
    for round in 0..300 {
        let mut stream = logged_in(server.port).await;
        let length = usize::try_from(noise.next() % 200).unwrap();
        let mut body = vec![4, 0, 0, 0];
        if round % 2 == 0 {
            // A call of sp_executesql whose parameters are noise.
            body.extend([0xFF, 0xFF, 10, 0, 0, 0, 0, 0]);
            let types = [0x26, 0xE7, 0xA7, 0x6C, 0x24, 0x2A, 0x29, 0xA5, 0x63, 0xF1, 0xF3, 0x6F, 0x68];
            body.push(types[usize::try_from(noise.next()).unwrap() % types.len()]);
        }
        body.extend(noise.bytes(length));
        let kind = [3, 3, 1, 14, 7, 3][round % 6];
        stream.write_all(&packet(kind, 1, &body)).await.unwrap();
        // Either an answer or the end of the connection, and in good time.
        message(&mut stream).await;
    }
    still_serves(&server).await;
}

#[tokio::test]
async fn an_attention_while_idle_and_while_busy_is_acknowledged() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut stream = logged_in(server.port).await;
    stream.write_all(&packet(6, 1, &[])).await.unwrap();
    let done = message(&mut stream).await.unwrap();
    assert_eq!((done[0], done[1]), (0xFD, 0x20));

    let mut body = vec![4, 0, 0, 0];
    body.extend("wait".encode_utf16().flat_map(u16::to_le_bytes));
    stream.write_all(&packet(1, 1, &body)).await.unwrap();
    stream.write_all(&packet(6, 1, &[])).await.unwrap();
    // The answer of the call, then the acknowledgement.
    let first = message(&mut stream).await.unwrap();
    assert_eq!(first[0], 0xFD);
    let second = message(&mut stream).await.unwrap();
    assert_eq!((second[0], second[1]), (0xFD, 0x20));
    assert_eq!(*server.seen.cancelled.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_request_that_is_taken_back_is_not_run() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut stream = logged_in(server.port).await;
    let mut body = vec![4, 0, 0, 0];
    body.extend("one".encode_utf16().flat_map(u16::to_le_bytes));
    stream.write_all(&packet(1, 3, &body)).await.unwrap();
    let done = message(&mut stream).await.unwrap();
    assert_eq!(done[0], 0xFD);
    assert!(server.seen.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_reset_bit_resets_before_the_request_and_is_acknowledged() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut stream = logged_in(server.port).await;
    let mut body = vec![4, 0, 0, 0];
    body.extend("one".encode_utf16().flat_map(u16::to_le_bytes));
    stream.write_all(&packet(1, 1 | 8, &body)).await.unwrap();
    let answer = message(&mut stream).await.unwrap();
    // ENVCHANGE 18 comes first.
    assert_eq!((answer[0], answer[3]), (0xE3, 18));
    assert_eq!(*server.seen.resets.lock().unwrap(), 1);
}

#[tokio::test]
async fn two_requests_sent_at_once_are_answered_in_turn() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut stream = logged_in(server.port).await;
    let mut body = vec![4, 0, 0, 0];
    body.extend("one".encode_utf16().flat_map(u16::to_le_bytes));
    let twice = [packet(1, 1, &body), packet(1, 1, &body)].concat();
    stream.write_all(&twice).await.unwrap();
    assert_eq!(message(&mut stream).await, message(&mut stream).await);
}

#[tokio::test]
async fn a_table_valued_parameter_is_refused_with_8009_and_the_connection_goes_on() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut stream = logged_in(server.port).await;
    let mut body = vec![4, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 0];
    body.extend([0, 0, 0xF3, 0, 0, 0]);
    stream.write_all(&packet(3, 1, &body)).await.unwrap();
    let answer = message(&mut stream).await.unwrap();
    assert_eq!(answer[0], 0xAA);
    assert_eq!(answer[3..7], 8009_i32.to_le_bytes());
    let mut body = vec![4, 0, 0, 0];
    body.extend("one".encode_utf16().flat_map(u16::to_le_bytes));
    stream.write_all(&packet(1, 1, &body)).await.unwrap();
    assert!(message(&mut stream).await.is_some());
}
