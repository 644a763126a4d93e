//! Bodies in gzip: as good as others, and no larger than others when they are unpacked.

use std::io::Write as _;
use std::time::Duration;

use anyhow::ensure;
use axon_tests::{Answer, user};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;

use super::siege::{Siege, within};

const LIMIT: Duration = Duration::from_secs(10);

fn packed(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> anyhow::Result<Vec<u8>> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    for piece in pieces {
        to.write_all(piece.as_ref())?;
    }
    Ok(to.finish()?)
}

async fn posted(siege: &Siege, body: Vec<u8>) -> anyhow::Result<Answer> {
    let headers = [("content-type", "application/scim+json"), ("content-encoding", "gzip")];
    within(LIMIT, siege.scim.with_headers(&headers).raw(Method::POST, "/Users", body)).await
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_before_it_is_unpacked() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let before = siege.memory()?;
    let mebibyte = vec![b'x'; 1024 * 1024];
    let start = br#"{"userName":"new","displayName":""#;
    let bomb = packed(std::iter::once(&start[..]).chain((0..256).map(|_| &mebibyte[..])))?;
    ensure!(bomb.len() < 400_000, "a quarter of a gibibyte in {} bytes", bomb.len());
    for _ in 0..4 {
        posted(&siege, bomb.clone()).await?.refuses(413, "", &[])?;
    }
    // A bomb within a bomb is what it is after one unpacking: no JSON.
    posted(&siege, packed([&bomb])?).await?.refuses(400, "invalidSyntax", &[])?;
    siege.grew_less(before, 120)?;
    siege.is_unmoved().await
}

#[tokio::test]
async fn a_body_in_gzip_is_read_and_a_broken_one_is_refused() -> anyhow::Result<()> {
    let siege = Siege::lay("").await?;
    let good = packed([serde_json::to_vec(&user("zip@acme.example"))?])?;
    for broken in [&good[..good.len() / 2], b"no gzip at all", &[], &[0x1f, 0x8b, 8, 0]] {
        let answer = posted(&siege, broken.to_vec()).await?;
        ensure!(answer.status == 400, "{} {}", answer.status, answer.body);
    }
    let unknown = [("content-type", "application/scim+json"), ("content-encoding", "br")];
    siege.scim.with_headers(&unknown).raw(Method::POST, "/Users", good.clone()).await?.refuses(
        415,
        "",
        &[],
    )?;
    siege.is_unmoved().await?;
    let made = posted(&siege, good).await?.is(201)?;
    ensure!(made.body["userName"] == "zip@acme.example", "{}", made.body);
    Ok(())
}
