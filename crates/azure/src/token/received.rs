//! A token as it is received: how long it holds, by whose clock.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use time::{Duration, OffsetDateTime};

/// The longest token that is taken. Those with many groups have some kilobytes.
const MOST_BYTES: usize = 64 * 1024;
/// Nobody gives a token for longer than this.
const LONGEST: Duration = Duration::days(2);
/// What holds for less is not begun with.
pub(super) const SHORTEST: Duration = Duration::seconds(60);

/// The endpoints' answer; numbers come as numbers or as text.
#[derive(Deserialize)]
struct Fields {
    access_token: Option<String>,
    token_type: Option<String>,
    #[serde(default, deserialize_with = "number")]
    expires_in: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    expires_on: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    refresh_in: Option<i64>,
    error: Option<serde::de::IgnoredAny>,
}

fn number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Either>::deserialize(d)? {
        Some(Either::Number(n)) => Some(n),
        // Some platforms write a date in words; it says nothing then.
        Some(Either::Text(text)) => text.trim().parse().ok(),
        Some(Either::Other(_)) | None => None,
    })
}

/// A token and its times by this machine's clock.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) token: SecretString,
    /// The first instant at which it holds no more.
    pub(super) until: OffsetDateTime,
    /// From here on a new one is asked for, while this one is used.
    pub(super) renew: OffsetDateTime,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("until", &self.until)
            .field("renew", &self.renew)
            .finish_non_exhaustive()
    }
}

impl Received {
    /// Reads an answer that came at `now`. What is wrong with it is told without any of it.
    pub(super) fn read(body: &[u8], now: OffsetDateTime) -> Result<Self, String> {
        let fields: Fields = serde_json::from_slice(body).map_err(|_| {
            "it is not a token's answer, or half of one: look whether a proxy answers in its place".to_owned()
        })?;
        if fields.error.is_some() {
            return Err("it holds an error under a status that says all is well: it is asked again".into());
        }
        let text = fields.access_token.ok_or("it has no access_token")?;
        if text.is_empty() || text.len() > MOST_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("its access_token is not a line of token characters".into());
        }
        if fields.token_type.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err("it is not a bearer token".into());
        }
        let token = SecretString::from(text);
        // A span holds whatever this machine's clock says; an instant only if the clock is right.
        let held = match (fields.expires_in, fields.expires_on) {
            (Some(seconds), _) => Duration::seconds(seconds),
            (None, Some(epoch)) => Duration::seconds(epoch.saturating_sub(now.unix_timestamp())),
            (None, None) => return Err("it does not say how long the token holds".into()),
        };
        if held <= SHORTEST {
            let seconds = held.whole_seconds();
            return Err(format!(
                "by this machine's clock ({now}) its token holds for {seconds} s: is the clock right?"
            ));
        }
        let held = held.min(LONGEST);
        let early = Duration::minutes(5).max(held / 10).min(held / 2);
        let asked = fields.refresh_in.map(Duration::seconds).filter(|d| d.is_positive() && *d < held);
        Ok(Self { token, until: now + held, renew: now + asked.unwrap_or(held - early) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);

    fn read(body: &str) -> Result<(i64, i64), String> {
        let read = Received::read(body.as_bytes(), NOW)?;
        Ok(((read.until - NOW).whole_seconds(), (read.renew - NOW).whole_seconds()))
    }

    #[test]
    fn times_are_numbers_or_text_and_a_span_wins_over_an_instant() {
        assert_eq!(
            read(r#"{"token_type":"Bearer","expires_in":3599,"access_token":"a.b"}"#),
            Ok((3599, 3239))
        );
        assert_eq!(read(r#"{"expires_in":"86399","expires_on":"1","access_token":"a"}"#), Ok((86399, 77759)));
        let epoch = NOW.unix_timestamp() + 3600;
        assert_eq!(read(&format!(r#"{{"expires_on":"{epoch}","access_token":"a"}}"#)), Ok((3600, 3240)));
        assert_eq!(read(r#"{"expires_in":3600,"refresh_in":60,"access_token":"a"}"#), Ok((3600, 60)));
        assert_eq!(read(r#"{"expires_in":120,"access_token":"a"}"#), Ok((120, 60)));
        assert_eq!(read(r#"{"expires_in":99999999,"access_token":"a"}"#).unwrap().0, 172_800);
    }

    #[test]
    fn what_is_no_token_is_told_without_it() {
        for bad in [
            "",
            "[]",
            r#"{"access_token":"s3cret"}"#,
            r#"{"access_token":"s3cret line","expires_in":3600}"#,
            r#"{"access_token":"s3cret","expires_in":3600,"token_type":"mac"}"#,
            r#"{"access_token":"s3cret","expires_in":"soon"}"#,
            r#"{"access_token":"s3cret","expires_in":-5}"#,
            r#"{"access_token":["s3cret"],"expires_in":3600}"#,
            r#"{"expires_in":3600}"#,
        ] {
            let told = read(bad).unwrap_err();
            assert!(!told.contains("s3cret"), "{told}");
        }
        let skew = read(&format!(r#"{{"expires_on":{},"access_token":"a"}}"#, NOW.unix_timestamp() - 60));
        assert!(skew.unwrap_err().contains("is the clock right?"));
    }
}
