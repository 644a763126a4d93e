use std::path::Path;

use super::*;

const ORG: &str = "11111111-2222-3333-4444-555555555555";

fn parse(operators: &str) -> Result<OperatorRules, String> {
    parse_with("{ kind: entra }", operators)
}

fn parse_with(source: &str, operators: &str) -> Result<OperatorRules, String> {
    let text = format!("role_map: x\nsources:\n  entra: {source}\noperators:\n{operators}");
    let config = Config::parse(Path::new("axon.yaml"), &text, &[]).map_err(|e| e.to_string())?;
    config.operator_rules().map_err(|(key, reason)| format!("{key}: {reason}"))
}

fn job(lines: &str) -> String {
    format!("  jobs:\n    main:\n      may: [map.read, map.push]\n      audience: axon\n{lines}")
}

fn condition<'r>(rule: &'r Rule, claim: &str) -> Vec<&'r [String]> {
    rule.conditions.iter().filter(|c| c.claim == claim).map(|c| &c.one_of[..]).collect()
}

#[test]
fn circleci_is_known_by_project_contexts_and_branch() {
    let text = format!(
        "  jobs:\n    main:\n      circleci: {{ organization: {ORG}, project: {ORG}, contexts: [{ORG}], branch: [main, next], \
         origin: github.com/acme/warehouse }}\n      may: map.push\n      second_person: true\n"
    );
    let rules = parse(&text).unwrap();
    let (rule, gives) = &rules.jobs[0];
    assert_eq!(rule.issuer.name, format!("https://oidc.circleci.com/org/{ORG}"));
    assert_eq!(rule.audiences, [ORG]);
    assert_eq!(condition(rule, "oidc.circleci.com/vcs-ref"), [["refs/heads/main", "refs/heads/next"]]);
    assert_eq!(condition(rule, "oidc.circleci.com/ssh-rerun"), [["false"]]);
    assert_eq!(condition(rule, "oidc.circleci.com/context-ids"), [[ORG]]);
    assert!(gives.second_person && gives.name == "main" && gives.may.to_string() == "map.push");
}

#[test]
fn github_and_gitlab_are_known_by_the_same_rule() {
    let rules = parse(&job(
        "      github: { repository: acme/w, branch: main, environment: prod, workflow: .github/workflows/map.yml }\n",
    ));
    let (rule, _) = &rules.unwrap().jobs[0];
    assert_eq!(condition(rule, "ref"), [["refs/heads/main"]]);
    assert_eq!(condition(rule, "workflow_ref"), [["acme/w/.github/workflows/map.yml@refs/heads/main"]]);
    assert!(!condition(rule, "event_name")[0].iter().any(|event| event.starts_with("pull_request")));
    let rules =
        parse(&job("      gitlab: { project: acme/w, branch: main }\n      issuer: https://git.acme.com\n"));
    let (rule, _) = &rules.unwrap().jobs[0];
    assert_eq!(rule.issuer.name, "https://git.acme.com");
    assert_eq!(condition(rule, "ref_protected"), [["true"]]);
    assert_eq!(condition(rule, "ref_type"), [["branch"]]);
}

#[test]
fn a_rule_that_would_let_anybody_in_is_refused() {
    let uuid = ORG;
    for (lines, words) in [
        (format!("      circleci: {{ organization: {uuid}, project: {uuid} }}\n"), "says no branch"),
        ("      github: { repository: acme/w }\n".into(), "says no branch"),
        ("      gitlab: { project: acme/w }\n".into(), "says no branch"),
        ("      issuer: https://ci.acme.com\n      claims: { sub: x }\n".into(), "says no branch"),
        ("      issuer: https://ci.acme.com\n      claims: { ref: main }\n".into(), "says no project"),
        ("      issuer: http://ci.acme.com\n      claims: { ref: main, sub: x }\n".into(), "not https"),
        ("      claims: { ref: main }\n".into(), "none of `circleci`"),
        ("      github: { repository: acme, branch: main }\n".into(), "owner/name"),
        ("      github: { repository: a/b, branch: main, events: [] }\n".into(), "events"),
        ("      circleci: { organization: acme, project: x, branch: main }\n".into(), "UUID"),
        (
            "      github: { repository: a/b, branch: main }\n      gitlab: { project: x }\n".into(),
            "two systems",
        ),
        (
            "      github: { repository: a/b, branch: main }\n      claims: { aud: x }\n".into(),
            "no condition",
        ),
        ("      github: { repository: a/b, brunch: main }\n".into(), "did you mean `branch`?"),
    ] {
        let said = parse(&job(&lines)).err().unwrap_or_else(|| panic!("taken: {lines}"));
        assert!(said.contains(words), "{words}: {said}");
    }
    let no_audience = "  jobs:\n    main: { may: map.read, github: { repository: a/b } }\n";
    assert!(parse(no_audience).err().unwrap().contains("audience"));
    assert!(
        parse(&job("      github: { repository: a/b, branch: main }\n").replace("map.push", "map.pish"))
            .err()
            .unwrap()
            .contains("map.pish")
    );
    assert!(parse("  proposals_expire_days: 0\n").is_err());
    assert!(parse("  exchanged_token_seconds: 5\n").is_err());
    assert!(parse("  exchange: [{ issuer: 'https://ci.acme.com', audience: [] }]\n").is_err());
}

#[test]
fn what_only_reads_needs_no_branch() {
    let text = "  jobs:\n    branches: { may: map.read, audience: axon, github: { repository: a/b, events: [pull_request] } }\n";
    assert_eq!(parse(text).unwrap().jobs.len(), 1);
}

#[test]
fn two_rules_for_the_same_tokens_are_refused() {
    let one = "      may: map.read\n      audience: axon\n      github: { repository: a/b }\n";
    let said = parse(&format!("  jobs:\n    x:\n{one}    y:\n{one}")).err().unwrap();
    assert!(said.contains("jobs.x and jobs.y"), "{said}");
}

#[test]
fn what_a_provider_signs_for_a_source_makes_no_operator() {
    let source = "{ kind: okta, auth: { signed: [{ issuer: 'https://id.acme.com', audience: axon }] } }";
    let job = "  jobs:\n    x: { may: map.read, audience: axon, issuer: 'https://id.acme.com', claims: { sub: x } }\n";
    assert!(parse_with(source, job).err().unwrap().contains("audience of their own"));
    let exchange = "  exchange: [{ issuer: 'https://id.acme.com', audience: axon }]\n";
    assert!(parse_with(source, exchange).err().unwrap().contains("audience of their own"));
    assert!(parse_with(source, &job.replace("audience: axon", "audience: axon-operators")).is_ok());
}

#[test]
fn what_the_page_on_jobs_shows_can_be_configured() {
    let page = include_str!("../../../../../docs/CI.md");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let shown: Vec<&&str> = blocks.iter().filter(|block| block.starts_with("operators:\n")).collect();
    assert_eq!(shown.len(), 2);
    for block in shown {
        let section = block.strip_prefix("operators:\n").unwrap();
        parse(section).unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
}
