//! Why there is no token, in a sentence with a remedy.

use std::fmt;
use std::fmt::Write as _;

use axon_model::name::shown;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::code::{code_of, meaning, passes};
use crate::scrub::Scrub;
use crate::wire::{Answer, WireError};

/// How far two clocks may be apart before it is worth a word.
const SKEW: Duration = Duration::minutes(5);

/// Why there is no token. Never holds a token, a secret or an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// The endpoint gave no answer.
    Wire(WireError),
    /// The endpoint refused.
    Refused {
        /// The number of Entra's code (AADSTS…), where there is one.
        code: Option<u32>,
        /// What it means, and what helps.
        text: String,
        /// Whether it may pass by itself.
        passes: bool,
    },
    /// The endpoint was asked too fast, or said a moment ago that it was.
    Hasty {
        /// Which endpoint.
        endpoint: &'static str,
        /// How long it wants to be left alone.
        wait: std::time::Duration,
    },
    /// What Axon shows to get a token cannot be had: a file, a key, an answer that is none.
    Unusable(String),
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Hasty { endpoint, wait } => {
                write!(f, "{endpoint} is asked too fast: it is left alone for {} s", wait.as_secs().max(1))
            }
            Self::Refused { text, .. } | Self::Unusable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for TokenFault {}

impl From<WireError> for TokenFault {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

#[derive(Deserialize)]
struct Body {
    error: Option<String>,
    error_description: Option<String>,
    #[serde(default)]
    error_codes: Vec<i64>,
    correlation_id: Option<String>,
}

/// A text of a server for people: one line, without what the server was shown, cut.
fn line(text: &str, most: usize, scrub: &Scrub<'_>) -> String {
    shown(scrub.text(text, most).lines().next().unwrap_or_default()).chars().take(most).collect()
}

impl TokenFault {
    /// What Entra's token endpoint refused. `who` and `presented` name what was shown, without any secret of it.
    pub(super) fn of_entra(
        answer: &Answer,
        who: &str,
        presented: Option<&str>,
        now: OffsetDateTime,
        scrub: &Scrub<'_>,
    ) -> Self {
        let status = answer.status();
        let Ok(body) = serde_json::from_slice::<Body>(answer.body()) else {
            let text = format!("the token endpoint answers {status} to {who}, and no reason with it");
            return Self::Refused { code: None, text, passes: status >= 500 || status == 429 };
        };
        let description = body.error_description.unwrap_or_default();
        let code = code_of(&body.error_codes, &description);
        let mut text = match code {
            Some(code) => format!("Entra refuses {who} (AADSTS{code}): "),
            None => format!("Entra refuses {who} ({}): ", line(&body.error.unwrap_or_default(), 80, scrub)),
        };
        match code.and_then(meaning) {
            Some(meaning) => text.push_str(meaning),
            None => text.push_str(&line(&description, 300, scrub)),
        }
        if let (Some(presented), Some(70_021 | 700_024 | 700_211..=700_213 | 7_002_138)) = (presented, code) {
            text.push_str("; presented is ");
            text.push_str(presented);
        }
        if let Some(ahead) = answer.ahead(now).filter(|ahead| ahead.abs() > SKEW) {
            let (side, by) = if ahead.is_positive() { ("ahead of", ahead) } else { ("behind", -ahead) };
            let _ = write!(text, "; this machine's clock is {} s {side} Entra's", by.whole_seconds());
        }
        if let Some(id) = body.correlation_id.as_deref().filter(|id| id.len() == 36) {
            let _ = write!(text, " [correlation id {}]", line(id, 36, scrub));
        }
        Self::Refused { code, text, passes: status >= 500 || status == 429 || code.is_some_and(passes) }
    }

    /// What the machine's own metadata refused.
    /// `by_header` says that it was asked at the platform's endpoint, and not at a machine's metadata address.
    pub(super) fn of_platform(answer: &Answer, who: &str, by_header: bool, scrub: &Scrub<'_>) -> Self {
        let status = answer.status();
        let body = serde_json::from_slice::<Body>(answer.body()).ok();
        let word =
            body.as_ref().and_then(|b| b.error.as_deref()).map(|w| line(w, 80, scrub)).unwrap_or_default();
        let why = body.and_then(|b| b.error_description).map(|d| line(&d, 300, scrub)).unwrap_or_default();
        let text = match status {
            400 => format!(
                "the machine gives no token to {who} ({word}): {why}; it has no such identity, or several and none is chosen: \
                 assign one to the machine, and name it with client_id"
            ),
            401 | 403 if !by_header => format!(
                "the machine's metadata address refuses a token for {who} (status {status} {word}): a proxy or a rule on this \
                 machine or in its cluster stands before 169.254.169.254, or keeps Axon from it: let Axon reach it directly"
            ),
            401 | 403 => format!(
                "the machine's identity endpoint does not accept Axon's header ({word}): restart Axon, since the platform \
                 changes IDENTITY_ENDPOINT and IDENTITY_HEADER"
            ),
            404 | 410 | 429 | 500.. => {
                format!(
                    "the machine's identity endpoint is not ready for {who} (status {status} {word}): it is asked again"
                )
            }
            _ => format!("the machine gives no token to {who} (status {status} {word}): {why}"),
        };
        Self::Refused { code: None, text, passes: matches!(status, 404 | 410 | 429 | 500..) }
    }

    /// Whether it may pass by itself.
    pub fn passes(&self) -> bool {
        match self {
            Self::Wire(_) | Self::Hasty { .. } => true,
            Self::Refused { passes, .. } => *passes,
            Self::Unusable(_) => false,
        }
    }
}
