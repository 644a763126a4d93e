//! `axon view`

use clap::Subcommand;

/// Secure views.
#[derive(Debug, Subcommand)]
pub enum ViewCommand {
    /// Print the statements that views of the map come to, from a look at their tables; exit with 3 if one cannot be made
    Render {
        /// Only this view, as schema.name
        view: Option<String>,
        /// Only this target
        #[arg(long)]
        target: Option<String>,
    },
}
