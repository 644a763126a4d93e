//! What a pool can do, asked of the pool: at first contact, and again when its version changes.

use std::time::{Duration, Instant};

use axon_reconcile::{RefusalKind, TargetError};
use serde::{Deserialize, Serialize};
use time::PrimitiveDateTime;

use crate::catalog::{number, text};
use crate::connect::{Link, Session};
use crate::error::CallError;
use crate::render::{self, ProbeText};
use crate::statement::Dialect;
use crate::target::SynapseTarget;

/// What one probe told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The pool knows it.
    Yes,
    /// It does not.
    No,
    /// It knows it, but our principal may not.
    Forbidden,
    /// The probe did not come to an end.
    Unclear,
}

impl Answer {
    /// The word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Forbidden => "forbidden",
            Self::Unclear => "unclear",
        }
    }
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What was asked.
    pub name: String,
    /// What it told.
    pub answer: Answer,
    /// The number of the refusal behind it, 0 where there was none.
    pub number: i64,
}

/// Everything that was probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// `@@VERSION`, first line.
    pub version: String,
    /// `SERVERPROPERTY('EngineEdition')`
    pub edition: i64,
    /// The answers, in the order of asking.
    pub probes: Vec<Probe>,
}

impl Probes {
    /// Whether they are about what is there now.
    pub fn is_of(&self, greeting: &Greeting) -> bool {
        self.is_of_version(&greeting.version, greeting.edition)
    }

    /// Whether they are about a pool that says this of itself.
    pub fn is_of_version(&self, version: &str, edition: i64) -> bool {
        self.version == first_line(version) && self.edition == edition
    }

    /// Whether they are worth remembering: what passes by itself is not.
    pub fn last(&self) -> bool {
        self.probes.iter().all(|probe| probe.answer != Answer::Unclear && !probe.is_directory_trouble())
    }
}

impl Probe {
    /// The server could not ask the directory: for want of a right, or for a while.
    pub fn is_directory_trouble(&self) -> bool {
        matches!(self.number, 33134 | 33136)
    }
}

/// What a pool says of itself at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// `@@VERSION`, first line.
    pub version: String,
    /// `SERVERPROPERTY('EngineEdition')`
    pub edition: i64,
    /// As whom we are there.
    pub own: String,
    /// Its clock, UTC.
    pub clock: PrimitiveDateTime,
    /// How long connecting and logging in took.
    pub login: Duration,
}

impl Greeting {
    /// The dialect that the edition tells of, where it is known.
    pub fn dialect(&self) -> Option<Dialect> {
        Dialect::of_edition(self.edition)
    }
}

/// How long one statement took, over several tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    /// What was sent.
    pub what: &'static str,
    /// Shortest first.
    pub took: Vec<Duration>,
}

impl Latency {
    /// Half of the tries took no longer.
    pub fn median(&self) -> Duration {
        self.took.get(self.took.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }

    /// The longest one.
    pub fn longest(&self) -> Duration {
        self.took.last().copied().unwrap_or_default()
    }
}

impl SynapseTarget {
    /// Logs in anew and asks who is there and what time it is.
    pub async fn greet(&self) -> Result<Greeting, TargetError> {
        greet(&Link::new(self.connection().clone()), self.dialect())
            .await
            .map_err(|e| e.at(self.name(), "the greeting"))
    }

    /// Asks for every capability over a connection of its own, which is closed afterwards: what a probe leaves behind ends with
    /// it. Nothing is changed.
    pub async fn probe(&self) -> Result<Probes, TargetError> {
        let link = Link::new(self.connection().clone());
        let found = async {
            let greeting = greet(&link, self.dialect()).await?;
            let mut probes = Vec::new();
            for text in render::probes(self.dialect()) {
                let (answer, number) = ask(&link, &text).await?;
                probes.push(Probe { name: text.name.to_owned(), answer, number });
            }
            Ok(Probes { version: greeting.version, edition: greeting.edition, probes })
        };
        found.await.map_err(|e: CallError| e.at(self.name(), "the probes"))
    }

    /// How long a login, a round trip, a read by name and a read of everything take. Nothing is changed.
    pub async fn calibrate(&self, tries: usize) -> Result<Vec<Latency>, TargetError> {
        let measure = async {
            let names = [self.connection().database];
            let reads = [
                ("a round trip", render::ping()),
                ("a read of one name", render::named(&names, render::NamedMembers::Both, self.dialect())),
                ("a read of everything", render::everything(self.dialect())),
            ];
            let mut logins = Vec::new();
            let mut link = Link::new(self.connection().clone());
            for _ in 0..tries.clamp(1, 5) {
                link = Link::new(self.connection().clone());
                let started = Instant::now();
                drop(link.session().await?);
                logins.push(started.elapsed());
            }
            let mut all = vec![Latency { what: "a login", took: logins }];
            let mut session = link.session().await?;
            for (what, query) in reads {
                let mut took = Vec::new();
                for _ in 0..tries.max(1) {
                    let started = Instant::now();
                    session.read(&query, &mut |_, _| Ok(())).await?;
                    took.push(started.elapsed());
                }
                all.push(Latency { what, took });
            }
            for latency in &mut all {
                latency.took.sort_unstable();
            }
            Ok(all)
        };
        measure.await.map_err(|e: CallError| e.at(self.name(), "the measuring"))
    }
}

async fn greet(link: &Link, dialect: Dialect) -> Result<Greeting, CallError> {
    let started = Instant::now();
    let mut session = link.session().await?;
    let login = started.elapsed();
    let mut found = None;
    session
        .read(&render::greeting(dialect), &mut |_, row| {
            let version = first_line(text(row, 0)?);
            let clock: Option<PrimitiveDateTime> = row.try_get(3).map_err(|e| e.to_string())?;
            found = Some(Greeting {
                version,
                edition: i64::from(number(row, 1)?),
                own: text(row, 2)?.to_owned(),
                clock: clock.ok_or("no clock")?,
                login,
            });
            Ok(())
        })
        .await?;
    found.ok_or_else(|| CallError::Unreadable("no row that says who is there".into()))
}

fn first_line(version: &str) -> String {
    version.lines().next().unwrap_or_default().chars().take(200).collect()
}

async fn ask(link: &Link, probe: &ProbeText) -> Result<(Answer, i64), CallError> {
    let mut session = link.session().await?;
    for batch in &probe.batches {
        match run(&mut session, batch).await {
            Ok(()) => {}
            // Its number is on no page; its words are.
            Err(CallError::Refused { refusal, .. }) if refusal.message.contains(REPLICATED) => {
                return Ok((Answer::No, refusal.number));
            }
            Err(CallError::Refused { refusal, .. }) => {
                return Ok((meaning(refusal.kind, refusal.number), refusal.number));
            }
            Err(CallError::Broken(_) | CallError::Stale(_) | CallError::Unreadable(_)) => {
                return Ok((Answer::Unclear, 0));
            }
            Err(other) => return Err(other),
        }
    }
    Ok((Answer::Yes, 0))
}

/// What a database that Spark owns says to every change of itself.
const REPLICATED: &str = "replicated database";

async fn run(session: &mut Session<'_>, batch: &render::Sql) -> Result<(), CallError> {
    session.run(batch).await
}

/// A refusal of what is nowhere says that the words were understood; a refusal of the words says that they were not.
fn meaning(kind: RefusalKind, number: i64) -> Answer {
    // The option is known and its value is not; the probes that create name a schema that is nowhere; nobody is there to be put on.
    if matches!(number, 33162 | 33163 | 33168 | 33170 | 2760 | 15517 | 15157) {
        return Answer::Yes;
    }
    match (kind, number) {
        // No such object, built-in function, procedure, column; DDL in a transaction; and what distributed engines refuse with
        // numbers of their own.
        (_, 207 | 208 | 195 | 2812 | 111_212)
        | (RefusalKind::Unsupported, _)
        | (RefusalKind::Other, 100_000..) => Answer::No,
        (RefusalKind::Paused | RefusalKind::Busy | RefusalKind::Login | RefusalKind::Other, _) => {
            Answer::Unclear
        }
        (RefusalKind::Forbidden, _) => Answer::Forbidden,
        _ => Answer::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_error;

    #[test]
    fn a_refusal_of_the_words_is_no_and_one_of_the_name_is_yes() {
        for (number, answer) in [
            (103_010, Answer::No),
            (102, Answer::No),
            (208, Answer::No),
            (195, Answer::No),
            (15871, Answer::No),
            (111_212, Answer::No),
            (104_473, Answer::No),
            (15151, Answer::Yes),
            (33130, Answer::Yes),
            (33134, Answer::Yes),
            (33159, Answer::Yes),
            (33163, Answer::Yes),
            (2760, Answer::Yes),
            (15517, Answer::Yes),
            (229, Answer::Forbidden),
            (40501, Answer::Unclear),
            (50000, Answer::Unclear),
        ] {
            assert_eq!(meaning(server_error::meaning(number).0, number), answer, "{number}");
        }
    }

    #[test]
    fn the_median_is_one_of_the_tries() {
        let of = |took: &[u64]| Latency {
            what: "x",
            took: took.iter().map(|n| Duration::from_millis(*n)).collect(),
        };
        assert_eq!(of(&[]).median(), Duration::ZERO);
        assert_eq!(of(&[3]).median(), Duration::from_millis(3));
        assert_eq!(of(&[1, 2, 3, 9]).median(), Duration::from_millis(2));
        assert_eq!(of(&[1, 2, 3, 9]).longest(), Duration::from_millis(9));
    }
}
