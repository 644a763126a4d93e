//! Lints that a comment silences in place: `# lint: allow NAME: REASON`, on the line itself or on the lines above it.

use crate::check::Lint;
use crate::diagnostic::{Chapter, Diagnostic, Fault};
use crate::nearest::nearest;
use crate::place::{Place, Span};
use crate::read::Reader;
use crate::yaml::shown;

/// One lint that is silenced for one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silence {
    pub lint: Lint,
    pub reason: String,
    /// Where the comment stands.
    pub place: Place,
    /// The line that it speaks of: its own, or the next one that is no comment.
    pub line: u32,
}

/// Finds them among a map's comments. A silence that names no lint or says no reason is a fault.
pub(crate) fn read(reader: &Reader<'_>, comments: &[(Span, String)]) -> Vec<Silence> {
    reader.within(Chapter::Lints, || {
        comments.iter().filter_map(|(span, text)| one(reader, *span, text)).collect()
    })
}

fn one(reader: &Reader<'_>, span: Span, text: &str) -> Option<Silence> {
    let rest = text.trim_start_matches('#').trim().strip_prefix("lint:")?.trim_start();
    let refuse = |message: String, help: Option<String>| {
        let fault = Diagnostic::new(reader.files, Fault::Invalid, span, message);
        reader.push(match help {
            Some(help) => fault.help(help),
            None => fault,
        });
    };
    let form = "write it like `# lint: allow unreachable-role: kept for the audit in May`";
    let Some((name, reason)) = rest.strip_prefix("allow ").and_then(|rest| rest.split_once(':')) else {
        refuse("a lint is silenced by its name and with a reason".to_owned(), Some(form.to_owned()));
        return None;
    };
    let (name, reason) = (name.trim(), reason.trim());
    let Some(lint) = Lint::parse(name) else {
        let near = nearest(name, Lint::ALL.iter().map(|lint| lint.name()));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        refuse(format!("there is no lint `{}`", shown(name)), help);
        return None;
    };
    if reason.is_empty() {
        refuse(format!("lint `{name}` is silenced without a reason"), Some(form.to_owned()));
        return None;
    }
    let place = reader.place(span);
    let own = reader.files.quote(span);
    let alone = own.text.get(..own.from).is_some_and(|before| before.trim().is_empty());
    let speaks_of = if alone { reader.files.next_line_of_text(span) } else { place.line };
    Some(Silence { lint, reason: reason.to_owned(), place, line: speaks_of })
}
