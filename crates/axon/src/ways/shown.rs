//! The report as people read it.

use std::collections::BTreeMap;

use super::{Report, Way, WayKind};

/// The most holders of one way that are spelled out; JSON has all.
const MOST: usize = 50;

/// Prints it.
pub fn print(report: &Report) {
    for line in lines(report) {
        println!("{line}");
    }
}

fn lines(report: &Report) -> Vec<String> {
    let mut by_kind: BTreeMap<WayKind, Vec<&Way>> = BTreeMap::new();
    for way in &report.ways {
        by_kind.entry(way.kind).or_default().push(way);
    }
    let mut out = vec![format!("{} ways around Axon, which it cannot close", report.ways.len())];
    for (kind, ways) in by_kind {
        out.push(String::new());
        out.push(format!("{}: {}", kind.as_str(), kind.opens()));
        for way in ways.iter().take(MOST) {
            out.push(format!("    {:<32} {} ({})", way.who, way.by, way.target));
        }
        if ways.len() > MOST {
            out.push(format!("    and {} more: --json has all", ways.len() - MOST));
        }
        out.push(format!("    what helps: {}", kind.remedy()));
    }
    if !report.unseen.is_empty() || !report.gaps.is_empty() {
        out.push(String::new());
        out.push("Not looked at:".to_owned());
        out.extend(report.unseen.iter().map(|(target, what)| format!("    {target}: {what}")));
        out.extend(report.gaps.iter().map(|gap| format!("    {gap}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_says_what_it_opens_and_what_helps_and_what_was_not_seen_is_said() {
        let mut report = Report::default();
        let of = |who: String| Way::new("dw", WayKind::DatabaseOwner, who, "member of db_owner");
        report.add("dw", (0..60).map(|n| of(format!("p{n:02}"))).collect(), vec!["it sleeps".into()]);
        let lines = lines(&report.sorted());
        assert_eq!(lines[0], "60 ways around Axon, which it cannot close");
        assert!(lines[2].starts_with("database-owner: reads, changes and grants everything"));
        assert!(lines[3].contains("p00") && lines[3].contains("member of db_owner (dw)"));
        assert!(lines.iter().any(|line| line.contains("and 10 more")));
        assert!(lines.iter().any(|line| line.contains("what helps: take people out of db_owner")));
        assert_eq!(lines.last().unwrap(), "    dw: it sleeps");
    }
}
