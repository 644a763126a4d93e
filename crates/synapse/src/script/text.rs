//! The text of a file: a heading for whoever reviews it, then one commented batch for each step.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{ScriptRun, Sid, Step};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::render::{Remade, script_batch};
use crate::statement::{Dialect, Wording};

/// The most lines of one list of the heading.
const MOST: usize = 200;

pub(super) fn wording(dialect: Dialect, database: SqlName, roles: &BTreeSet<SqlName>) -> Wording<'_> {
    Wording { dialect, database, roles }
}

/// A line of a comment: printable ASCII that no program takes for more.
fn ascii(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let replaced = c == '$' && chars.peek() == Some(&'(');
        match c {
            ' '..='~' if !replaced => line.push(c),
            c => line.extend(c.escape_unicode()),
        }
    }
    line
}

fn comment(text: &mut String, line: &str) {
    let line = ascii(line);
    text.push_str(if line.is_empty() { "--" } else { "-- " });
    text.push_str(&line);
    text.push('\n');
}

fn instant(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// `2026-11-22T13:00:00`, as style 126 reads it.
fn style_126(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (hour, minute, second) = at.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}", at.date())
}

/// Who is dropped and made again in one file, and how the new one is told from the old one.
fn remade(run: &ScriptRun<'_>) -> BTreeMap<SqlName, Remade> {
    let made = run.steps.iter().filter_map(|s| match &s.planned.step {
        Step::CreatePrincipal { name, sid: Some(sid), .. } => Some((*name, Remade::With(sid.clone()))),
        Step::CreatePrincipal { name, .. } => Some((*name, Remade::After(style_126(run.at)))),
        _ => None,
    });
    made.collect()
}

/// The whole file.
pub(super) fn write(
    target: &str,
    file: &str,
    run: &ScriptRun<'_>,
    wording: &Wording<'_>,
    ids: &BTreeMap<SqlName, Sid>,
) -> String {
    let mut text = String::new();
    heading(&mut text, target, file, run, wording);
    let remade = remade(run);
    for (n, step) in run.steps.iter().enumerate() {
        text.push('\n');
        comment(&mut text, &format!("{}. {}", n + 1, step.planned));
        if step.because.is_empty() {
            comment(&mut text, "   because: no rule gives it any more");
        }
        for because in &step.because {
            comment(&mut text, &format!("   because: {because}"));
        }
        let (about, subject) = (&step.planned.step, step.planned.step.subject());
        match script_batch(about, wording, remade.get(&subject), ids.get(&subject)) {
            Ok(sql) => text.push_str(sql.as_str()),
            Err(refused) => comment(&mut text, &format!("   not written: {refused}")),
        }
        text.push_str("\nGO\n");
    }
    text
}

fn heading(text: &mut String, target: &str, file: &str, run: &ScriptRun<'_>, wording: &Wording<'_>) {
    let gives = run.steps.iter().filter(|s| s.planned.step.gives()).count();
    let (steps, dialect) = (run.steps.len(), wording.dialect.name());
    for line in [
        format!("Axon: what target {target} lacks, to be reviewed and run in database {}, {dialect}.", wording.database),
        String::new(),
        format!("run        {}", run.run),
        format!("plan       {}", run.plan),
        format!("written    {}", instant(run.at)),
        format!("role map   {}", run.map.0),
        format!("directory  record {}", run.directory),
        format!("steps      {steps}: {gives} give, {} take away", steps - gives),
        format!("withheld   {}", run.withheld.len()),
        String::new(),
        "Each batch looks before it does anything, and does nothing in another database: the file may be run again.".into(),
        "Run it in order and stop at the first error: sqlcmd -b, or a program that parts batches at GO.".into(),
        "Afterwards tell Axon, unless it sees the catalog itself:".into(),
        format!("  axon script confirm {file} --reason '...'"),
    ] {
        comment(text, &line);
    }
    let mut list = |title: &str, lines: &mut dyn Iterator<Item = String>| {
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() {
            return;
        }
        comment(text, "");
        comment(text, title);
        for line in lines.iter().take(MOST) {
            comment(text, &format!("  - {line}"));
        }
        if lines.len() > MOST {
            comment(text, &format!("  and {} more", lines.len() - MOST));
        }
    };
    let withheld = run.withheld.iter().map(|withheld| {
        let reasons: Vec<String> = withheld.reasons.iter().map(ToString::to_string).collect();
        format!("{}: {}", withheld.planned, reasons.join("; "))
    });
    list("Not in this file, because a guard withholds it:", &mut { withheld });
    list("Not in this file, because no step brings it about:", &mut run.remarks.iter().cloned());
    // A reader sees where the heading ends; nothing of it is sent.
    text.push_str("--\n");
}
