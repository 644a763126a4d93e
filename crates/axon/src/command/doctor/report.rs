//! What the doctor says: for people and for machines the same.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// One sentence about one part of the whole.
#[derive(Debug)]
struct Line {
    area: String,
    says: String,
    /// What helps, where something is wrong.
    remedy: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<Line>,
    details: BTreeMap<String, BTreeMap<&'static str, Value>>,
}

impl Report {
    /// Something is as it should be.
    pub fn well(&mut self, area: &str, says: impl Into<String>) {
        self.lines.push(Line { area: area.to_owned(), says: says.into(), remedy: None });
    }

    /// Something is not, and this helps.
    pub fn found(&mut self, area: &str, says: impl Into<String>, remedy: impl Into<String>) {
        self.lines.push(Line { area: area.to_owned(), says: says.into(), remedy: Some(remedy.into()) });
    }

    /// What machines read of a part beside the sentences.
    pub fn detail(&mut self, area: &str, key: &'static str, value: Value) {
        self.details.entry(area.to_owned()).or_default().insert(key, value);
    }

    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.lines.iter().all(|line| line.remedy.is_none())
    }

    /// For machines.
    pub fn as_json(&self) -> Value {
        let checks: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                json!({ "area": line.area, "ok": line.remedy.is_none(), "says": line.says, "remedy": line.remedy })
            })
            .collect();
        json!({ "ok": self.is_sound(), "checks": checks, "details": self.details })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let mark = if line.remedy.is_some() { "FOUND" } else { "ok   " };
            writeln!(f, "{mark} {}: {}", line.area, indented(&line.says))?;
            if let Some(remedy) = &line.remedy {
                writeln!(f, "      helps: {}", indented(remedy))?;
            }
        }
        match self.lines.iter().filter(|line| line.remedy.is_some()).count() {
            0 => writeln!(f, "nothing is wrong"),
            1 => writeln!(f, "1 thing is wrong"),
            n => writeln!(f, "{n} things are wrong"),
        }
    }
}

/// So many of a thing, in words.
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Further lines of a text under its first one.
fn indented(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().filter(|line| !line.trim().is_empty()).collect();
    lines.join("\n        ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_with_what_helps() {
        let mut report = Report::default();
        report.well("store", "is there");
        assert!(report.is_sound());
        report.found("target dw", "refused:\n\nno", "do this");
        assert!(!report.is_sound());
        assert_eq!(
            report.to_string(),
            "ok    store: is there\nFOUND target dw: refused:\n        no\n      helps: do this\n1 thing is wrong\n"
        );
        assert_eq!(report.as_json()["checks"][1]["remedy"], "do this");
        assert_eq!(report.as_json()["ok"], false);
    }
}
