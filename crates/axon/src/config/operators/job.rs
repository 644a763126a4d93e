//! A rule for jobs: which system signs, which project and branch, and what such a job may do.

use std::collections::BTreeMap;

use axon_api::operators::JobRule;
use axon_identity_token::{Condition, Rule};
use axon_mapping::service::PROJECT_CLAIMS;
use axon_store::operators::{Permission, Permissions};
use serde::{Deserialize, Serialize};

use super::{OneOrMany, issuer, rule};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const GITLAB: &str = "https://gitlab.com";
/// Claims that say the branch or ref, for issuers that have no key of their own here.
const REF_CLAIMS: [&str; 4] = ["oidc.circleci.com/vcs-ref", "ref", "ref_path", "job_workflow_ref"];
/// Claims that have a key of their own, or are always looked at.
const NOT_CLAIMS: [&str; 5] = ["iss", "aud", "exp", "nbf", "iat"];

/// A rule for jobs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// A project of CircleCI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circleci: Option<CircleCi>,
    /// A repository with GitHub Actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHub>,
    /// A project of GitLab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitlab: Option<GitLab>,
    /// Another issuer, or the address of a system's own installation: `iss`, exactly as its tokens spell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where its keys are, where it has no discovery document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// One of these must be in `aud`. Of CircleCI it is the organization, if left out.
    #[serde(default)]
    pub audience: OneOrMany,
    /// More claims, each with its value or the values of which it must have one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, OneOrMany>,
    /// What it may do: map.read, map.push, map.release, holds.read, holds.release, offboard, grant, integrations.read, integrations.write.
    pub may: OneOrMany,
    /// Whether what it pushes waits for a person.
    #[serde(default)]
    pub second_person: bool,
}

/// A project of CircleCI.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CircleCi {
    /// The organization's id.
    pub organization: String,
    /// The project's id, or several.
    pub project: OneOrMany,
    /// Contexts that the job must use, by id: all of them. A restricted one makes it an approval.
    #[serde(default)]
    pub contexts: OneOrMany,
    /// The branch, or several.
    #[serde(default)]
    pub branch: OneOrMany,
    /// The repository, as github.com/acme/warehouse.
    #[serde(default)]
    pub origin: OneOrMany,
}

/// A repository with GitHub Actions.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GitHub {
    /// The repository, as acme/warehouse.
    pub repository: String,
    /// The branch, or several.
    #[serde(default)]
    pub branch: OneOrMany,
    /// The environment, whose protection rules then count.
    #[serde(default)]
    pub environment: OneOrMany,
    /// The workflow's file, as .github/workflows/role-map.yml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What may have started it. `pull_request_target` runs on the branch with what others wrote: it is not among them.
    #[serde(default = "events")]
    pub events: OneOrMany,
}

/// A project of GitLab.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GitLab {
    /// The project's path, as acme/warehouse.
    pub project: String,
    /// The branch, or several.
    #[serde(default)]
    pub branch: OneOrMany,
    /// Whether the branch must be protected.
    #[serde(default = "yes")]
    pub protected: bool,
    /// The environment.
    #[serde(default)]
    pub environment: OneOrMany,
}

fn events() -> OneOrMany {
    OneOrMany(["push", "workflow_dispatch", "schedule"].map(str::to_owned).into())
}

fn yes() -> bool {
    true
}

/// Conditions as they are put together.
struct Conditions(Vec<Condition>);

impl Conditions {
    fn one_of(&mut self, claim: &str, values: &OneOrMany) {
        if !values.0.is_empty() {
            self.0.push(Condition { claim: claim.to_owned(), one_of: values.0.clone() });
        }
    }

    fn is(&mut self, claim: &str, value: &str) {
        self.one_of(claim, &OneOrMany(vec![value.to_owned()]));
    }
}

fn heads(branches: &OneOrMany) -> OneOrMany {
    OneOrMany(branches.0.iter().map(|branch| format!("refs/heads/{branch}")).collect())
}

impl Job {
    /// What such a job may do.
    pub(super) fn gives(&self, name: &str) -> Result<JobRule, String> {
        let may: Permissions = self.may.0.join(",").parse().map_err(|e| format!("`may`: {e}"))?;
        Ok(JobRule { name: name.to_owned(), may, second_person: self.second_person })
    }

    /// The rule for its tokens.
    pub(super) fn rule(&self) -> Result<Rule, String> {
        let changes = {
            let may = self.gives("")?.may;
            may.has(Permission::MapPush)
                || may.has(Permission::MapRelease)
                || may.has(Permission::HoldsRelease)
        };
        let mut conditions = Conditions(Vec::new());
        let mut audience = self.audience.clone();
        let name = match (&self.circleci, &self.github, &self.gitlab) {
            (Some(circleci), None, None) => {
                circleci.conditions(&mut conditions)?;
                if audience.0.is_empty() {
                    audience.0.push(circleci.organization.clone());
                }
                format!("https://oidc.circleci.com/org/{}", circleci.organization)
            }
            (None, Some(github), None) => {
                github.conditions(&mut conditions)?;
                GITHUB.to_owned()
            }
            (None, None, Some(gitlab)) => {
                gitlab.conditions(&mut conditions)?;
                GITLAB.to_owned()
            }
            (None, None, None) => self.issuer.clone().ok_or(
                "says none of `circleci`, `github` and `gitlab`, nor the `issuer` of another system",
            )?,
            _ => return Err("says two systems: give each a rule of its own".into()),
        };
        for (claim, values) in &self.claims {
            if NOT_CLAIMS.contains(&claim.as_str()) {
                return Err(format!("`claims.{claim}` is no condition: it is looked at in any case"));
            }
            if values.0.is_empty() || claim.is_empty() {
                return Err(format!("`claims.{claim}` names no value"));
            }
            conditions.one_of(claim, values);
        }
        let Conditions(conditions) = conditions;
        let says = |known: &[&str]| conditions.iter().any(|c| known.contains(&c.claim.as_str()));
        if changes && !says(&REF_CLAIMS) {
            return Err(format!(
                "may change something and says no branch: any branch of anybody could. Say `branch`, or one of the claims {}",
                REF_CLAIMS.join(", ")
            ));
        }
        if !says(&PROJECT_CLAIMS) && !says(&["sub"]) {
            return Err(format!(
                "says no project: every job of the issuer could. Say the claim `sub`, or one of {}",
                PROJECT_CLAIMS.join(", ")
            ));
        }
        let name = self.issuer.clone().unwrap_or(name);
        rule(issuer(&name, self.jwks.as_deref())?, &audience, conditions)
    }
}

impl CircleCi {
    fn conditions(&self, conditions: &mut Conditions) -> Result<(), String> {
        if !is_uuid(&self.organization) {
            return Err(format!(
                "`circleci.organization` is {:?}: its id is wanted, a UUID",
                self.organization
            ));
        }
        for id in self.project.0.iter().chain(&self.contexts.0) {
            if !is_uuid(id) {
                return Err(format!("`circleci` names {id:?}: ids of projects and contexts are UUIDs"));
            }
        }
        if self.project.0.is_empty() {
            return Err("`circleci.project` names none".into());
        }
        conditions.one_of("oidc.circleci.com/project-id", &self.project);
        for context in &self.contexts.0 {
            conditions.is("oidc.circleci.com/context-ids", context);
        }
        conditions.one_of("oidc.circleci.com/vcs-ref", &heads(&self.branch));
        conditions.one_of("oidc.circleci.com/vcs-origin", &self.origin);
        // Whoever runs a job again over SSH can do in it what they like.
        conditions.is("oidc.circleci.com/ssh-rerun", "false");
        Ok(())
    }
}

impl GitHub {
    fn conditions(&self, conditions: &mut Conditions) -> Result<(), String> {
        if self.repository.split('/').filter(|part| !part.is_empty()).count() != 2 {
            return Err(format!("`github.repository` is {:?}: it is written as owner/name", self.repository));
        }
        if self.events.0.is_empty() {
            return Err("`github.events` names none".into());
        }
        conditions.is("repository", &self.repository);
        conditions.one_of("ref", &heads(&self.branch));
        conditions.one_of("environment", &self.environment);
        conditions.one_of("event_name", &self.events);
        if let Some(workflow) = &self.workflow {
            let at = |branch: &String| {
                format!("{}/{}@refs/heads/{branch}", self.repository, workflow.trim_start_matches('/'))
            };
            if self.branch.0.is_empty() {
                return Err("`github.workflow` is known by its file on a branch: say `branch` too".into());
            }
            conditions.one_of("workflow_ref", &OneOrMany(self.branch.0.iter().map(at).collect()));
        }
        Ok(())
    }
}

impl GitLab {
    fn conditions(&self, conditions: &mut Conditions) -> Result<(), String> {
        if self.project.is_empty() {
            return Err("`gitlab.project` is empty".into());
        }
        conditions.is("project_path", &self.project);
        if !self.branch.0.is_empty() {
            conditions.one_of("ref", &self.branch);
            // A tag may be called as a branch is.
            conditions.is("ref_type", "branch");
            if self.protected {
                conditions.is("ref_protected", "true");
            }
        }
        conditions.one_of("environment", &self.environment);
        Ok(())
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}
