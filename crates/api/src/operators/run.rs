//! What a job's token tells of its run.

use axon_audit::payload::JobRun;
use axon_identity_token::Claims;

/// Where the usual systems say which project it is.
const PROJECT: [&str; 3] = ["oidc.circleci.com/project-id", "repository", "project_path"];
/// On which branch or ref.
const BRANCH: [&str; 2] = ["oidc.circleci.com/vcs-ref", "ref"];
/// Which pipeline or run.
const PIPELINE: [&str; 2] = ["run_id", "pipeline_id"];
/// Which commit.
const COMMIT: [&str; 1] = ["sha"];
/// Who triggered it.
const TRIGGERED_BY: [&str; 2] = ["actor", "user_login"];
/// The longest value that is kept of a claim, in characters.
const LONGEST: usize = 300;

/// The run, by the claims that its issuer vouches for.
pub(super) fn of(claims: &Claims) -> JobRun {
    let text = |names: &[&str]| {
        let value = names.iter().find_map(|name| claims.get(name))?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (!text.is_empty()).then(|| cut(&text))
    };
    let subject = claims.subject().unwrap_or_default();
    JobRun {
        issuer: cut(claims.issuer().unwrap_or_default()),
        subject: cut(subject),
        project: text(&PROJECT),
        branch: text(&BRANCH),
        pipeline: text(&PIPELINE),
        commit: text(&COMMIT),
        triggered_by: text(&TRIGGERED_BY).or_else(|| circleci_user(subject)),
        declared: Vec::new(),
    }
}

/// CircleCI names whoever triggered a job in `sub` alone: `org/O/project/P/user/U`, and more behind it in version 2.
fn circleci_user(subject: &str) -> Option<String> {
    let mut parts = subject.split('/');
    let named = |parts: &mut std::str::Split<'_, char>, word: &str| {
        (parts.next() == Some(word)).then(|| parts.next().map(str::to_owned)).flatten()
    };
    named(&mut parts, "org")?;
    named(&mut parts, "project")?;
    named(&mut parts, "user").filter(|user| !user.is_empty()).map(|user| cut(&user))
}

/// Adds what the job said itself, where its token says nothing of it.
pub(super) fn declare(run: &mut JobRun, pipeline: Option<String>, commit: Option<String>) {
    for (name, place, said) in
        [("pipeline", &mut run.pipeline, pipeline), ("commit", &mut run.commit, commit)]
    {
        if let (None, Some(said)) = (&place, said.filter(|said| !said.trim().is_empty())) {
            *place = Some(cut(said.trim()));
            run.declared.push(name.to_owned());
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circleci_s_user_is_read_from_its_subject() {
        assert_eq!(circleci_user("org/o/project/p/user/u").as_deref(), Some("u"));
        let second = "org/o/project/p/user/u/vcs-origin/github.com/a/b/vcs-ref/refs/heads/main";
        assert_eq!(circleci_user(second).as_deref(), Some("u"));
        for other in ["", "repo:acme/x:ref:refs/heads/main", "org/o/user/u", "org/o/project/p/user/"] {
            assert_eq!(circleci_user(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_job_says_itself_never_replaces_what_its_token_says() {
        let mut run = JobRun { commit: Some("abc".into()), ..JobRun::default() };
        declare(&mut run, Some(" 7 ".into()), Some("forged".into()));
        assert_eq!((run.pipeline.as_deref(), run.commit.as_deref()), (Some("7"), Some("abc")));
        assert_eq!(run.declared, ["pipeline"]);
    }
}
