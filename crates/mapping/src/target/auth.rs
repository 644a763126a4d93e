//! `auth` and `tls`: how Axon gets in. No line of `auth` is ever quoted in a fault.

use super::{Auth, SecretRef, Tls};
use crate::diagnostic::{Diagnostic, Fault};
use crate::place::Span;
use crate::read::Reader;
use crate::yaml::{Node, Value, shown};

pub(super) fn tls(reader: &Reader<'_>, node: &Node, host: &str) -> Option<Tls> {
    if let Value::Text(_) = &node.value {
        reader.word(node, "`tls`", &[("off", ())])?;
        let loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !loopback {
            let message = "`tls: off` is for this machine itself only";
            reader.fault_help(
                Fault::Invalid,
                node.span,
                message,
                "leave `tls` out, or name the authority: tls: {ca: FILE}",
            );
            return None;
        }
        return Some(Tls::Off);
    }
    let fields = reader.fields(node, "`tls`", &["ca"], &[])?;
    let ca = fields.need(reader, "ca")?;
    Some(Tls::Ca(reader.text(ca, "`tls.ca`")?.text))
}

const AUTH_LATER: &[&str] = &["managed-identity", "workload-identity", "client-secret", "client-certificate"];

/// Reads `auth`. No line of it is ever quoted: a mistyped key must not show a secret.
pub(super) fn auth(reader: &Reader<'_>, node: &Node) -> Option<Auth> {
    let fault = |kind, span, message: String, help: &str| {
        let fault = Diagnostic::new(reader.files, kind, span, message).unquoted();
        reader.push(fault.help(help));
    };
    let known = "one of: {token-file: PATH}, {token-command: [PROGRAM, …]}, {sql: {user: …, password: …}}";
    let later = |span: Span, kind: &str| {
        fault(Fault::NotSupportedYet, span, format!("auth `{kind}` is not supported yet"), known);
        None
    };
    let (key, value) = match &node.value {
        Value::Text(t) if AUTH_LATER.contains(&t.text.as_str()) => return later(t.span, &t.text),
        Value::Map(entries) if entries.len() == 1 => &entries[0],
        _ => {
            fault(Fault::Invalid, node.span, "`auth` names one way to authenticate".into(), known);
            return None;
        }
    };
    match key.text.as_str() {
        "token-file" => Some(Auth::TokenFile(reader.text(value, "`token-file`")?.text)),
        "token-command" => {
            let items = reader.list(value, "`token-command`");
            let words: Vec<String> =
                items.iter().filter_map(|n| Some(reader.text(n, "`token-command`")?.text)).collect();
            if words.is_empty() {
                fault(
                    Fault::Invalid,
                    value.span,
                    "`token-command` names a program and its arguments".into(),
                    known,
                );
                return None;
            }
            (words.len() == items.len()).then_some(Auth::TokenCommand(words))
        }
        "sql" => sql(reader, value, &fault),
        later_key if AUTH_LATER.contains(&later_key) => later(key.span, later_key),
        other => {
            fault(Fault::Unknown, key.span, format!("`auth` has no way `{}`", shown(other)), known);
            None
        }
    }
}

fn sql(reader: &Reader<'_>, node: &Node, fault: &dyn Fn(Fault, Span, String, &str)) -> Option<Auth> {
    let form = "write {user: NAME, password: \"${env:NAME}\"} or \"${file:PATH}\"";
    let Value::Map(entries) = &node.value else {
        fault(Fault::Invalid, node.span, "`sql` needs a user and a password".into(), form);
        return None;
    };
    for (key, _) in entries.iter().filter(|(k, _)| !["user", "password"].contains(&k.text.as_str())) {
        fault(Fault::Unknown, key.span, format!("`sql` has no key `{}`", shown(&key.text)), form);
    }
    let get = |key: &str| entries.iter().find(|(k, _)| k.text == key).map(|(_, n)| n);
    let (Some(user), Some(password)) = (get("user"), get("password")) else {
        fault(Fault::Missing, node.span, "`sql` needs a user and a password".into(), form);
        return None;
    };
    let user = reader.text(user, "`user`")?.text;
    let Value::Text(text) = &password.value else {
        fault(Fault::Invalid, password.span, "`password` must be a reference".into(), form);
        return None;
    };
    let reference =
        text.text.strip_prefix("${").and_then(|t| t.strip_suffix('}')).and_then(|t| t.split_once(':'));
    let password = match reference {
        Some(("env", name)) if !name.is_empty() => SecretRef::Env(name.to_owned()),
        Some(("file", path)) if !path.is_empty() => SecretRef::File(path.to_owned()),
        _ => {
            fault(Fault::Invalid, text.span, "a password is never written in the map".into(), form);
            return None;
        }
    };
    Some(Auth::Sql { user, password })
}
