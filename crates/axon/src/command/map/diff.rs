//! `axon map diff`

use std::path::Path;

use axon_mapping::diff;

use super::read;
use crate::command::{Status, print_json};

/// What one map says and another does not.
pub fn run(config: &Path, old: &Path, new: &Path, json: bool) -> anyhow::Result<Status> {
    let (old, new) = (read(config, Some(old), &[])?, read(config, Some(new), &[])?);
    let differences = diff::diff(&old, &new);
    if json {
        print_json(&differences)?;
    } else if differences.is_empty() {
        println!("both maps say the same");
    } else {
        for difference in &differences {
            println!("{difference}");
        }
    }
    Ok(if differences.is_empty() { Status::Done } else { Status::Found })
}
