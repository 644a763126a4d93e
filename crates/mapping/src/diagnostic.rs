//! What is wrong with a map, with file, line and column, the line quoted and underlined, and a remedy.

use std::fmt;

use axon_model::name::shown;
use serde::Serialize;

use crate::place::{Files, Place, Span};

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The text is not YAML, or uses a part of YAML that the language leaves out.
    Syntax,
    /// A key is given twice.
    Duplicate,
    /// No such key, name or word.
    Unknown,
    /// Known to the language, but this version cannot do it.
    NotSupportedYet,
    /// A needed key is not there.
    Missing,
    /// A value makes no sense where it stands.
    Invalid,
}

/// A part of the language's reference, `docs/ROLE-MAP.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the heading of its part")]
pub enum Chapter {
    Files,
    Variables,
    Targets,
    Authentication,
    Roles,
    Grants,
    Impersonation,
    Mappings,
    Groups,
    Conditions,
    Services,
    Rules,
    Guards,
    Views,
    Tests,
    Lints,
}

impl Chapter {
    /// Every part.
    pub const ALL: [Self; 16] = [
        Self::Files,
        Self::Variables,
        Self::Targets,
        Self::Authentication,
        Self::Roles,
        Self::Grants,
        Self::Impersonation,
        Self::Mappings,
        Self::Groups,
        Self::Conditions,
        Self::Services,
        Self::Rules,
        Self::Guards,
        Self::Views,
        Self::Tests,
        Self::Lints,
    ];

    /// Where it stands.
    pub fn link(self) -> &'static str {
        match self {
            Self::Files => "docs/ROLE-MAP.md#files",
            Self::Variables => "docs/ROLE-MAP.md#variables",
            Self::Targets => "docs/ROLE-MAP.md#targets",
            Self::Authentication => "docs/ROLE-MAP.md#authentication",
            Self::Roles => "docs/ROLE-MAP.md#roles",
            Self::Grants => "docs/ROLE-MAP.md#grants",
            Self::Impersonation => "docs/ROLE-MAP.md#impersonation",
            Self::Mappings => "docs/ROLE-MAP.md#mappings",
            Self::Groups => "docs/ROLE-MAP.md#groups",
            Self::Conditions => "docs/ROLE-MAP.md#conditions",
            Self::Services => "docs/ROLE-MAP.md#services",
            Self::Rules => "docs/ROLE-MAP.md#rules",
            Self::Guards => "docs/ROLE-MAP.md#guards",
            Self::Views => "docs/ROLE-MAP.md#views",
            Self::Tests => "docs/ROLE-MAP.md#tests",
            Self::Lints => "docs/ROLE-MAP.md#lints",
        }
    }
}

/// One fault of a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What kind of fault.
    pub fault: Fault,
    /// Where.
    pub place: Place,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The line, and the first column and length of what is underlined; none where the line may hold a secret.
    pub quoted: Option<(String, usize, usize)>,
    /// What to do about it.
    pub help: Option<String>,
    /// The part of the reference that says how it is meant.
    pub chapter: Chapter,
}

/// The widest line that is quoted whole, in characters.
const WIDEST: usize = 160;

impl Diagnostic {
    pub(crate) fn new(files: &Files, fault: Fault, span: Span, message: impl Into<String>) -> Self {
        let quoted = files.quote(span);
        let line = (!may_hold_secret(quoted.text)).then(|| cut(quoted.text, quoted.from, quoted.to));
        Self {
            fault,
            place: files.place(span),
            message: visible(message.into()),
            quoted: line,
            help: None,
            chapter: Chapter::Files,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(visible(help.into()));
        self
    }

    /// Quotes what is underlined and nothing beside it, where the line is not quoted.
    pub(crate) fn name_alone(mut self, name: &str) -> Self {
        let marked = shown(name);
        let length = marked.chars().count();
        self.quoted.get_or_insert_with(|| (format!("… {marked} …"), 2, length));
        self
    }

    pub(crate) fn unquoted(mut self) -> Self {
        self.quoted = None;
        self
    }
}

/// Hidden marks are spelled out wherever a name of the map stands in a sentence, the guessed one included.
fn visible(text: String) -> String {
    if text.is_ascii() { text } else { text.split('\n').map(shown).collect::<Vec<_>>().join("\n") }
}

/// A mistyped key must not bring a password onto a screen or into a log.
fn may_hold_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["pass", "pwd", "secret", "credential"].iter().any(|word| line.contains(word))
}

/// The line as people see it, cut to a window around the span, and where the span is in it.
fn cut(line: &str, from: usize, to: usize) -> (String, usize, usize) {
    // A tab is one byte as a blank is: the span stays right, and the underline stays under it.
    let line = line.replace('\t', " ");
    let part = |a: usize, b: usize| shown(line.get(a..b).unwrap_or_default());
    let (before, marked, after) = (part(0, from), part(from, to), part(to, line.len()));
    let skip = if before.chars().count() > WIDEST / 2 { before.chars().count() - WIDEST / 4 } else { 0 };
    let mut text: String = if skip > 0 { "… ".into() } else { String::new() };
    text.extend(before.chars().skip(skip));
    let start = text.chars().count();
    let marked: String = marked.chars().take(WIDEST).collect();
    let length = marked.trim_end().chars().count().max(1);
    text.push_str(&marked);
    let room = WIDEST.saturating_sub(text.chars().count());
    text.extend(after.chars().take(room));
    if after.chars().count() > room {
        text.push_str(" …");
    }
    (text.trim_end().to_owned(), start, length)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault: _, place, message, quoted, help, chapter } = self;
        write!(f, "{place}: {message}")?;
        let gutter = place.line.to_string();
        let pad = " ".repeat(gutter.len());
        if let Some((line, start, length)) = quoted {
            write!(f, "\n {gutter} | {line}\n {pad} | {}{}", " ".repeat(*start), "^".repeat(*length))?;
        }
        if let Some(help) = help {
            write!(f, "\n {pad} = {help}")?;
        }
        write!(f, "\n {pad} = see {}", chapter.link())
    }
}

/// Everything that is wrong with a map: at least one fault, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The faults in order; none if there is no fault.
    pub(crate) fn from_faults(faults: Vec<Diagnostic>) -> Option<Self> {
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// The faults.
    pub fn faults(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, part: &str) -> String {
        let mut files = Files::default();
        let file = files.add("m.yaml", text);
        let start = files.text(file).find(part).unwrap();
        let span = Span { file, start, end: start + part.len() };
        Diagnostic::new(&files, Fault::Invalid, span, "no").help("do this").to_string()
    }

    #[test]
    fn the_line_is_quoted_and_underlined() {
        assert_eq!(
            at("a: 1\nkéy: bad x\n", "bad"),
            "m.yaml:2:6: no\n 2 | kéy: bad x\n   |      ^^^\n   = do this\n   = see docs/ROLE-MAP.md#files"
        );
    }

    #[test]
    fn hidden_marks_are_spelled_out_and_the_underline_still_fits() {
        assert_eq!(
            at("\u{202e}x: bad", "bad"),
            "m.yaml:1:5: no\n 1 | \\u{202e}x: bad\n   |            ^^^\n   = do this\n   = see docs/ROLE-MAP.md#files"
        );
    }

    #[test]
    fn a_guessed_name_shows_its_hidden_marks() {
        let mut files = Files::default();
        let span = Span { file: files.add("m.yaml", "a: 1"), start: 0, end: 1 };
        let said = Diagnostic::new(&files, Fault::Unknown, span, "no `a\u{202e}`").help("`b\u{200b}`?");
        assert_eq!((&*said.message, said.help.as_deref()), ("no `a\\u{202e}`", Some("`b\\u{200b}`?")));
    }

    #[test]
    fn long_lines_are_cut_around_the_fault() {
        let text = format!("{}bad{}", "x".repeat(5_000), "y".repeat(5_000));
        let shown = at(&text, "bad");
        assert!(shown.lines().all(|l| l.chars().count() < 200), "{shown}");
        assert!(shown.contains("xbady"), "{shown}");
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_quoted() {
        assert_eq!(
            at("pasword: x\nPassword: hunter2", "hunter2"),
            "m.yaml:2:11: no\n   = do this\n   = see docs/ROLE-MAP.md#files"
        );
    }
}
