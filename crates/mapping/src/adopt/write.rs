//! The map's text, as a person would have written it.

use std::fmt::Write as _;

use axon_model::name::shown;
use axon_reconcile::Sid;
use time::format_description::well_known::Rfc3339;

use super::Adopting;
use super::draft::{Draft, DraftMapping, DraftRole, DraftWho};
use crate::grant::GrantLine;
use crate::names::RoleName;
use crate::rule::GroupName;
use crate::target::{Auth, SecretRef, SqlServer, TargetSpec, Tls};

/// Writes the draft down.
pub(super) fn write(of: Adopting<'_>, spec: &TargetSpec, draft: &Draft) -> String {
    let mut text = String::new();
    head(&mut text, of, spec, draft);
    if !draft.services.is_empty() {
        text.push_str("\n# Identities that the directory does not know: services, or people who left. Look at each of them.\nservices:\n");
        for service in &draft.services {
            put(&mut text, 2, &format!("{}:", service.name));
            put(&mut text, 4, &format!("principal: {}", scalar(service.principal.as_str())));
            if let Some(guid) = service.pin.as_ref().and_then(guid) {
                put(&mut text, 4, &format!("client_id: {guid}"));
            }
        }
    }
    text.push_str(if draft.roles.is_empty() { "\nroles: {}\n" } else { "\nroles:\n" });
    draft.roles.iter().for_each(|role| role_text(&mut text, of, role));
    text.push_str(if draft.mappings.is_empty() { "\nmappings: []\n" } else { "\nmappings:\n" });
    draft.mappings.iter().for_each(|mapping| mapping_text(&mut text, mapping));
    guards(&mut text, of, draft);
    if text.contains(DOLLAR) {
        text.push_str("\nvars: { dollar: $ }\n");
    }
    text
}

fn put(text: &mut String, indent: usize, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:indent$}{line}", "");
}

fn head(text: &mut String, of: Adopting<'_>, spec: &TargetSpec, draft: &Draft) {
    let Some(SqlServer { host, port, database, tls }) = spec.sql_server() else { return };
    text.push_str(
        "# What the pool holds, as a role map: `axon map adopt` made it, and proved that it changes nothing.\n\
         # Make it simpler step by step, looking at `axon map preview` each time, and then let it be put in force by `mode`.\n\
         axon: 1\n\ntargets:\n",
    );
    put(text, 2, &format!("{}:", of.target));
    let mut key = |name: &str, value: String| put(text, 4, &format!("{name}: {value}"));
    key("kind", spec.kind.name().to_owned());
    key("host", scalar(host));
    if *port != 1433 {
        key("port", port.to_string());
    }
    key("database", scalar(database));
    if let Some(auth) = &spec.auth {
        key("auth", auth_text(auth));
    }
    match tls {
        Tls::System => {}
        Tls::Ca(file) => key("tls", format!("{{ ca: {} }}", scalar(file))),
        Tls::Off => key("tls", "off".into()),
    }
    if let Some(object_id) = &spec.object_id {
        key("object_id", quoted(&object_id.to_string()));
    }
    key("mode", "observe".into());
    key("via", "person".into());
    key("principal", quoted(&spec.principal.to_string()));
    key("role_name", quoted("{role}"));
    let roles: Vec<&str> = draft.roles.iter().filter(|r| !r.direct).map(|r| r.name.as_str()).collect();
    put(text, 4, "manage:");
    if roles.is_empty() {
        put(text, 6, "roles: []");
    } else {
        put(text, 6, "roles:");
        for role in roles {
            put(text, 8, &format!("- {}", scalar(role)));
        }
    }
    let principals = spec.manage.principals();
    put(text, 6, &format!("principals: {principals}"));
}

fn auth_text(auth: &Auth) -> String {
    let secret = |secret: &SecretRef| match secret {
        SecretRef::Env(name) => in_quotes(&format!("${{env:{name}}}")),
        SecretRef::File(path) => in_quotes(&format!("${{file:{path}}}")),
    };
    let said = |pairs: &[(&str, String)]| {
        let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        pairs.join(", ")
    };
    let name = auth.name();
    match auth {
        Auth::Sql { user, password } => {
            format!("{{ {name}: {{ {} }} }}", said(&[("user", quoted(user)), ("password", secret(password))]))
        }
        Auth::TokenFile(path) => format!("{{ {name}: {} }}", quoted(path)),
        Auth::TokenCommand(argv) => {
            let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
            format!("{{ {name}: [{}] }}", words.join(", "))
        }
        Auth::ManagedIdentity { client_id: None } => name.to_owned(),
        Auth::ManagedIdentity { client_id: Some(id) } => {
            format!("{{ {name}: {{ {} }} }}", said(&[("client_id", quoted(id))]))
        }
        Auth::WorkloadIdentity { tenant_id, client_id, token_file } => format!(
            "{{ {name}: {{ {} }} }}",
            said(&[
                ("tenant_id", quoted(tenant_id)),
                ("client_id", quoted(client_id)),
                ("token_file", quoted(token_file))
            ])
        ),
        Auth::ClientSecret { tenant_id, client_id, secret: of } => format!(
            "{{ {name}: {{ {} }} }}",
            said(&[
                ("tenant_id", quoted(tenant_id)),
                ("client_id", quoted(client_id)),
                ("secret", secret(of))
            ])
        ),
        Auth::ClientCertificate { tenant_id, client_id, certificate } => format!(
            "{{ {name}: {{ {} }} }}",
            said(&[
                ("tenant_id", quoted(tenant_id)),
                ("client_id", quoted(client_id)),
                ("certificate", secret(certificate))
            ])
        ),
    }
}

fn role_text(text: &mut String, of: Adopting<'_>, role: &DraftRole) {
    let DraftRole { name, direct, lines, subjects, by: _ } = role;
    put(text, 2, &format!("{}:", scalar(name.as_str())));
    if *direct {
        put(text, 4, &format!("description: {}", quoted(&held_by(subjects.len()))));
        put(text, 4, "direct: true");
    }
    put(text, 4, "grants:");
    if lines.is_empty() {
        put(text, 6, &format!("{}: []", of.target));
        return;
    }
    put(text, 6, &format!("{}:", of.target));
    for line in lines {
        let said = line.to_string();
        let plain = match line {
            // A name in brackets would be read as a list of YAML.
            GrantLine::MemberOf(_) => !said.contains(['[', '"']),
            _ => is_plain_line(&said),
        };
        put(text, 8, &format!("- {}", if plain { said } else { quoted(&said) }));
    }
}

fn held_by(count: usize) -> String {
    match count {
        1 => "Held by 1 principal itself".into(),
        n => format!("Held by {n} principals themselves"),
    }
}

fn mapping_text(text: &mut String, mapping: &DraftMapping) {
    let names = |groups: &[GroupName]| {
        let said: Vec<String> = groups.iter().map(group).collect();
        said.join(", ")
    };
    match &mapping.who {
        DraftWho::Groups { source, groups } => {
            put(text, 2, &format!("- groups: {{ any: [{}] }}", names(groups)));
            put(text, 4, &format!("source: {}", scalar(source.as_str())));
        }
        DraftWho::People { source, groups, people } => {
            put(text, 2, "# No group explains these people's access: they are named one by one.");
            put(text, 2, &format!("- groups: {{ any: [{}] }}", names(groups)));
            put(text, 4, &format!("source: {}", scalar(source.as_str())));
            let said: Vec<String> = people.iter().map(|name| format!("userName eq {}", json(name))).collect();
            let said = said.join(" or ");
            // Its own double quotes read best in single ones.
            let plain = !said.contains(['\'', '\\', '$']) && !said.chars().any(is_hidden);
            let said = if plain { format!("'{said}'") } else { quoted(&said) };
            put(text, 4, &format!("when: {said}"));
        }
        DraftWho::Whole { source, group: one } => {
            put(text, 2, &format!("- groups: {{ any: [{}] }}", group(one)));
            put(text, 4, &format!("source: {}", scalar(source.as_str())));
            put(text, 4, "via: group");
        }
        DraftWho::Service(name) => put(text, 2, &format!("- service: {}", scalar(name.as_str()))),
    }
    let roles: Vec<String> = mapping.roles.iter().map(RoleName::as_str).map(scalar).collect();
    put(text, 4, &format!("roles: [{}]", roles.join(", ")));
}

fn group(name: &GroupName) -> String {
    match name {
        GroupName::Display(text) => scalar(text),
        GroupName::External(id) => format!("{{ externalId: {} }}", quoted(id)),
    }
}

fn guards(text: &mut String, of: Adopting<'_>, draft: &Draft) {
    text.push_str(
        "\nguards:\n  removals: { window: 24h, most: 5%, floor: 20 }\n  leavers: { window: 24h, most: 5%, floor: 50 }\n",
    );
    if draft.protect.is_empty() {
        return;
    }
    put(
        text,
        2,
        "# Nothing is given to these nor taken from them until then: decide about each of them before.",
    );
    put(text, 2, "protect:");
    let until = of.until.format(&Rfc3339).unwrap_or_default();
    for (name, why) in &draft.protect {
        put(text, 4, &format!("# {}", shown(why)));
        let principal = quoted(name.as_str());
        put(text, 4, &format!("- {{ principal: {principal}, owner: {}, until: {until} }}", quoted(of.owner)));
    }
}

/// The GUID that a security id is made of, where it is made of one.
pub(super) fn guid(sid: &Sid) -> Option<String> {
    let mut bytes: [u8; 16] = sid.as_bytes().try_into().ok()?;
    bytes[0..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Some(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// A line of grants that YAML takes for text as it stands.
fn is_plain_line(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _.,():".contains(c))
        && !text.contains(": ")
        && !text.ends_with(':')
}

/// A text that YAML takes for itself, in quotes where it needs them.
fn scalar(text: &str) -> String {
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !word.iter().any(|word| word.eq_ignore_ascii_case(text));
    if plain { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes, with nothing in it that is taken for a variable.
fn quoted(text: &str) -> String {
    in_quotes(&text.replace("${", DOLLAR))
}

/// What stands for `${` in a text that means just that: values of variables are not looked into again.
const DOLLAR: &str = "${dollar}{";

/// A text in double quotes; what people could not see is spelled out.
fn in_quotes(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            c if is_hidden(c) => {
                let code = u32::from(c);
                // Writing to a String cannot fail.
                let _ =
                    if code <= 0xffff { write!(out, "\\u{code:04X}") } else { write!(out, "\\U{code:08X}") };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text as a condition takes it.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0x2028 | 0x2029 | 0xfdd0..=0xfdef)
        || u32::from(c) & 0xfffe == 0xfffe
        || shown(&c.to_string()).len() > c.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_security_id_reads_back_from_its_guid() {
        let text = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(guid(&Sid::from_object_id(text).unwrap()).unwrap(), text);
        assert_eq!(guid(&Sid::from_bytes(&[1, 2, 3])), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives_its_quotes(text in "\\PC{1,40}|[a-z${}]{1,9}|[\u{0}-\u{ff}]{1,20}|[a-z.:#\\[\\]{}\"'\\\\ -]{1,20}") {
                for said in [quoted(&text), scalar(&text)] {
                let map = format!("axon: 1\nit: {{ x: {said} }}\n");
                let mut files = crate::place::Files::default();
                let file = files.add("m.yaml", &map);
                let loaded = crate::yaml::load(&files, file);
                let root = loaded.unwrap_or_else(|e| panic!("{said}: {e:?}")).root.unwrap();
                let mut reader = crate::read::Reader::new(&files);
                reader.vars.insert("dollar".into(), "$".into());
                let entries = reader.entries(&root, "it");
                let vars = reader.entries(&entries[1].1, "it");
                let read = reader.text(&vars[0].1, "x").unwrap().text;
                proptest::prop_assert_eq!(read, text.as_str(), "{}", said);
            }
        }
    }
}
