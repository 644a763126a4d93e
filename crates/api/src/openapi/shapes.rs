//! Schemas that several operations name.

use super::integrations::statuses;
use super::oauth;
use super::schema::{
    Members, Part, anything, bounded, closed, either, flag, instant, list, object, or_null, pattern, secret,
    some_object, text, the, whole, word,
};
use crate::integrations::TYPE;

/// All of them, each with its name.
pub fn all() -> Vec<(&'static str, Part)> {
    vec![
        ("AccessRequest", access_request()),
        ("Author", author()),
        ("Credentials", credentials()),
        ("Entitlement", oauth::entitlement()),
        ("Fault", fault()),
        ("Hold", hold()),
        ("Integration", integration()),
        ("AutomaticPayload", automatic()),
        ("ManualPayload", manual()),
        ("IntegrationWork", work().part()),
        ("MapFile", object().has("name", file_name()).has("text", text()).part()),
        ("MapHead", head().part()),
        ("MapVersion", head().has("files", list(the("MapFile"))).part()),
        ("OAuthError", object().has("error", text()).has("error_description", text()).part()),
        ("Problem", problem()),
        ("Proposal", proposal()),
        ("Run", closed().may("pipeline", or_null(text())).may("commit", or_null(text())).part()),
        ("Said", object().has("at", instant()).has("by", text()).has("reason", text()).part()),
        ("Validation", validation()),
    ]
}

/// A plain name.
fn file_name() -> Part {
    pattern("^[^/\\\\\\u0000-\\u001f\\u007f-\\u009f]{1,200}$", 200)
}

fn problem() -> Part {
    object()
        .told("RFC 9457. `code` is a word for programs; some problems have more members.")
        .has("type", text())
        .has("title", text())
        .has("status", whole(400, Some(599)))
        .has("code", text())
        .has("detail", text())
        .part()
}

fn fault() -> Part {
    object()
        .has("statusCode", whole(400, Some(599)))
        .has("error", text())
        .has("message", text())
        .may("validationResults", the("Validation"))
        .part()
}

fn author() -> Part {
    object()
        .has("way", word(&axon_audit::payload::MapWay::ALL.map(axon_audit::payload::MapWay::as_str)))
        .has("name", text())
        .has("shown", text())
        .may("job", some_object())
        .part()
}

fn head() -> Members {
    object()
        .has("number", whole(0, None))
        .has("version", text())
        .has("parent", or_null(text()))
        .has("author", or_null(the("Author")))
        .has("comment", text())
        .has("released_by", or_null(the("Author")))
        .has("at", instant())
        .has("record", anything())
}

fn proposal() -> Part {
    object()
        .has("number", whole(0, None))
        .has("version", text())
        .has("parent", or_null(text()))
        .has("author", the("Author"))
        .has("comment", text())
        .has("opened", instant())
        .has("expires", instant())
        .has("ended", or_null(some_object()))
        .has("record", anything())
        .may("state", text())
        .may("files", list(the("MapFile")))
        .part()
}

fn hold() -> Part {
    object()
        .has("id", text())
        .has("kind", text())
        .has("state", text())
        .has("what", text())
        .has("why", text())
        .has("source", or_null(text()))
        .has("target", or_null(text()))
        .has("opened", instant())
        .has("people", whole(0, None))
        .has("asked_by", anything())
        .has("first", or_null(the("Said")))
        .has("expires", or_null(instant()))
        .has("ended", or_null(the("Said")))
        .has("record", anything())
        .may("parts", list(text()))
        .part()
}

fn access_request() -> Part {
    object()
        .has("id", text())
        .has("kind", word(&["offboard", "grant", "impersonate"]))
        .has("state", text())
        .has("user", text())
        .has("source", or_null(text()))
        .has("records", list(some_object()))
        .has("person", or_null(text()))
        .has("session", or_null(text()))
        .has("role", or_null(text()))
        .has("target", or_null(text()))
        .has("seconds", or_null(whole(0, None)))
        .has("asked", the("Said"))
        .has("hold", or_null(text()))
        .has("released", or_null(the("Said")))
        .has("until", or_null(instant()))
        .has("ended", or_null(the("Said")))
        .has("record", anything())
        .part()
}

fn validation() -> Part {
    let test = object()
        .has("name", text())
        .has("status", word(&["passed", "failed", "warning", "skipped"]))
        .may("message", text())
        .may("result", list(some_object()));
    object().has("status", word(&["passed", "failed"])).has("validationTests", list(test.part())).part()
}

fn work() -> Members {
    object()
        .has("id", text())
        .has("status", statuses())
        .has("validationResults", the("Validation"))
        .may("message", text())
}

fn integration() -> Part {
    let marks =
        object().has("hashDelimiter", text()).has("hashKeyDelimiter", text()).has("arrayDelimiter", text());
    let config = object()
        .has("host", text())
        .has("port", whole(1, Some(65_535)))
        .has("database", text())
        .has("schema", text())
        .has("impersonation", object().has("enabled", flag()).may("role", text()).part())
        .has("metadataDelimiters", marks.part())
        .has("username", word(&["<REDACTED>"]))
        .may("authenticationType", text())
        .may("systemAccount", object().has("username", text()).part())
        .may("tls", word(&["off"]));
    work()
        .has("type", word(&[TYPE]))
        .has("autoBootstrap", flag())
        .has("config", config.part())
        .may("target", text())
        .part()
}

/// A name of something in a database.
fn name() -> Part {
    pattern("^(?!.*\\$\\()[!-~]([ -~]{0,126}[!-~])?$", 128)
}

fn value() -> Part {
    bounded(1, 16 * 1024)
}

/// What each `authenticationType` goes with, beside `username`.
fn login(kind: &str, members: Members) -> Members {
    match kind {
        "managedIdentity" => members.may("clientId", or_null(value())),
        "workloadIdentity" => members.has("tenantId", value()).has("clientId", value()),
        "clientSecret" => {
            members.has("tenantId", value()).has("clientId", value()).has("clientSecret", secret())
        }
        "certificate" => {
            members.has("tenantId", value()).has("clientId", value()).has("certificate", secret())
        }
        _ => {
            return members
                .may("authenticationType", or_null(word(&["userPassword"])))
                .has("password", secret());
        }
    }
    .has("authenticationType", word(&[kind]))
}

const OF_ENTRA: [&str; 4] = ["managedIdentity", "workloadIdentity", "clientSecret", "certificate"];

fn credentials() -> Part {
    let sql = login("userPassword", closed().has("username", value()));
    let entra = OF_ENTRA.map(|kind| login(kind, closed().may("username", or_null(value()))).part());
    either([sql.part()].into_iter().chain(entra))
}

fn config() -> Members {
    let mark = || pattern("^[!-/:-@\\[-`{-~]$", 1);
    let marks =
        closed().has("hashDelimiter", mark()).has("hashKeyDelimiter", mark()).has("arrayDelimiter", mark());
    closed()
        .has("host", pattern("^[A-Za-z0-9._:-]+$", 255))
        .may("port", or_null(whole(1, Some(65_535))))
        .has("database", name())
        .has("schema", name())
        .may("impersonation", or_null(closed().has("enabled", flag()).may("role", or_null(name())).part()))
        .may("metadataDelimiters", or_null(marks.part()))
        .may("tls", or_null(word(&["on", "off"])))
}

/// A payload with one way to enter.
fn payload(automatic: bool, config: Part) -> Part {
    let way = utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::Boolean)
        .enum_values(Some([automatic]));
    closed().has("type", word(&[TYPE])).has("autoBootstrap", way.into()).has("config", config).part()
}

fn every() -> impl Iterator<Item = &'static str> {
    ["userPassword"].into_iter().chain(OF_ENTRA)
}

fn manual() -> Part {
    either(every().map(|kind| payload(false, login(kind, config()).has("username", name()).part())))
}

fn automatic() -> Part {
    let account = |kind: &str| {
        let members = closed().has("username", name());
        if kind == "userPassword" {
            return members.may("authenticationType", or_null(word(&[kind]))).part();
        }
        login(kind, members).part()
    };
    // Who is no identity of Entra makes no user of one (33159).
    let accounts = |by: &str| if by == "userPassword" { account(by) } else { either(every().map(account)) };
    either(every().map(|kind| {
        let config = login(kind, config());
        let config = if kind == "userPassword" {
            config.has("username", value())
        } else {
            config.may("username", or_null(value()))
        };
        payload(true, config.may("systemAccount", or_null(accounts(kind))).part())
    }))
}
