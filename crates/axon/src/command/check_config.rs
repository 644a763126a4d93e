//! `axon config check`

use super::{Status, print_json};
use crate::config::Config;
use crate::wiring::load_map;

/// Prints the configuration in force. It holds no secrets: those are in the role map, as references.
pub fn run(config: &Config, json: bool) -> anyhow::Result<Status> {
    let map = load_map(config)?;
    for warning in config.claim_warnings() {
        eprintln!("axon: warning: {warning}");
    }
    if json {
        print_json(config)?;
    } else {
        print!("{}", serde_saphyr::to_string(config)?);
        println!("# the role map {} can be used", map.version());
    }
    Ok(Status::Done)
}
