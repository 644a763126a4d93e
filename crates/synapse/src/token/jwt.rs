//! When a token expires, read from its own claims. Nothing else of it is believed or kept.

use time::OffsetDateTime;

#[derive(serde::Deserialize)]
struct Claims {
    exp: Option<serde_json::Number>,
}

/// `exp` of a JSON web token (RFC 7519, 4.1.4: seconds, may have a fraction), if it is one and says so.
pub(super) fn expiry(token: &str) -> Option<OffsetDateTime> {
    let mut parts = token.split('.');
    let payload = base64url(parts.nth(1)?)?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let exp = claims.exp?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` saturates, and what is out of range is refused next"
    )]
    let seconds = exp.as_i64().or_else(|| exp.as_f64().map(|f| f as i64))?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// RFC 4648, section 5, without padding (RFC 7515, section 2).
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(value)) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_read_from_the_claims() {
        // {"alg":"none"} . {"exp":1790000000,"upn":"kim@acme.com"}
        let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTAwMDAwMDAsInVwbiI6ImtpbUBhY21lLmNvbSJ9.";
        assert_eq!(expiry(token).map(OffsetDateTime::unix_timestamp), Some(1_790_000_000));
    }

    #[test]
    fn what_has_no_expiry_has_none() {
        // {} ; {"exp":"soon"} ; {"exp":1e300} ; not base64 ; not three parts
        for token in ["a.e30.b", "a.eyJleHAiOiJzb29uIn0.b", "a.eyJleHAiOjFlMzAwfQ.b", "a.***.b", "opaque", ""]
        {
            assert_eq!(expiry(token), None, "{token}");
        }
    }

    #[test]
    fn base64url_is_that_of_the_rfc() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg", b"f"), ("Zm8", b"fo"), ("Zm9v", b"foo"), ("-_-_", b"\xfb\xff\xbf")]
        {
            assert_eq!(base64url(text).as_deref(), Some(bytes));
        }
        assert_eq!(base64url("Zg=="), None);
    }
}
