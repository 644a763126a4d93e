use std::path::Path;

use super::*;
use crate::config::ConfigError;

const TENANT: &str = "11111111-2222-3333-4444-555555555555";

fn parse(auth: &str) -> Result<AuthSettings, String> {
    parse_all(&format!("role_map: x\nsources:\n  entra:\n    kind: entra\n    auth:\n{auth}\n"))
}

fn parse_all(text: &str) -> Result<AuthSettings, String> {
    let said = |error: ConfigError| error.to_string();
    let config = Config::parse(Path::new("axon.yaml"), text, &[]).map_err(said)?;
    config.check(Path::new("axon.yaml")).map_err(said)?;
    config.auth().map_err(|(key, reason)| format!("{key}: {reason}"))
}

#[test]
fn an_entra_tenant_needs_its_id_and_the_version_alone() {
    let settings =
        parse(&format!("      signed: [{{ entra: {{ tenant: {TENANT}, version: v1 }} }}]")).unwrap();
    let (rule, grant) = &settings.signed[0];
    assert_eq!(rule.issuer.name, format!("https://sts.windows.net/{TENANT}/"));
    assert_eq!(rule.audiences, ["8adf8e6e-67b2-4cf2-a259-e3dc5476c621"]);
    assert!(rule.conditions.iter().any(|c| c.claim == "tid" && c.one_of == [TENANT]));
    assert_eq!((grant.source.as_str(), grant.scopes), ("entra", axon_store::Scopes::ALL));
    assert!(settings.signed_only.is_empty());
}

#[test]
fn an_issuer_by_discovery_or_by_its_keys() {
    let settings = parse(
        "      tokens: false\n      signed:\n        - issuer: https://acme.okta.com/oauth2/default\n          audience: [axon, other]\n          claims: { cid: 0oa1, admin: true, level: [1, 2] }\n          algorithms: [ES256]\n          leeway_seconds: 0\n          scope: read users-only\n        - { issuer: tokens.acme, jwks: 'https://acme.com/keys', audience: axon }",
    )
    .unwrap();
    let (rule, grant) = &settings.signed[0];
    assert_eq!((rule.conditions.len(), rule.leeway, grant.scopes.write), (3, Duration::ZERO, false));
    assert_eq!(rule.conditions[2].one_of, ["1", "2"]);
    assert_eq!(settings.signed[1].0.issuer.name, "tokens.acme");
    assert!(settings.signed_only.contains(&"entra".parse().unwrap()));
}

#[test]
fn a_federated_client_names_issuer_subject_and_audience() {
    let trust = format!(
        "      federated:\n        entra-prod: {{ entra: {{ tenant: {TENANT}, version: v2 }}, subject: s, audience: 'api://axon' }}"
    );
    let settings = parse(&trust).unwrap();
    let (rule, federated) = &settings.federated[0];
    assert_eq!(rule.issuer.name, format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
    assert_eq!(federated.client.as_str(), "entra-prod");
    for (part, missing) in
        [(", subject: s", "`subject` is missing"), (", audience: 'api://axon'", "`audience` is missing")]
    {
        let said = parse(&trust.replace(part, "")).unwrap_err();
        assert!(said.contains("auth.federated.entra-prod") && said.contains(missing), "{said}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place_and_a_way_out() {
    let issuer = "issuer: https://a.example, audience: axon";
    for (auth, said) in [
        ("      tokens: false".to_owned(), "auth.tokens: is off"),
        ("      signed: [{ audience: axon }]".to_owned(), "signed[0]: says neither `entra"),
        ("      signed: [{ issuer: https://a.example }]".to_owned(), "`audience` is missing"),
        ("      signed: [{ issuer: http://a.example, audience: axon }]".to_owned(), "not https"),
        ("      signed: [{ entra: { tenant: acme.com, version: v1 } }]".to_owned(), "its id is wanted"),
        (
            format!("      signed: [{{ {issuer}, entra: {{ tenant: {TENANT}, version: v1 }} }}]"),
            "leave out `issuer`",
        ),
        (format!("      signed: [{{ {issuer}, algorithms: [HS256] }}]"), "not a signature by a public key"),
        (format!("      signed: [{{ {issuer}, algorithms: [none] }}]"), "not a signature by a public key"),
        (format!("      signed: [{{ {issuer}, algorithms: [] }}]"), "`algorithms` names none"),
        (format!("      signed: [{{ {issuer}, leeway_seconds: 3600 }}]"), "0 to 300"),
        (format!("      signed: [{{ {issuer}, claims: {{ aud: x }} }}]"), "looked at by `audience`"),
        (format!("      signed: [{{ {issuer}, claims: {{ x: [] }} }}]"), "`claims.x` names no value"),
        (format!("      signed: [{{ {issuer}, scope: admin }}]"), "is not a scope"),
        (format!("      signed: [{{ {issuer}, audiences: x }}]"), "did you mean `audience`?"),
        (format!("      federated: {{ 'a b': {{ {issuer}, subject: s }} }}"), "not a client's name"),
    ] {
        let told = parse(&auth).unwrap_err();
        assert!(told.contains(said), "{auth}\n{told}");
    }
}

#[test]
fn two_sources_do_not_take_the_same_tokens() {
    let source = |name: &str, more: &str| {
        format!(
            "  {name}: {{ kind: okta, auth: {{ signed: [{{ issuer: https://a.example, audience: axon{more} }}] }} }}\n"
        )
    };
    let both = |a: &str, b: &str| {
        parse_all(&format!("role_map: x\nsources:\n{}{}", source("one", a), source("two", b)))
    };
    let said = both("", "").unwrap_err();
    assert!(said.contains("one and two take the same tokens"), "{said}");
    assert!(both(", claims: { cid: a }", ", claims: { cid: b }").is_ok());
}

#[test]
fn trusted_proxies_are_networks_and_never_everybody() {
    let with =
        |more: &str| parse_all(&format!("role_map: x\nsources:\n  entra: {{ kind: entra }}\n{more}\n"));
    let settings = with("trusted_proxies: [10.0.0.0/8, '::1', 127.0.0.1]\nforwarded_by: forwarded").unwrap();
    assert_eq!(settings.proxies.trusted.len(), 3);
    assert_eq!(settings.proxies.header, ForwardedBy::Forwarded);
    for (more, said) in [
        ("trusted_proxies: [0.0.0.0/0]", "whoever connects"),
        ("trusted_proxies: ['::/0']", "whoever connects"),
        ("trusted_proxies: [proxy.acme.com]", "no network"),
        ("forwarded_by: x-real-ip", "not one of x-forwarded, forwarded"),
        ("oauth: { access_token_seconds: 5 }", "60 to 86400"),
    ] {
        let told = with(more).unwrap_err();
        assert!(told.contains(said), "{more}: {told}");
    }
}
