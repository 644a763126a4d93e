//! Requests whose framing means two things: a proxy and a server that read them differently would hear two requests in one.

use anyhow::{Context, ensure};
use axon_tests::{Rows, SOON};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::siege::Siege;

/// A head of these lines, and what follows it.
struct Wire {
    name: &'static str,
    lines: &'static str,
    rest: &'static str,
    status: &'static [&'static str],
}

const ALL: [Wire; 9] = [
    Wire {
        name: "two lengths that differ",
        lines: "Content-Length: 2\r\nContent-Length: 60\r\n",
        rest: "{}",
        status: &["400"],
    },
    Wire {
        name: "a length of two numbers",
        lines: "Content-Length: 2, 60\r\n",
        rest: "{}",
        status: &["400"],
    },
    Wire { name: "a length with a sign", lines: "Content-Length: +2\r\n", rest: "{}", status: &["400"] },
    Wire {
        name: "a length beyond 64 bits",
        lines: "Content-Length: 99999999999999999999999\r\n",
        rest: "{}",
        status: &["400", "413"],
    },
    Wire {
        name: "a chunk beyond 64 bits",
        lines: "Transfer-Encoding: chunked\r\n",
        rest: "fffffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        status: &["400"],
    },
    Wire {
        name: "a chunk of no number",
        lines: "Transfer-Encoding: chunked\r\n",
        rest: "zz\r\n{}\r\n0\r\n\r\n",
        status: &["400"],
    },
    Wire {
        name: "an unknown transfer coding",
        lines: "Transfer-Encoding: cow\r\n",
        rest: "{}",
        status: &["400", "501"],
    },
    Wire { name: "a blank before the colon", lines: "Content-Length : 2\r\n", rest: "{}", status: &["400"] },
    Wire {
        name: "a header folded over two lines",
        lines: "X-A: a\r\n b\r\nContent-Length: 2\r\n",
        rest: "{}",
        status: &["400"],
    },
];

#[tokio::test]
async fn requests_whose_framing_is_ambiguous_are_refused() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let mut rows = Rows::of("framing");
    for Wire { name, lines, rest, status } in ALL {
        let sent = async {
            let told = siege.told(&[siege.head("POST", "/Users", lines), rest.into()].concat()).await?;
            let answered = told.get(9..12).with_context(|| format!("{told:?}"))?;
            ensure!(status.contains(&answered), "{told}");
            Ok(())
        };
        rows.row(name, sent).await;
    }
    rows.all_hold(ALL.len())?;
    siege.is_unmoved().await
}

/// The length yields to the chunks (RFC 9112 section 6.3), and the connection ends with the answer, or it is refused.
#[tokio::test]
async fn a_length_beside_chunks_hides_no_second_request() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let hidden = serde_json::to_vec(&axon_tests::user("hidden@acme.example"))?;
    let length = format!("Content-Length: {}\r\n", hidden.len());
    let sent = [
        siege.head("POST", "/Users", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
        b"2\r\n{}\r\n0\r\n\r\n".to_vec(),
        siege.head("POST", "/Users", &length),
        hidden,
    ];
    // A proxy that went by the length would take all of it for one body.
    let mut stream = siege.connect().await?;
    stream.write_all(&sent.concat()).await?;
    let mut told = String::new();
    tokio::time::timeout(SOON, stream.read_to_string(&mut told)).await.context("it stays open")??;
    ensure!(told.starts_with("HTTP/1.1 400 ") && told.matches("HTTP/1.1 ").count() == 1, "{told}");
    siege.is_unmoved().await
}
