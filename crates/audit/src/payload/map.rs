//! Versions of the role map: who brought one, by which way, and who let it go on.

use axon_model::MapVersion;
use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// By which way a version came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapWay {
    /// The configured file changed.
    File,
    /// A command on the store, run under a login of its machine.
    Login,
    /// An operator's token.
    Operator,
    /// The signed token of a job.
    Job,
}

impl MapWay {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::File, Self::Login, Self::Operator, Self::Job];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Login => "login",
            Self::Operator => "operator",
            Self::Job => "job",
        }
    }

    /// The way of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// Who brought or released a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapAuthor {
    /// By which way.
    pub way: MapWay,
    /// The login, the operator's name, the name of the job's rule; of a file the word `file`.
    pub name: String,
    /// The run, where it was a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobRun>,
}

/// One run of a job, as its token tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// Who signed.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// The project or repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The branch or ref that it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The pipeline, workflow or run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who triggered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggered_by: Option<String>,
    /// Which of these the job said itself, beside its token: its issuer does not vouch for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<String>,
}

impl MapAuthor {
    /// The owner of the configured file, whoever that is.
    pub fn file() -> Self {
        Self { way: MapWay::File, name: "file".into(), job: None }
    }

    /// A login of a machine that can open the store.
    pub fn login(name: impl Into<String>) -> Self {
        Self { way: MapWay::Login, name: name.into(), job: None }
    }

    /// Whether the two may be one person: by the name that they are known by, or by whom a job says that triggered it. Names
    /// compare without case and whichever way they came: `kim` at the command line is `kim` with a token. Of a file nobody
    /// knows whose it is: it is the same as itself only.
    pub fn may_be(&self, other: &Self) -> bool {
        self.names().any(|mine| other.names().any(|theirs| folded(mine) == folded(theirs)))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let triggered = self.job.as_ref().and_then(|job| job.triggered_by.as_deref());
        std::iter::once(self.name.as_str()).chain(triggered)
    }
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

impl std::fmt::Display for MapAuthor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.way {
            MapWay::File => f.write_str("the configured file")?,
            MapWay::Login | MapWay::Operator | MapWay::Job => {
                write!(f, "{} {}", self.way.as_str(), axon_model::name::shown(&self.name))?;
            }
        }
        let Some(JobRun { issuer: _, subject, project, branch, pipeline, commit, triggered_by, declared: _ }) =
            &self.job
        else {
            return Ok(());
        };
        let mut parts = Vec::new();
        let mut part = |what: &str, value: &Option<String>| {
            if let Some(value) = value {
                parts.push(format!("{what} {}", axon_model::name::shown(value)));
            }
        };
        part("project", project);
        part("branch", branch);
        part("pipeline", pipeline);
        part("commit", commit);
        part("triggered by", triggered_by);
        if parts.is_empty() {
            parts.push(format!("subject {}", axon_model::name::shown(subject)));
        }
        write!(f, " ({})", parts.join(", "))
    }
}

/// What names people in the record of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapClear {
    /// Who brought it.
    pub author: MapAuthor,
    /// What they said.
    pub comment: String,
    /// Who released or rejected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<MapAuthor>,
}

/// A version of the role map came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapVersionAdopted {
    /// The version: the digest of its text.
    pub version: MapVersion,
    /// The version before.
    pub before: Option<MapVersion>,
    /// How many files.
    pub files: u64,
    /// How many bytes of text.
    pub bytes: u64,
    /// By which way it came; not said in records of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<MapWay>,
    /// The clear part.
    #[serde(skip)]
    pub clear: Option<MapClear>,
}

/// What happened to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProposalVerb {
    /// It began to wait.
    Proposed,
    /// A second person let it go on: the record of the version follows.
    Released,
    /// Somebody said no.
    Rejected,
}

/// A version of the role map waits for a second person, or does no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapProposalChange {
    /// What happened.
    pub verb: ProposalVerb,
    /// The version.
    pub version: MapVersion,
    /// The version that it would follow.
    pub before: Option<MapVersion>,
    /// By which way it came.
    pub way: MapWay,
    /// The clear part.
    #[serde(skip)]
    pub clear: Option<MapClear>,
}

impl Payload for MapVersionAdopted {
    const KIND: RecordKind = RecordKind::MapVersion;
    type Facts = Self;
    type Clear = MapClear;

    fn split(mut self) -> (Self, Option<MapClear>) {
        let clear = self.clear.take();
        (self, clear)
    }
}

impl Payload for MapProposalChange {
    const KIND: RecordKind = RecordKind::MapProposal;
    type Facts = Self;
    type Clear = MapClear;

    fn split(mut self) -> (Self, Option<MapClear>) {
        let clear = self.clear.take();
        (self, clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(name: &str) -> MapAuthor {
        MapAuthor { way: MapWay::Operator, name: name.into(), job: None }
    }

    fn job(rule: &str, triggered_by: &str) -> MapAuthor {
        let job = JobRun {
            issuer: "https://ci".into(),
            subject: "s".into(),
            project: Some("acme/warehouse".into()),
            commit: Some("abc".into()),
            triggered_by: Some(triggered_by.into()),
            ..JobRun::default()
        };
        MapAuthor { way: MapWay::Job, name: rule.into(), job: Some(job) }
    }

    #[test]
    fn one_person_is_one_by_whichever_way() {
        assert!(operator("kim").may_be(&MapAuthor::login("Kim")));
        assert!(job("main", "kim").may_be(&operator("kim")), "who triggered a job is behind it");
        assert!(job("main", "kim").may_be(&job("main", "lee")), "one rule is one identity");
        assert!(!job("main", "kim").may_be(&operator("lee")));
        assert!(!MapAuthor::file().may_be(&operator("kim")));
        assert!(MapAuthor::file().may_be(&MapAuthor::file()));
    }

    #[test]
    fn an_author_is_shown_with_the_run() {
        assert_eq!(operator("kim").to_string(), "operator kim");
        assert_eq!(
            job("main", "lee").to_string(),
            "job main (project acme/warehouse, commit abc, triggered by lee)"
        );
    }

    #[test]
    fn records_of_earlier_releases_are_read() {
        let old = serde_json::json!({ "version": "a", "before": null, "files": 1, "bytes": 2 });
        let read: MapVersionAdopted = serde_json::from_value(old.clone()).unwrap();
        assert_eq!((read.way, read.clear.clone()), (None, None));
        assert_eq!(serde_json::to_value(read).unwrap(), old);
    }
}
