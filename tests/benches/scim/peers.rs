//! Other SCIM servers on the same requests.

use std::time::Duration;

use crate::stage::Stage;

/// Measures and prints.
pub async fn print(_: &mut Stage, _: Duration) -> anyhow::Result<()> {
    Ok(())
}
