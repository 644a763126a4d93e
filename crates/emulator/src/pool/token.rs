//! The claims of an access token. Signatures are not checked: this is a stand-in, and says so.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::answer::ServerError;
use crate::errors;

/// Longest token that is looked at.
const MAX_TOKEN: usize = 128 * 1024;

/// Audiences of tokens for SQL, in the three clouds.
const SQL: [&str; 3] = [
    "https://database.windows.net",
    "https://database.usgovcloudapi.net",
    "https://database.chinacloudapi.cn",
];

/// What a token says about who holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Claims {
    pub(crate) upn: Option<String>,
    preferred_username: Option<String>,
    unique_name: Option<String>,
    pub(crate) oid: Option<String>,
    pub(crate) appid: Option<String>,
    azp: Option<String>,
    idtyp: Option<String>,
    pub(crate) tid: Option<String>,
    pub(crate) groups: Vec<String>,
    exp: Option<i64>,
    aud: Option<String>,
}

impl Claims {
    /// Reads a JWT and checks that it has not expired.
    pub(crate) fn read(jwt: &str, now: OffsetDateTime) -> Result<Self, ServerError> {
        let refused = || errors::login_failed("<token-identified principal>");
        if jwt.len() > MAX_TOKEN {
            return Err(refused());
        }
        let mut parts = jwt.split('.');
        let payload = parts.nth(1).filter(|_| parts.clone().count() == 1).ok_or_else(refused)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).map_err(|_| refused())?;
        let claims: Self = serde_json::from_slice(&bytes).map_err(|_| refused())?;
        // A token for another service is not taken; one that names none is, for short tests.
        if claims.aud.as_deref().is_some_and(|aud| !SQL.contains(&aud.trim_end_matches('/'))) {
            return Err(refused());
        }
        if claims.exp.is_some_and(|exp| exp <= now.unix_timestamp()) {
            return Err(errors::token_expired());
        }
        Ok(claims)
    }

    /// The person's UPN; none for an application's token.
    pub(crate) fn person(&self) -> Option<&str> {
        if self.idtyp.as_deref() == Some("app") {
            return None;
        }
        self.upn.as_deref().or(self.preferred_username.as_deref()).or(self.unique_name.as_deref())
    }

    /// The client id, if the token is an application's own.
    pub(crate) fn application(&self) -> Option<&str> {
        if self.person().is_some() {
            return None;
        }
        self.appid.as_deref().or(self.azp.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn claims_name_a_person_or_an_application() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let person = Claims::read(&jwt(r#"{"upn":"a@x","appid":"cli","exp":10}"#), now).unwrap();
        assert_eq!((person.person(), person.application()), (Some("a@x"), None));
        let app = Claims::read(&jwt(r#"{"appid":"id","oid":"o"}"#), now).unwrap();
        assert_eq!((app.person(), app.application()), (None, Some("id")));
    }

    #[test]
    fn expired_and_broken_tokens_are_18456() {
        let later = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(11);
        let expired = Claims::read(&jwt(r#"{"upn":"a@x","exp":10}"#), later).unwrap_err();
        assert_eq!((expired.number, expired.class), (18456, 14));
        assert!(expired.message.ends_with("Token is expired."));
        for broken in ["", "a", "a.b.c", "a.e30", "....", "e30.WzFd.x"] {
            assert_eq!(Claims::read(broken, later).unwrap_err().number, 18456, "{broken}");
        }
    }
}
