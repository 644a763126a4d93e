//! What the `Authorization` header shows.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// Longest credentials, bytes. A signed token with many groups in it is shorter.
const MAX: usize = 16 * 1024;

/// What is shown, and in which form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown<'h> {
    /// `Bearer TOKEN` (RFC 6750 section 2.1).
    Bearer(&'h str),
    /// The token alone, as Okta can be told to send it.
    Plain(&'h str),
    /// `Basic` (RFC 7617).
    Basic {
        /// Before the first colon.
        user: String,
        /// After it.
        password: String,
    },
}

/// Why nothing is shown that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotShown {
    /// There is no header.
    Nothing,
    /// There are several headers, or something that is not a token.
    NotOne,
}

/// Reads the header. Two headers are refused: one of them would not be checked.
pub(super) fn shown(headers: &HeaderMap) -> Result<Shown<'_>, NotShown> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let value = given.next().ok_or(NotShown::Nothing)?;
    if given.next().is_some() || value.len() > MAX {
        return Err(NotShown::NotOne);
    }
    let text = value.to_str().map_err(|_| NotShown::NotOne)?.trim();
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    if !rest.is_empty() && scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Shown::Bearer(rest));
    }
    if !rest.is_empty() && scheme.eq_ignore_ascii_case("basic") {
        let (user, password) = basic(rest).ok_or(NotShown::NotOne)?;
        return Ok(Shown::Basic { user, password });
    }
    if text.is_empty() || !rest.is_empty() {
        return Err(NotShown::NotOne);
    }
    Ok(Shown::Plain(text))
}

/// User and password of Basic credentials. Clients leave the padding out now and then.
pub(super) fn basic(credentials: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(credentials).or_else(|_| STANDARD_NO_PAD.decode(credentials)).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    (!password.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<(&'static str, String), NotShown> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        shown(&headers).map(|shown| match shown {
            Shown::Bearer(text) => ("bearer", text.to_owned()),
            Shown::Plain(text) => ("plain", text.to_owned()),
            Shown::Basic { user, password } => ("basic", format!("{user} {password}")),
        })
    }

    #[test]
    fn the_scheme_is_compared_without_case_and_one_header_alone_counts() {
        for good in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(of(&[good]), Ok(("bearer", "abc".into())), "{good}");
        }
        assert_eq!(of(&["abc"]), Ok(("plain", "abc".into())));
        assert_eq!(of(&["Bearer"]), Ok(("plain", "Bearer".into())), "no token is spelled so");
        assert_eq!(of(&[]), Err(NotShown::Nothing));
        for bad in [&[""][..], &["Bearer a", "Bearer b"], &["Digest abc"], &["Basic !!!"], &["Basic YWJj"]] {
            assert_eq!(of(bad), Err(NotShown::NotOne), "{bad:?}");
        }
        assert_eq!(of(&[&format!("Bearer {}", "x".repeat(MAX))]), Err(NotShown::NotOne));
    }

    #[test]
    fn basic_credentials_end_the_user_at_the_first_colon() {
        let sent = |text: &str| of(&[&format!("Basic {}", STANDARD.encode(text))]);
        assert_eq!(sent("okta:a:b"), Ok(("basic", "okta a:b".into())));
        assert_eq!(sent(":a"), Ok(("basic", " a".into())));
        assert_eq!(of(&["basic b2t0YTphYg"]), Ok(("basic", "okta ab".into())), "without padding");
        assert_eq!(sent("okta:"), Err(NotShown::NotOne));
    }
}
