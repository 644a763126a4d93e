//! A preview as a comment on a change.

use std::fmt::Write as _;

use super::report::{
    MOST, REACHES, Report, behind, count_besides, gain, items, lose, of_mode, people, plural,
};
use super::{Preview, Reach, TargetPreview, TargetSteps, TextChange};

/// The longest comment, bytes: what code hosts take is 65,536 characters at least.
const LONGEST: usize = 60_000;

/// Text that Markdown takes as it is: nothing in a name makes a link, a mention, a table or a heading.
fn plain(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|c| match c {
            '`' => '\'',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    format!("`{inner}`")
}

/// A statement of several lines, as an item of a list: nothing in it ends the block.
fn block(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|c| match c {
            '`' => '\'',
            '\n' => '\n',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    format!("\n  ```sql\n  {}\n  ```", inner.replace('\n', "\n  "))
}

/// The same in a cell of a table, where a bar would end it.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}

/// The report as Markdown, whole targets left out where it would be too long for a comment.
pub fn markdown(report: &Report<'_>) -> String {
    let preview = report.preview;
    // Writing to a String cannot fail.
    let mut out = String::from("## Role map preview\n\n");
    if preview.is_empty() {
        out.push_str("Nothing changes for anybody.\n\n");
    } else {
        let (gaining, losing) = (gain(preview.people_gaining), lose(preview.people_losing));
        if preview.targets.is_empty() {
            out.push_str("Nobody gains or loses anything today.\n\n");
        } else {
            let _ = writeln!(out, "**{gaining}** and {losing} access.\n");
        }
        if !preview.besides.is_empty() {
            let _ = writeln!(out, "{}.\n", count_besides(preview).replacen('b', "B", 1));
        }
        for stay in preview.stays().take(MOST) {
            let _ = writeln!(out, "- **!** {}", plain(&stay.text));
        }
        let kept = preview.stays().count();
        more(&mut out, kept);
        if kept > 0 {
            out.push_str("\nPeople keep what is left to them: this change needs a reviewer.\n\n");
        }
        if preview.people_gaining > 0 {
            out.push_str("Somebody gains access: this change needs a reviewer.\n\n");
        } else if preview.gives_now() {
            out.push_str("Somebody would gain access: this change needs a reviewer.\n\n");
        } else if preview.widened > 0 {
            out.push_str("People may come to hold more: this change needs a reviewer.\n\n");
        }
    }
    // What is widened comes first: a comment that is too long leaves out what comes last.
    let mut parts: Vec<String> =
        REACHES[..1].iter().filter_map(|(r, title)| of_text(preview, *r, title)).collect();
    parts.extend(preview.targets.iter().map(of_target));
    parts.extend(REACHES[1..].iter().filter_map(|(r, title)| of_text(preview, *r, title)));
    parts.extend(report.steps.iter().map(of_steps));
    let all = parts.len();
    let mut told = 0;
    for part in parts {
        if out.len() + part.len() > LONGEST {
            break;
        }
        out.push_str(&part);
        told += 1;
    }
    if told < all {
        let _ = writeln!(out, "{} more sections are too long for a comment.\n", all - told);
    }
    let old = preview.old.as_ref().map_or_else(|| "nothing".to_owned(), |old| plain(&old.0));
    let _ = writeln!(out, "<sub>From {old} to {}</sub>", plain(&preview.new.0));
    out
}

/// What the text does besides.
fn of_text(preview: &Preview, reach: Reach, title: &str) -> Option<String> {
    let found: Vec<&TextChange> = preview.besides.iter().filter(|one| one.reach == reach).collect();
    let mut letters = title.chars();
    let title: String = letters.next()?.to_uppercase().chain(letters).collect();
    let mut out = format!("### {title}\n\n");
    for change in found.iter().take(MOST) {
        let _ = writeln!(out, "- {}", plain(&change.to_string()));
    }
    more(&mut out, found.len());
    out.push('\n');
    (!found.is_empty()).then_some(out)
}

fn of_target(target: &TargetPreview) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "### Target {}\n", plain(target.target.as_str()));
    match of_mode(target.mode) {
        "" => {}
        words => {
            let _ = writeln!(out, "_{words}_\n");
        }
    }
    if !target.items.is_empty() {
        let _ = writeln!(out, "| what | gain | lose |\n|---|--:|--:|");
        for item in target.items.iter().take(MOST) {
            let count = |principals, people| match principals {
                0 => String::new(),
                _ => behind(principals, people),
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                cell(&item.item.to_string()),
                count(item.gaining, item.people_gaining),
                count(item.losing, item.people_losing)
            );
        }
        if target.items.len() > MOST {
            let _ = writeln!(out, "| and {} more | | |", target.items.len() - MOST);
        }
        out.push('\n');
    }
    if !target.principals.is_empty() {
        let count = plural(target.principals.len(), "principal", "principals");
        let _ = writeln!(out, "<details><summary>{count} affected</summary>\n");
        for principal in target.principals.iter().take(MOST) {
            let _ = write!(out, "- {}", plain(&principal.title()));
            if !principal.gained.is_empty() {
                let _ = write!(out, " gains {}", plain(&items(&principal.gained)));
            }
            if !principal.lost.is_empty() {
                let _ = write!(out, " loses {}", plain(&items(&principal.lost)));
            }
            out.push('\n');
        }
        more(&mut out, target.principals.len());
        out.push_str("\n</details>\n\n");
    }
    if !target.waits.is_empty() {
        out.push_str("Would wait, or be withheld:\n\n");
        for wait in target.waits.iter().take(MOST) {
            let _ = writeln!(out, "- {} ({})", plain(&wait.text), people(wait.people));
        }
        more(&mut out, target.waits.len());
        out.push('\n');
    }
    out
}

fn of_steps(target: &TargetSteps) -> String {
    let mut out = String::new();
    let (done, waits) = (target.to_do, target.would_wait);
    let _ = writeln!(
        out,
        "<details><summary>Target {}: {}, {waits} would wait</summary>\n",
        plain(target.target.as_str()),
        plural(done, "step", "steps")
    );
    for told in target.steps.iter().take(MOST) {
        let lines =
            if told.statements.is_empty() { std::slice::from_ref(&told.step) } else { &told.statements };
        for line in lines {
            if line.contains('\n') {
                let _ = writeln!(out, "- {}", block(line));
            } else {
                let _ = writeln!(out, "- {}", plain(line));
            }
        }
    }
    more(&mut out, done);
    for told in target.withheld.iter().take(MOST) {
        let _ = writeln!(out, "- waits: {}: {}", plain(&told.step), plain(&told.reasons.join("; ")));
    }
    more(&mut out, waits);
    for finding in target.findings.iter().take(MOST) {
        let _ = writeln!(out, "- {}", plain(finding));
    }
    out.push_str("\n</details>\n\n");
    out
}

fn more(out: &mut String, all: usize) {
    if all > MOST {
        let _ = writeln!(out, "- and {} more", all - MOST);
    }
}
