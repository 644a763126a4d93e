//! Answers compressed for clients that ask for it (Okta always does): piece by piece, so that a streamed answer stays a stream.

use std::io::Write as _;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};

use crate::browser::Unpacked;

/// Below so many bytes an answer fits into one packet anyway.
const WORTHWHILE: u64 = 1024;
/// How much is gathered before a piece is sent.
const PIECE: usize = 16 * 1024;

/// Whether the client takes gzip (RFC 9110 section 12.5.3).
pub fn accepts(headers: &HeaderMap) -> bool {
    let takes = |item: &str| {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        let refused = weight.is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0));
        (coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip")) && !refused
    };
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    values.filter_map(|value| value.to_str().ok()).any(|text| text.split(',').any(takes))
}

/// The answer compressed, where it has a body that is worth it.
pub fn pack(mut response: Response) -> Response {
    let is_small = response.body().size_hint().upper().is_some_and(|most| most < WORTHWHILE);
    let is_packed = response.headers().contains_key(header::CONTENT_ENCODING)
        || response.extensions().get::<Unpacked>().is_some();
    if is_small || is_packed || response.status() == StatusCode::NO_CONTENT {
        return response;
    }
    let body = std::mem::take(response.body_mut());
    let packing = Packing {
        body: body.into_data_stream(),
        encoder: Some(GzEncoder::new(Vec::with_capacity(PIECE), Compression::fast())),
    };
    *response.body_mut() = Body::from_stream(stream::unfold(packing, Packing::piece));
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

struct Packing {
    body: BodyDataStream,
    /// None when the end was sent.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Packing {
    /// The next piece, or the error that the body broke off with: then there is no end mark, and the client sees it.
    async fn piece(mut self) -> Option<(Result<Bytes, axum::Error>, Self)> {
        let mut encoder = self.encoder.take()?;
        loop {
            let written = match self.body.next().await {
                None => {
                    let last = encoder.finish().map(Bytes::from).map_err(axum::Error::new);
                    return Some((last, self));
                }
                Some(Ok(bytes)) => encoder.write_all(&bytes).map_err(axum::Error::new),
                Some(Err(error)) => Err(error),
            };
            if let Err(error) = written {
                return Some((Err(error), self));
            }
            if encoder.get_ref().len() >= PIECE {
                let piece = std::mem::replace(encoder.get_mut(), Vec::with_capacity(PIECE));
                self.encoder = Some(encoder);
                return Some((Ok(piece.into()), self));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::body::to_bytes;
    use flate2::read::GzDecoder;

    use super::*;

    fn takes(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
        accepts(&headers)
    }

    #[test]
    fn gzip_is_sent_to_those_alone_who_take_it() {
        for yes in ["gzip", "gzip,deflate", "deflate, GZIP;q=0.5", "br;q=1.0, gzip ; q=1"] {
            assert!(takes(yes), "{yes}");
        }
        for no in ["", "identity", "br", "gzip;q=0", "gzip; q=0.000", "xgzip"] {
            assert!(!takes(no), "{no}");
        }
        assert!(!accepts(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn pieces_come_out_as_they_went_in() {
        let pieces: Vec<Vec<u8>> = (0..200).map(|n: u32| n.to_string().repeat(997).into_bytes()).collect();
        let whole: Vec<u8> = pieces.concat();
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
        let packed = pack(Response::new(body));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        let bytes = to_bytes(packed.into_body(), usize::MAX).await.unwrap();
        assert!(bytes.len() < whole.len() / 10);
        let mut out = Vec::new();
        GzDecoder::new(bytes.as_ref()).read_to_end(&mut out).unwrap();
        assert!(out == whole);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_has_no_end() {
        let pieces = [Ok("x".repeat(2000)), Err(std::io::Error::other("gone"))];
        let packed = pack(Response::new(Body::from_stream(stream::iter(pieces))));
        assert!(to_bytes(packed.into_body(), usize::MAX).await.is_err());
    }

    #[test]
    fn the_small_and_the_empty_go_as_they_are() {
        for response in [Response::new(Body::from("x".repeat(1000))), Response::new(Body::empty())] {
            assert!(!pack(response).headers().contains_key(header::CONTENT_ENCODING));
        }
    }
}
