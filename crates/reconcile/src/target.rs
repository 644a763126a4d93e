//! The ports: a place where access is enforced, and where its tokens come from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Membership};
use crate::secure::{
    FilterShown, LiveSession, Metadata, ProbeAnswer, ProbeCase, ProbeReader, TableFilter, ViewText,
    ViewsAsked, ViewsThere,
};
use crate::shape::Shape;
use crate::visitor::Visitor;
use crate::wave::Wave;

/// A principal's security id: 16 bytes for Entra (users and groups: the object id; applications: the client id, as
/// `CAST(CAST('guid' AS uniqueidentifier) AS varbinary(16))`); of longer ones the first 16 count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(Box<[u8]>);

impl Sid {
    /// The id in these bytes, cut to the first 16 where an Entra login's suffix follows.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let entra = bytes.len() > 16 && bytes.ends_with(b"AADE");
        Self(if entra { &bytes[..16] } else { bytes }.into())
    }

    /// The id of the Entra object with this GUID: the first three fields are little-endian.
    pub fn from_object_id(text: &str) -> Option<Self> {
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        if text.len() != 36 || hex.len() != 32 || !hex.is_ascii() {
            return None;
        }
        let mut bytes = [0_u8; 16];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
        }
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        Some(Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it tells its bearer from everybody else: ids of the directory and of logins have 16 bytes, and are not all zero.
    pub fn tells(&self) -> bool {
        self.0.len() == 16 && self.0.iter().any(|byte| *byte != 0)
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02X}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not `0x` and an even number of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a security id: expected 0x and hexadecimal digits")]
pub struct BadSid;

impl FromStr for Sid {
    type Err = BadSid;

    fn from_str(text: &str) -> Result<Self, BadSid> {
        let hex = text
            .strip_prefix("0x")
            .filter(|h| h.is_ascii() && h.len() % 2 == 0 && h.len() <= 170)
            .ok_or(BadSid)?;
        let bytes: Result<Vec<u8>, _> =
            (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16)).collect();
        bytes.map(|b| Self(b.into())).map_err(|_| BadSid)
    }
}

impl Serialize for Sid {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sid {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What to read of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectScope {
    /// All of it.
    Full,
    /// These principals and roles, with what they hold.
    Principals(Vec<SqlName>),
}

/// What a target told about itself at first contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// What it calls its product and version, for people.
    pub version: String,
    /// `SERVERPROPERTY('EngineEdition')`: 6 dedicated, 11 serverless.
    pub engine_edition: i64,
    /// The database principal that Axon is there.
    pub own_principal: SqlName,
    /// Principals that may administer it: `dbo` and the members of `db_owner`.
    pub administrators: Vec<SqlName>,
}

/// What was read of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its permissions.
    pub graph: Graph,
    /// What permissions can be given on. Empty where only principals were asked for.
    pub shape: Shape,
    /// What it is.
    pub facts: TargetFacts,
    /// Why parts of it could not be seen; not empty means that absence proves nothing.
    pub unseen: Vec<String>,
}

/// When an operation may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// At once.
    Now,
    /// After this long.
    After(Duration),
    /// Not before somebody changed something.
    Never,
}

/// What kind of refusal a target gave: one meaning per cause, whatever the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// It is already so: converged.
    AlreadyThere,
    /// A principal, role or securable is not there.
    Missing,
    /// Axon's principal may not do this.
    Forbidden,
    /// The directory has no such principal (33130), or several (33131).
    DirectoryUnknown,
    /// The directory could not be asked (33134, 33136).
    DirectoryUnavailable,
    /// The session is not an Entra one (33159).
    NeedsEntra,
    /// Something depends on it: owned, granted by, or with members.
    Blocked,
    /// The pool is paused.
    Paused,
    /// Busy, throttled, warming up, failing over.
    Busy,
    /// Who Axon says it is was not accepted.
    Login,
    /// The statement is not one that this pool takes.
    Unsupported,
    /// A number that the table does not hold.
    Other,
}

/// A target's own words about a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// The server's error number.
    pub number: i64,
    /// The server's text. May hold personal names.
    pub message: String,
}

impl Refusal {
    /// The message where a target took a step and its catalog does not show it.
    pub const NOT_SHOWN: &'static str = "the target took it, but its catalog does not show it";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.number, axon_model::name::shown(&self.message))
    }
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The target answered that it is done.
    Done {
        /// The statement texts as sent.
        statements: Vec<String>,
        /// How long the target took, microseconds.
        micros: u64,
    },
    /// The target refused.
    Refused {
        /// The statement texts as sent.
        statements: Vec<String>,
        /// Its words.
        refusal: Refusal,
    },
    /// The connection broke: it may have happened or not. Inspect again, never replay.
    Unknown {
        /// The statement texts as sent.
        statements: Vec<String>,
        /// What broke.
        reason: String,
    },
    /// A step before it ended the wave.
    NotTried,
}

/// What the catalog shows of one step's effect afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// The catalog shows what the step asks for.
    InForce,
    /// It does not.
    NotInForce,
}

/// Why a target could not be read or reached.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// No connection.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// Which target.
        target: String,
        /// What happened.
        reason: String,
    },
    /// It answered and refused.
    #[error("{target} refused {attempt}: {refusal}")]
    Refused {
        /// Which target.
        target: String,
        /// What was attempted.
        attempt: &'static str,
        /// Its words.
        refusal: Refusal,
        /// When to try again.
        retry: Retry,
    },
    /// Its answer makes no sense to this version.
    #[error("{target} gave an answer to {attempt} that cannot be read: {reason}")]
    Unreadable {
        /// Which target.
        target: String,
        /// What was attempted.
        attempt: &'static str,
        /// What was wrong with it.
        reason: String,
    },
    /// There is no token to show.
    #[error("no token for {target}: {reason}")]
    NoToken {
        /// Which target.
        target: String,
        /// What went wrong, without the token.
        reason: String,
    },
}

impl TargetError {
    /// When it may be tried again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::NoToken { .. } => Retry::After(Duration::from_secs(5)),
            Self::Refused { retry, .. } => *retry,
            Self::Unreadable { .. } => Retry::Never,
        }
    }
}

/// A place where access is enforced.
#[async_trait]
pub trait Target: Send + Sync {
    /// Tells the target of whom and of which roles the desired side speaks, before the two sides are compared. A target that knows
    /// principals by another id than their name looks here whom each name means. True: an inspection would say other names now.
    async fn introduce(&self, _desired: &Graph) -> Result<bool, TargetError> {
        Ok(false)
    }
    /// What tells a membership from all others whatever the role map calls its role and its member; none where their names do.
    fn row_of(&self, _membership: Membership) -> Option<String> {
        None
    }
    /// Whether a membership may be one that the role map asks for, under a name that the target cannot resolve: its row says nothing
    /// of whose it is then.
    fn is_unsure_of(&self, _membership: Membership) -> bool {
        false
    }
    /// What is configured and had no effect yet at the last look, in sentences: some services take minutes.
    fn settling(&self) -> Vec<String> {
        Vec::new()
    }
    /// What people should know of the place since the last look, in sentences: nothing of it is hidden by that, and nothing waits for it.
    fn advice(&self) -> Vec<String> {
        Vec::new()
    }
    /// In how long it is worth asking again whether what settles has effect; none where nothing settles.
    fn look_again(&self) -> Option<Duration> {
        None
    }
    /// Asks whether what settles has effect by now, where it is time for it.
    async fn settle(&self) {}
    /// Whether all is as the last look left it, as far as one cheap request can tell. No, where targets of its kind have no such
    /// request, and where it is time to look at all of it.
    async fn is_unchanged(&self) -> Result<bool, TargetError> {
        Ok(false)
    }
    /// For how long a server that refused a step wants to be left alone, where it says so itself.
    fn asks_for(&self, _refusal: &Refusal) -> Option<std::time::Duration> {
        None
    }
    /// Reads what stands there of secure views; none where targets of its kind hold none.
    async fn inspect_views(&self, _asked: &ViewsAsked) -> Result<Option<ViewsThere>, TargetError> {
        Ok(None)
    }
    /// Draws the key of this id that is made next, and gives the digest that the target will show of it: whoever writes that down first
    /// knows the key again, whatever comes between. None where the target makes no keys, or cannot tell.
    fn draw_key(&self, _id: &str) -> Option<String> {
        None
    }
    /// Whether a permission to read views as another holds in one session there, since sessions have no context to choose it by.
    fn acts_by_session(&self) -> bool {
        false
    }
    /// Those of these sessions that live; none where Axon may not see them.
    async fn live_sessions(&self, _ids: &[String]) -> Result<Option<Vec<LiveSession>>, TargetError> {
        Ok(None)
    }
    /// Reads views as this reader, plain and hostile questions both, and compares what is seen with what each case says: one answer
    /// for each. None where targets of its kind hold no views.
    async fn probe_views(
        &self,
        _metadata: &Metadata,
        _reader: &ProbeReader,
        _cases: &[ProbeCase],
    ) -> Result<Option<Vec<ProbeAnswer>>, TargetError> {
        Ok(None)
    }
    /// Takes away what a probe left there that ended half-way, as soon as no probe can be under way any more. Why it still stands, if
    /// it does.
    async fn clear_probes(&self) -> Result<Option<String>, TargetError> {
        Ok(None)
    }
    /// The digest that [`ViewsThere`] has of a view with this text.
    fn view_digest(&self, _text: ViewText<'_>, _metadata: &Metadata) -> Option<String> {
        None
    }
    /// What [`ViewsThere`] has of a filter that is as it ought to be.
    fn filter_shown(&self, _filter: &TableFilter, _metadata: &Metadata) -> Option<FilterShown> {
        None
    }
    /// Reads the workload classifiers there; none where targets of its kind have none.
    async fn inspect_classifiers(&self) -> Result<Option<Vec<crate::classifier::Classifier>>, TargetError> {
        Ok(None)
    }
    /// The place as a folder of files that somebody else runs, if it is one: then nothing is ever applied.
    fn script(&self) -> Option<&dyn crate::script::Script> {
        None
    }
    /// Reads what is in force.
    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError>;
    /// Learns what the place can do: from `kept`, where that is of what is there now, else by asking it. What comes back is to be kept
    /// and given again.
    async fn acquaint(
        &self,
        _kept: Option<serde_json::Value>,
    ) -> Result<Option<serde_json::Value>, TargetError> {
        Ok(None)
    }
    /// Is reminded of what [`acquaint`](Self::acquaint) gave, where that is of what is there now. Asks nothing.
    fn recall(&self, _kept: serde_json::Value, _facts: &TargetFacts) {}
    /// Why the place cannot do a step, as far as is known without asking it: what it is, and what it told when it was asked what it can
    /// do. Such a step is not sent.
    fn lacks(&self, _step: &crate::step::Step) -> Option<String> {
        None
    }
    /// Who has a session in the place, each once: somebody may have dropped the user of one who is in, or shut one out who is still in.
    /// Asked after a full look, in one request. None where that cannot be seen: then [`lacks`](Self::lacks) says of a KILL why, and
    /// asking costs the place nothing.
    async fn visitors(&self) -> Result<Option<Vec<Visitor>>, TargetError> {
        Ok(Some(Vec::new()))
    }
    /// Applies steps in order, each alone. Stops at the first that is not `Done` or already there; one outcome per step.
    async fn apply(&self, wave: &Wave) -> Vec<Outcome>;
    /// Reads from the catalog whether the steps' effects are there, one answer per step.
    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError>;
}

/// Where a bearer token for a target comes from.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token that is valid now. The value is secret: never logged, never in an error.
    async fn token(&self) -> Result<secrecy::SecretString, TokenError>;
}

/// Why there is no token. Never holds the token.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TokenError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_the_object_id_with_three_fields_turned() {
        let sid = Sid::from_object_id("01234567-89ab-cdef-0123-456789abcdef").unwrap();
        assert_eq!(sid.to_string(), "0x67452301AB89EFCD0123456789ABCDEF");
        assert_eq!("0x67452301AB89EFCD0123456789ABCDEF".parse(), Ok(sid.clone()));
        let mut long = sid.as_bytes().to_vec();
        long.extend_from_slice(b"AADE");
        assert_eq!(Sid::from_bytes(&long), sid);
        assert_eq!(Sid::from_object_id("00u1abcd"), None);
    }
}
