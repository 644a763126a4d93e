//! The table of switches in the documentation is the truth.

use axon_scim::{Profile, Switches};

#[test]
fn every_switch_is_documented_with_its_defaults() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SCIM.md")).unwrap();
    let profiles = [Profile::entra(), Profile::okta(), Profile::generic(), Profile::strict()];
    for (place, name) in Switches::NAMES.iter().enumerate() {
        let words = profiles.map(|profile| if profile.switches()[place].1 { "on" } else { "off" });
        let row = format!("\n| `{name}` | {} | ", words.join(" | "));
        assert!(text.contains(&row), "docs/SCIM.md has no row {row}");
    }
}
