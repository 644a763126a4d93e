//! A preview as people read it: plain text, and Markdown for a comment on a change.

use std::fmt::{self, Write as _};

use super::{Item, Preview, PrincipalPreview, TargetPreview};

/// How many things and how many principals are told for each target.
const MOST: usize = 20;

fn plural(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

fn people(n: usize) -> String {
    plural(n, "person", "people")
}

fn items(items: &[Item]) -> String {
    let told: Vec<String> = items.iter().take(5).map(ToString::to_string).collect();
    let more = if items.len() > told.len() {
        format!(", and {} more", items.len() - told.len())
    } else {
        String::new()
    };
    format!("{}{more}", told.join(", "))
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changes for anybody");
        }
        writeln!(f, "{} gain and {} lose access", people(self.people_gaining), people(self.people_losing))?;
        self.targets.iter().try_for_each(|target| target.fmt(f))
    }
}

impl fmt::Display for TargetPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, people_gaining, people_losing, items: all, principals } = self;
        let (more_access, less_access) = (people(*people_gaining), people(*people_losing));
        writeln!(f, "\ntarget {target}: {more_access} gain, {less_access} lose")?;
        for item in all.iter().take(MOST) {
            match (item.gaining, item.losing) {
                (0, lost) => writeln!(f, "  - {}  ({lost})", item.item)?,
                (gained, 0) => writeln!(f, "  + {}  ({gained})", item.item)?,
                (gained, lost) => writeln!(f, "  ± {}  (+{gained} -{lost})", item.item)?,
            }
        }
        more(f, all.len())?;
        writeln!(f, "  who:")?;
        for principal in principals.iter().take(MOST) {
            let PrincipalPreview { principal, people: behind, gained, lost } = principal;
            let behind = if *behind == 1 { String::new() } else { format!(" ({})", people(*behind)) };
            write!(f, "    {principal}{behind}")?;
            if !gained.is_empty() {
                write!(f, "  + {}", items(gained))?;
            }
            if !lost.is_empty() {
                write!(f, "  - {}", items(lost))?;
            }
            writeln!(f)?;
        }
        more(f, principals.len())
    }
}

fn more(f: &mut fmt::Formatter<'_>, all: usize) -> fmt::Result {
    if all > MOST { writeln!(f, "    and {} more", all - MOST) } else { Ok(()) }
}

/// Text that Markdown takes as it is: nothing in a name makes a link, a table or a heading.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '`' => out.push('\''),
            '|' => out.push_str("\\|"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    format!("`{out}`")
}

impl Preview {
    /// The preview as a comment on a change.
    pub fn markdown(&self) -> String {
        let mut out = String::from("## Role map preview\n\n");
        if self.is_empty() {
            out.push_str("Nothing changes for anybody.\n");
            return out;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "**{} gain** and {} lose access.\n",
            people(self.people_gaining),
            people(self.people_losing)
        );
        for target in &self.targets {
            let _ = writeln!(out, "### Target {}\n", plain(target.target.as_str()));
            let _ = writeln!(out, "| what | gain | lose |\n|---|--:|--:|");
            for item in target.items.iter().take(MOST) {
                let text = plain(&item.item.to_string());
                let _ = writeln!(out, "| {text} | {} | {} |", item.gaining, item.losing);
            }
            if target.items.len() > MOST {
                let _ = writeln!(out, "| and {} more | | |", target.items.len() - MOST);
            }
            let _ = writeln!(
                out,
                "\n<details><summary>{} affected</summary>\n",
                plural(target.principals.len(), "principal", "principals")
            );
            for principal in target.principals.iter().take(MOST) {
                let _ = write!(out, "- {}", plain(&principal.principal.to_string()));
                if !principal.gained.is_empty() {
                    let _ = write!(out, " gains {}", plain(&items(&principal.gained)));
                }
                if !principal.lost.is_empty() {
                    let _ = write!(out, " loses {}", plain(&items(&principal.lost)));
                }
                out.push('\n');
            }
            if target.principals.len() > MOST {
                let _ = writeln!(out, "- and {} more", target.principals.len() - MOST);
            }
            out.push_str("\n</details>\n\n");
        }
        out
    }
}
