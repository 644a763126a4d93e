//! Bodies that come compressed (RFC 9110 section 8.4): unpacked up to the limit that holds for all bodies, so that a small
//! request does not become a large one.

use std::io::Read as _;

use axon_scim::ScimError;
use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;

/// Whether the body is compressed. A coding that is not known here is 415 (RFC 9110 section 15.5.16).
pub fn is_gzip(headers: &HeaderMap) -> Result<bool, ScimError> {
    let mut found = false;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for coding in value.to_str().unwrap_or("?").split(',').map(str::trim) {
            match coding.to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" if !found => found = true,
                _ => {
                    return Err(ScimError::unsupported_media_type(
                        "send the body as it is or compressed once with gzip",
                    ));
                }
            }
        }
    }
    Ok(found)
}

/// The body unpacked. Over `limit` bytes it is 413, and no more than that is ever held.
pub fn unpack(packed: &Bytes, limit: usize) -> Result<Bytes, ScimError> {
    let mut out = Vec::with_capacity(packed.len().saturating_mul(4).min(limit).min(64 * 1024));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed.as_ref())
        .take(most)
        .read_to_end(&mut out)
        .map_err(|_| ScimError::invalid_syntax("the body is not what gzip makes"))?;
    if out.len() > limit {
        return Err(ScimError::payload_too_large(format!(
            "the body, once unpacked, is over the limit of {limit} bytes"
        )));
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    fn coding(values: &[&str]) -> Result<bool, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
        }
        is_gzip(&headers).map_err(|error| error.status)
    }

    #[test]
    fn codings_are_told_apart() {
        for (values, expected) in [
            (&[][..], Ok(false)),
            (&["identity"], Ok(false)),
            (&["GZIP"], Ok(true)),
            (&["x-gzip"], Ok(true)),
            (&["identity, gzip"], Ok(true)),
            (&["gzip, gzip"], Err(415)),
            (&["gzip", "gzip"], Err(415)),
            (&["br"], Err(415)),
            (&["deflate"], Err(415)),
        ] {
            assert_eq!(coding(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_body_is_unpacked_up_to_the_limit_and_a_bomb_is_413() {
        assert_eq!(unpack(&packed(b"{}"), 2).unwrap(), "{}");
        assert_eq!(unpack(&packed(b"{ }"), 2).unwrap_err().status, 413);
        let bomb = packed(&vec![b' '; 64 * 1024 * 1024]);
        assert!(bomb.len() < 128 * 1024, "{}", bomb.len());
        assert_eq!(unpack(&bomb, 1024 * 1024).unwrap_err().status, 413);
    }

    #[test]
    fn what_is_broken_or_goes_on_after_its_end_is_400() {
        let whole = packed(b"{\"a\": 1}");
        let cut = whole.slice(..whole.len() - 4);
        let mut trailed = whole.to_vec();
        trailed.extend_from_slice(b"{}");
        for bad in [cut, trailed.into(), Bytes::from_static(b"{}"), Bytes::new()] {
            assert_eq!(unpack(&bad, 100).unwrap_err().status, 400, "{bad:?}");
        }
    }
}
