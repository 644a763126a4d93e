//! A gateway that sends logins elsewhere, byte by byte: it speaks just enough TDS for that.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn packet(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap().to_be_bytes();
    let mut bytes = vec![0x04, 0x01, length[0], length[1], 0, 0, 1, 0];
    bytes.extend_from_slice(payload);
    bytes
}

async fn read_message(stream: &mut TcpStream) -> Option<()> {
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header).await.ok()?;
        let mut rest = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])).checked_sub(8)?];
        stream.read_exact(&mut rest).await.ok()?;
        if header[1] & 1 == 1 {
            return Some(());
        }
    }
}

async fn send_on(mut stream: TcpStream, host: &str, port: u16) -> Option<()> {
    read_message(&mut stream).await?;
    // VERSION at 11, 6 bytes; ENCRYPTION at 17, 1 byte: not supported.
    let prelogin = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 12, 0, 7, 0xd0, 0, 0, 2];
    stream.write_all(&packet(&prelogin)).await.ok()?;
    read_message(&mut stream).await?;
    let mut value = vec![0];
    value.extend_from_slice(&port.to_le_bytes());
    value.extend_from_slice(&u16::try_from(host.len()).unwrap().to_le_bytes());
    value.extend(host.encode_utf16().flat_map(u16::to_le_bytes));
    // ENVCHANGE 20 (routing), no old value; DONE.
    let mut routing = vec![20];
    routing.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
    routing.extend_from_slice(&value);
    routing.extend_from_slice(&[0, 0]);
    let mut tokens = vec![0xe3];
    tokens.extend_from_slice(&u16::try_from(routing.len()).unwrap().to_le_bytes());
    tokens.extend_from_slice(&routing);
    tokens.push(0xfd);
    tokens.extend_from_slice(&[0; 12]);
    stream.write_all(&packet(&tokens)).await.ok()?;
    // Until the client has read it and goes.
    let _ = stream.read(&mut [0; 1]).await;
    Some(())
}

/// A gateway that sends everybody to `host` and `port`; 0 stands for itself. Gives its own port.
pub async fn gateway(host: &'static str, port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let to = if port == 0 { own } else { port };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(send_on(stream, host, to));
        }
    });
    own
}
