//! Every sentence that this crate can say stands in a golden file: a new one without a golden file is found here.
//!
//! The sources are read as text. Each literal of three words or more, split where values are put in, has to occur in a snapshot
//! or in the reference; what is no sentence that anybody is told is listed below with the reason.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use axon_mapping::Lint;

/// Literals that are no sentences for anybody.
const NOT_TOLD: &[(&str, &str)] = &[
    ("Z9 all staff", "a name that patterns are tried with"),
    ("axon role map 10", "the head of what is hashed"),
    ("one fault was put in", "cannot be reached"),
    ("a target of kind {} holds no role of the map", "asked for by nobody where roles are assigned"),
    ("Made by Axon from its role map", "the description of a role in Azure"),
    ("lower(), upper(), before('@')", "a list of words"),
    ("CONTROL covers every permission", "CONTROL is told as what covers a line"),
    ("strings parted by {} {} {}", "of secure views"),
    ("views of {owner} read schema {schema}, in {layout}", "of secure views"),
    ("{actor} is not there yet, or its security id is not seen", "a finding of a target, not of a map"),
    ("{} has nothing in the target now", "a finding of a target, not of a map"),
    (
        "{person} administers the target by hand ({why}): nobody acts as an administrator",
        "a finding of a target, not of a map",
    ),
    (
        "{person} is in {group}, which administers the target by hand ({why}): nobody acts as an administrator",
        "a finding of a target, not of a map",
    ),
    ("it would give {more}, which is not there", "of a proof that fails: never expected"),
    (", clear for ", "of secure views"),
    ("CONTROL SERVER is CONTROL of every database", "CONTROL SERVER is told as what covers a line"),
    ("an administrator can be acted as", "no line of a map gives IMPERSONATE"),
    ("auth `{}` of target `{}`", "every way in is put in force"),
    ("columns were taken out of it by a REVOKE, which no line says", "a test of the catalog tells it"),
    ("no line of a map says its classifier {name}", "every name stands in brackets: never expected"),
    ("{permission} cannot be given", "said of permissions that only a catalog shows, and no line can name"),
];

/// Files that are not read: a test holds the generated schema against its descriptions, and what is
/// said of secure views has golden files of its own.
const NOT_READ: [&str; 4] = ["schema.rs", "views", "secure_view", "tags.rs"];

/// Files in which literals are names of roles of the cloud.
const OF_NAMES: [&str; 2] = ["grant/assigned.rs", "check/powers.rs"];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else {
            into.push(path);
        }
    }
}

/// The text of a file without blanks that a line break brings.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All that golden files hold.
fn golden(root: &Path) -> String {
    let mut files = Vec::new();
    sources(&root.join("tests/snapshots"), &mut files);
    sources(&root.join("src"), &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "snap"));
    // A test of the page holds it against the lints' remedies.
    files.push(root.join("../../docs/ROLE-MAP.md"));
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap() + "\n").collect();
    plain(&text.replace("\\\"", "\"").replace("\\n", "\n"))
}

/// The string literals of a file outside of its tests, with the line of each.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(source.lines()) {
        if open.is_none() && (line.trim_start().starts_with("//") || line.contains("reason = \"")) {
            continue;
        }
        let mut chars = line.trim_start().chars().peekable();
        let mut before = ' ';
        while let Some(c) = chars.next() {
            match (&mut open, c) {
                (None, '/') if before == '/' => break,
                (None, '"') if before != '\'' => open = Some((number, String::new())),
                (Some(_), '"') => found.extend(open.take()),
                (Some((_, text)), '\\') => match chars.next() {
                    Some('n') => text.push('\n'),
                    Some(other) => text.push(other),
                    // The literal goes on in the next line.
                    None => {}
                },
                (Some((_, text)), other) => text.push(other),
                (None, _) => {}
            }
            before = c;
        }
    }
    found
}

/// The parts of a literal between the values that are put in.
fn parts(text: &str) -> Vec<String> {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    while let Some((part, after)) = rest.split_once('{') {
        parts.push(part.to_owned());
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    parts.push(rest.to_owned());
    parts.iter().map(|part| plain(&part.replace('\u{1}', "{").replace('\u{2}', "}"))).collect()
}

#[test]
fn every_sentence_stands_in_a_golden_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = golden(root);
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let (mut missing, mut seen) = (Vec::new(), 0);
    for path in &files {
        let name = path.strip_prefix(root.join("src")).unwrap().display().to_string();
        if NOT_READ.iter().any(|begins| name.starts_with(begins)) {
            continue;
        }
        for (line, text) in literals(&fs::read_to_string(path).unwrap()) {
            let parts = parts(&text);
            let words: usize =
                parts.iter().map(|part| part.split(' ').filter(|w| !w.is_empty()).count()).sum();
            let names =
                OF_NAMES.contains(&name.as_str()) && text.chars().next().is_some_and(char::is_uppercase);
            if words < 3 || names || NOT_TOLD.iter().any(|(whole, _)| plain(&text) == plain(whole)) {
                continue;
            }
            seen += 1;
            let stands = golden.contains(&plain(&text))
                || parts.iter().filter(|part| part.len() > 2).all(|part| golden.contains(part));
            if !stands {
                missing.push(format!("src/{name}:{line}: {text}"));
            }
        }
    }
    assert!(seen > 400, "only {seen} sentences were found: the sources are not read as they are written");
    assert!(missing.is_empty(), "{} in no snapshot:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn every_lint_stands_in_a_golden_file_with_its_remedy_and_in_the_reference() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = golden(root);
    let page = fs::read_to_string(root.join("../../docs/ROLE-MAP.md")).unwrap();
    for lint in Lint::ALL {
        assert!(golden.contains(&format!("[{}]", lint.name())), "{} is in no snapshot", lint.name());
        assert!(page.contains(&format!("`{}`", lint.name())), "{} is not documented", lint.name());
    }
}
