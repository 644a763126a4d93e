//! The reference page: every example is run, every link of a diagnostic leads somewhere, every lint is told.

use axon_mapping::{Chapter, Lint, RoleMap, check, map_test};
use time::macros::datetime;

const PAGE: &str = include_str!("../../../docs/ROLE-MAP.md");
const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// The page's blocks of a kind, each with the heading above it.
fn blocks(kind: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut heading = String::new();
    let mut open: Option<String> = None;
    let mut wanted = false;
    for line in PAGE.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                wanted = info == kind;
                open = Some(String::new());
            }
            (Some(text), Some(_)) => {
                if wanted {
                    blocks.push((heading.clone(), std::mem::take(text)));
                }
                open = None;
            }
            (Some(text), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {
                if let Some(name) = line.strip_prefix("## ") {
                    name.clone_into(&mut heading);
                }
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

#[test]
fn every_example_is_read_and_its_tests_hold() {
    let examples = blocks("yaml");
    let (_, base) = &examples[0];
    assert!(examples.len() > 12);
    for (heading, text) in &examples {
        let files = [("base.yaml", base.as_str()), ("example.yaml", text.as_str())];
        let files = if text == base { &files[..1] } else { &files[..] };
        let map = RoleMap::parse(files).unwrap_or_else(|faults| panic!("under {heading}:\n{faults}"));
        let failures = map_test::run(&map, NOW);
        assert!(failures.is_empty(), "under {heading}: {failures:?}");
        assert!(
            check(&map, None, NOW).iter().all(|finding| finding.lint != Lint::StaleSilence),
            "under {heading}: a comment silences nothing"
        );
    }
}

#[test]
fn every_example_of_what_is_refused_is_refused() {
    let (_, base) = &blocks("yaml")[0];
    let refused = blocks("yaml refused");
    assert!(refused.len() >= 3);
    for (heading, text) in refused {
        let read = RoleMap::parse(&[("base.yaml", base), ("example.yaml", &text)]);
        let faults = read.expect_err(&heading);
        assert!(faults.faults().iter().all(|fault| &*fault.place.file == "example.yaml"), "{faults}");
    }
}

#[test]
fn every_link_of_a_diagnostic_leads_to_a_heading() {
    for chapter in Chapter::ALL {
        let (page, anchor) = chapter.link().split_once('#').expect("a link has an anchor");
        assert_eq!(page, "docs/ROLE-MAP.md");
        let found =
            PAGE.lines().filter_map(|line| line.strip_prefix("## ")).any(|h| h.to_lowercase() == anchor);
        assert!(found, "no heading for {anchor}");
    }
}

#[test]
fn every_lint_is_told_with_its_severity_and_remedy() {
    for lint in Lint::ALL {
        let severity = format!("{:?}", lint.severity()).to_lowercase();
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` | {severity} |", lint.name())))
            .unwrap_or_else(|| panic!("{} is not told", lint.name()));
        assert!(row.ends_with(&format!("| {} |", lint.remedy())), "{row}");
    }
}

#[test]
fn the_map_to_begin_with_is_clean_and_its_tests_hold() {
    let text = include_str!("../../../config/role-map.yaml");
    let map = RoleMap::parse(&[("role-map.yaml", text)]).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(map.tests.len() >= 3);
    assert_eq!(map_test::run(&map, NOW), []);
    assert_eq!(check(&map, None, NOW), []);
    assert!(map.not_carried_out().is_empty());
    assert!(text.lines().count() < 80, "two minutes to read");
}
